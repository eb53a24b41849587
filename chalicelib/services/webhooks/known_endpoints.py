"""The endpoints that a process knows of: the registry, read at most every REGISTRY_KEPT.

A commit must know which endpoints to tell, and must not pay for it while there are none. So each
process keeps the registry for a while. What is decided on a registry that may be old is looked at
again by somebody who says as of when the registry must be: the relay's wakeup, and whoever is about
to drop an entry of an outbox.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

import msgspec

from chalicelib.domain.webhooks.registry import EndpointRegistry
from chalicelib.services.ports import Clock, EndpointStore

REGISTRY_KEPT = timedelta(seconds=30)


class _Reading(msgspec.Struct, frozen=True):
    """A registry, and a time from which on it was so: the read began then."""

    registry: EndpointRegistry
    at: datetime


class KnownEndpoints:
    """Keeps the registry for this process. Threads may call it at once: each that finds it too old
    reads it, as none should wait for another's read, which may hang."""

    def __init__(self, store: EndpointStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._reading: _Reading | None = None
        self._lock = Lock()  # of _reading

    def list_mailboxes(
        self, merchant_id: str | None, as_of: datetime | None = None
    ) -> tuple[str, ...]:
        """List the mailboxes of the endpoints that hear of a merchant's orders (None: of orders
        that have no merchant). As get_registry."""
        return self.get_registry(as_of).list_mailboxes(merchant_id)

    def get_registry(self, as_of: datetime | None = None) -> EndpointRegistry:
        """Return the registry as it was at some time since `as_of`, or, where that does not matter,
        since REGISTRY_KEPT ago. Raises Unavailable."""
        if kept := self._find_kept(as_of):
            return kept
        began = self._clock()
        return self._keep(_Reading(self._store.get_registry(), began))

    def keep_written(self, registry: EndpointRegistry, since: datetime) -> None:
        """Keep a registry that this process has written, in a write that began at `since`."""
        self._keep(_Reading(registry, since))

    def _find_kept(self, as_of: datetime | None) -> EndpointRegistry | None:
        reading = self._reading
        oldest = as_of or self._clock() - REGISTRY_KEPT
        return reading.registry if reading and reading.at >= oldest else None

    def _keep(self, reading: _Reading) -> EndpointRegistry:
        """Keep a reading, or what is kept if that is newer, written meanwhile; return which it is.
        The newer of two registries was so after either was read."""
        with self._lock:
            kept = self._reading or reading
            newest = max(kept.registry, reading.registry, key=lambda one: one.version)
            self._reading = _Reading(newest, max(kept.at, reading.at))
            return newest
