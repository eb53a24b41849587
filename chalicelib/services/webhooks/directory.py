"""Which endpoints hear of an outbox, by the registry that this process knows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.domain.webhooks.endpoint import name_endpoint_mailbox, parse_endpoint_id
from chalicelib.domain.webhooks.endpoint_events import (
    derive_events,
    is_for_endpoints,
    is_stream_for_endpoints,
    list_listeners,
    list_subscribed,
)
from chalicelib.domain.webhooks.registry import EndpointRegistry
from chalicelib.services.ports import Clock
from chalicelib.services.webhooks.known_endpoints import REGISTRY_KEPT, KnownEndpoints

log = logging.getLogger(__name__)

# Of an endpoint that is older every process knows: clocks differ by less than the rest of it.
_UNKNOWN_FOR = REGISTRY_KEPT + timedelta(seconds=30)

_NONE = EndpointRegistry()


class KnownDirectory:
    """Implements services.messaging.endpoints.EndpointDirectory."""

    def __init__(self, known: KnownEndpoints, clock: Clock) -> None:
        self._known = known
        self._clock = clock

    def list_known(self, outbox: Outbox) -> tuple[str, ...]:
        """List the mailboxes of the endpoints that this process knows to hear of an outbox's
        aggregate. Never raises: a commit must not fail because of an endpoint."""
        if not is_for_endpoints(outbox):
            return ()
        found = list_listeners(self._get_known(), outbox)
        return tuple(name_endpoint_mailbox(endpoint.id) for endpoint in found)

    def list_subscribed(self, outbox: Outbox) -> tuple[str, ...]:
        """List the mailboxes of the endpoints that this process knows to have an event among the
        entries of an outbox. Never raises, likewise."""
        if not is_for_endpoints(outbox):
            return ()
        return list_subscribed(self._get_known(), outbox)

    def find_subscribed(self, outbox: Outbox, as_of: datetime) -> tuple[str, ...]:
        """List the same of all endpoints that there were at a time. Raises Unavailable."""
        if not is_for_endpoints(outbox):
            return ()
        return list_subscribed(self._get_as_of(as_of), outbox)

    def may_be_unknown(self, stream: str, sent_at: datetime, as_of: datetime) -> bool:
        """Tell whether, as of a time, there is an endpoint that may hear of a stream, and that a
        process may not have known of at `sent_at`. Raises Unavailable."""
        if not is_stream_for_endpoints(stream):
            return False
        new_since = sent_at - _UNKNOWN_FOR
        return any(one.created_at >= new_since for one in self._get_as_of(as_of).endpoints)

    def derive_events(self, mailbox: str, outbox: Outbox, entry: Entry) -> Sequence[Event]:
        """Derive an endpoint's events from an entry. Raises Unavailable.

        Another process has named the endpoint where this one does not know it: it is read then, or
        else its events would count as appended. (One that has been deleted is told nothing.)
        """
        registry, endpoint_id = self._known.get_registry(), parse_endpoint_id(mailbox)
        if all(one.id != endpoint_id for one in registry.endpoints):
            registry = self._known.get_registry(self._clock())
        return derive_events(registry, mailbox, outbox, entry)

    def _get_known(self) -> EndpointRegistry:
        try:
            return self._known.get_registry()
        except Exception:
            log.warning("the registry of endpoints can't be read: the wakeup tells", exc_info=True)
            return _NONE

    def _get_as_of(self, as_of: datetime) -> EndpointRegistry:
        """Get the registry as of a time, or of now where that is to come.

        A stage that has never had an endpoint pays nothing for them: there it may be as old as what
        this process knows. So its very first endpoint is heard of by each process in REGISTRY_KEPT;
        what was committed meanwhile is told with the order's next change.
        """
        known = self._known.get_registry()
        if not known.version:
            return known
        return self._known.get_registry(min(as_of, self._clock()))
