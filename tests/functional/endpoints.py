"""Webhook endpoints in a world: who has one, and what came into its log and onto the queue."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.contracts.webhooks.body import render_body
from chalicelib.domain.events import Event
from chalicelib.domain.request_keys import RequestKey
from chalicelib.domain.webhooks.delivery import SendDue
from chalicelib.domain.webhooks.endpoint import Endpoint, name_endpoint_mailbox
from chalicelib.domain.webhooks.registry import EndpointRegistry, RegisteredEndpoint
from chalicelib.errors import Unavailable
from tests.builders import NOW
from tests.documents import check_webhook
from tests.functional.world import log_of


class Registry:
    """As much of services.ports.EndpointStore as telling needs."""

    def __init__(self) -> None:
        self.now = EndpointRegistry(version=1)  # there has been an endpoint before
        self.reads = 0
        self.is_down = False

    def get_registry(self) -> EndpointRegistry:
        if self.is_down:
            raise Unavailable("down")
        self.reads += 1
        return self.now

    def add(
        self,
        id_: str = "shop",
        events: tuple[str, ...] = ("*",),
        merchant_ids: tuple[str, ...] | None = None,
        created_at: datetime = NOW,
    ) -> None:
        """Create an endpoint; nobody who has read the registry before knows of it."""
        entry = RegisteredEndpoint(id_, events, created_at, merchant_ids)
        self.now = replace(
            self.now, endpoints=(*self.now.endpoints, entry), version=self.now.version + 1
        )

    def get_endpoint(self, endpoint_id: str) -> Endpoint:
        raise NotImplementedError

    def list_endpoints(self, owner_id: str) -> list[Endpoint]:
        raise NotImplementedError

    def save_endpoint(
        self,
        endpoint: Endpoint,
        registry: EndpointRegistry | None = None,
        key: RequestKey | None = None,
    ) -> None:
        raise NotImplementedError

    def delete_endpoint(self, endpoint: Endpoint, registry: EndpointRegistry) -> None:
        raise NotImplementedError


class Sends:
    """Implements services.ports.WebhookQueue. Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[SendDue] = []
        self.is_down = False

    def send_sends(self, sends: Iterable[tuple[SendDue, timedelta]]) -> None:
        if self.is_down:
            raise Unavailable("down")
        self.sent += [send for send, _ in sends]

    def list_seqs(self, endpoint_id: str = "shop") -> list[int]:
        """The places that were sent of an endpoint, in order."""
        return [send.seq for send in self.sent if send.endpoint_id == endpoint_id]


def told(endpoint_id: str = "shop") -> list[Event]:
    """What an endpoint's log holds: each event once, one place after the other."""
    log = log_of(name_endpoint_mailbox(endpoint_id))
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    facts = [(event.stream, event.version, event.type) for event in log]
    assert len(set(facts)) == len(facts)
    for event in log:
        check_webhook(render_body(event))
    return log


def told_types(endpoint_id: str = "shop") -> list[str]:
    """The types of it, in order."""
    return [event.type for event in told(endpoint_id)]
