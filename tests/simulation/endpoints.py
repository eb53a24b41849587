"""Webhook endpoints in a town: one that was always there, and one that is created in the middle of
the day, of which Lambdas do not know that have read the registry before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from chalicelib.domain.events import Entry, Event
from chalicelib.domain.webhooks.delivery import SendDue
from chalicelib.domain.webhooks.endpoint import name_endpoint_mailbox, parse_endpoint_id
from chalicelib.domain.webhooks.endpoint_events import is_stream_for_endpoints
from chalicelib.domain.webhooks.event_types import list_canonical
from chalicelib.domain.webhooks.registry import EndpointRegistry, RegisteredEndpoint
from chalicelib.errors import Unavailable
from chalicelib.services.webhooks.known_endpoints import KnownEndpoints
from tests.builders import NOW
from tests.functional.endpoints import Registry
from tests.simulation.faults import GIVES_UP, Fate, Faults
from tests.simulation.scheduler import Scheduler
from tests.simulation.telling import read_log

if TYPE_CHECKING:
    from chalicelib.services.ports import EndpointStore
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
        self.fate.spend("read the registry")
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


class KnownByProcess(KnownEndpoints):
    """What each process knows of endpoints: the invocations of one keep it between them."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._by_process: dict[int, KnownEndpoints] = {}

    def get_registry(self, as_of: datetime | None = None) -> EndpointRegistry:
        return self._find_known().get_registry(as_of)

    def keep_written(self, registry: EndpointRegistry, since: datetime) -> None:
        self._find_known().keep_written(registry, since)

    def _find_known(self) -> KnownEndpoints:
        scheduler = self._endpoints.scheduler
        process = scheduler.invocation.process if scheduler.invocation else 0
        store = cast("EndpointStore", self._endpoints)
        return self._by_process.setdefault(process, KnownEndpoints(store, scheduler.clock))


def an_endpoint_is_told_each_change_once_in_order(town: Town) -> Iterator[str]:
    """Of each stream, whatever was committed since it was created; of what was committed before by
    a clock that is ahead, so that it seems to come after, some may be."""
    for endpoint in _endpoints(town):
        log = read_log(name_endpoint_mailbox(endpoint.id))
        told = [(event.stream, event.version, event.type) for event in log]
        facts = [
            fact
            for fact in town.history.facts.values()
            if is_stream_for_endpoints(fact.event.stream) and fact.event.at >= endpoint.created_at
        ]
        created_s = (endpoint.created_at - NOW).total_seconds()
        owed = _list_told(fact.event for fact in facts if fact.at_s >= created_s)
        allowed = _list_told(fact.event for fact in facts)
        for one in sorted(owed - set(told)):
            yield f"{endpoint.id}: {one} is missing"
        for one in sorted(set(told)):
            if told.count(one) > 1 or one not in allowed:
                yield f"{endpoint.id}: {one} is there {told.count(one)}x"
        newest: dict[str, int] = {}
        for stream, version, type_ in told:
            if version < newest.get(stream, 0):
                yield f"{endpoint.id}: {stream} {version} {type_} after {newest[stream]}"
            newest[stream] = version


def the_sender_hears_of_each_event(town: Town) -> Iterator[str]:
    """A message for each place, once or more."""
    for endpoint in _endpoints(town):
        places = {event.seq for event in read_log(name_endpoint_mailbox(endpoint.id))}
        sent = town.endpoints.sent[endpoint.id] if town.endpoints else set()
        if places - sent:
            yield f"{endpoint.id}: {sorted(places - sent)} were not sent"


def is_endpoints(mailbox: str) -> bool:
    """Tell whether a mailbox is an endpoint's."""
    return parse_endpoint_id(mailbox) is not None


def _endpoints(town: Town) -> tuple[RegisteredEndpoint, ...]:
    return town.endpoints.now.endpoints if town.endpoints else ()


def _list_told(events: Iterable[Event]) -> set[Told]:
    """List what endpoints are told of some events."""
    versions: dict[tuple[str, int], list[Event]] = defaultdict(list)
    for event in events:
        versions[event.stream, event.version].append(event)
    return {
        (stream, version, type_)
        for (stream, version), of_version in versions.items()
        for type_, _ in list_canonical(Entry(version, of_version[0].at, tuple(of_version)))
    }


ENDPOINTS: tuple[Callable[[Town], Iterator[str]], ...] = (
    an_endpoint_is_told_each_change_once_in_order,
    the_sender_hears_of_each_event,
)
