"""Webhook endpoints in a town: one that was always there, and one that is created in the middle of
the day, of which Lambdas do not know that have read the registry before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.domain.events import Entry, Event
from chalicelib.domain.webhooks.delivery import SendDue
from chalicelib.domain.webhooks.endpoint import endpoint_mailbox, parse_endpoint_id
from chalicelib.domain.webhooks.endpoint_events import is_stream_for_endpoints
from chalicelib.domain.webhooks.event_types import list_canonical
from chalicelib.domain.webhooks.registry import EndpointRegistry, RegisteredEndpoint
from chalicelib.errors import Unavailable
from tests.functional.endpoints import Registry
from tests.simulation.faults import GIVES_UP, Fate, Faults
from tests.simulation.scheduler import Scheduler
from tests.simulation.telling import read_log

if TYPE_CHECKING:
    from tests.simulation.town import Town

ALWAYS, NEWCOMER = "always", "newcomer"
_CREATED_AFTER_S = 12.0

Told = tuple[str, int, str]
"""What an endpoint is told: a stream, a version, a canonical type."""


@dataclass
class Endpoints(Registry):
    """Implements as much of services.ports.EndpointStore and WebhookQueue as telling needs."""

    scheduler: Scheduler
    faults: Faults
    fate: Fate
    sent: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        super().__init__()
        self._began_at = self.scheduler.clock()
        self.add(ALWAYS, created_at=self._began_at)

    def create_newcomer(self) -> None:
        """Create the second endpoint when its time has come."""
        self.scheduler.begin(self._create_newcomer, _CREATED_AFTER_S)

    def _create_newcomer(self) -> None:
        self.add(NEWCOMER, created_at=self.scheduler.now)

    def get_registry(self) -> EndpointRegistry:
        # It takes no time: a process reads it under a lock, where no strand may rest.
        if self.faults.strikes("failure"):
            self.fate.hurt()
            raise Unavailable("registry")
        return super().get_registry()

    def send_sends(self, sends: Iterable[tuple[SendDue, timedelta]]) -> None:
        """Take them all, or none; as the queue of wakeups does."""
        taken = [send for send, _ in sends]
        self.fate.spend("send webhooks")
        if self.faults.strikes("failure"):
            self.fate.hurt()
            raise Unavailable("webhook queue")
        for send in taken:
            self.sent[send.endpoint_id].add(send.seq)
        if self.faults.strikes("lost_answer") and self.faults.dice.random() < GIVES_UP:
            self.fate.hurt()
            raise Unavailable("webhook queue")
        self.fate.may_die("after", "send webhooks")


def an_endpoint_is_told_each_change_once_in_order(town: Town) -> Iterator[str]:
    """Of each stream, whatever was committed since it was created."""
    for endpoint in _endpoints(town):
        log = read_log(endpoint_mailbox(endpoint.id))
        told = [(event.stream, event.version, event.type) for event in log]
        expected = set(_list_expected(town, endpoint.created_at))
        for one in sorted(expected - set(told)):
            yield f"{endpoint.id}: {one} is missing"
        for one in sorted(set(told)):
            if told.count(one) > 1 or one not in expected:
                yield f"{endpoint.id}: {one} is there {told.count(one)}x"
        newest: dict[str, int] = {}
        for stream, version, type_ in told:
            if version < newest.get(stream, 0):
                yield f"{endpoint.id}: {stream} {version} {type_} after {newest[stream]}"
            newest[stream] = version


def the_sender_hears_of_each_event(town: Town) -> Iterator[str]:
    """A message for each place, once or more."""
    for endpoint in _endpoints(town):
        places = {event.seq for event in read_log(endpoint_mailbox(endpoint.id))}
        sent = town.endpoints.sent[endpoint.id] if town.endpoints else set()
        if places - sent:
            yield f"{endpoint.id}: {sorted(places - sent)} were not sent"


def is_endpoints(mailbox: str) -> bool:
    """Tell whether a mailbox is an endpoint's."""
    return parse_endpoint_id(mailbox) is not None


def _endpoints(town: Town) -> tuple[RegisteredEndpoint, ...]:
    return town.endpoints.now.endpoints if town.endpoints else ()


def _list_expected(town: Town, since: datetime) -> Iterator[Told]:
    versions: dict[tuple[str, int], list[Event]] = defaultdict(list)
    for fact in town.history.facts.values():
        event = fact.event
        if is_stream_for_endpoints(event.stream) and event.at >= since:
            versions[event.stream, event.version].append(event)
    for (stream, version), events in versions.items():
        entry = Entry(version, events[0].at, tuple(events))
        for type_, _ in list_canonical(entry):
            yield stream, version, type_


ENDPOINTS: tuple[Callable[[Town], Iterator[str]], ...] = (
    an_endpoint_is_told_each_change_once_in_order,
    the_sender_hears_of_each_event,
)
