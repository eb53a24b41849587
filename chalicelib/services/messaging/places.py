"""Who is to go where a mailbox has as many listeners as it can have."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import NamedTuple

from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.errors import Gone
from chalicelib.services.ports import FrameSender

_MAX_GONE = 16  # to be forgotten: each takes some writes, and a newcomer waits
_UNKNOWN = datetime.max.replace(tzinfo=timezone.utc)


class EvictionCandidates(NamedTuple):
    """Listeners that are gone, and if there are none, the one that has been silent longest."""

    gone: Sequence[Subscriber]
    silent: Subscriber | None


def find_evictable(
    gateway: FrameSender, pool: ThreadPoolExecutor, listeners: Sequence[Subscriber]
) -> EvictionCandidates:
    """Look at each listener's connection, side by side. Whoever can't be looked at counts as
    active just now; of equals the first goes, which joined first."""

    def last_active(listener: Subscriber) -> datetime | None:
        try:
            return gateway.get_last_active(listener.connection_id) or _UNKNOWN
        except Gone:
            return None

    seen = list(zip(listeners, pool.map(last_active, listeners), strict=True))
    gone = [one for one, at in seen if at is None]
    if gone:
        return EvictionCandidates(gone[:_MAX_GONE], None)
    alive = [(at, n) for n, (_, at) in enumerate(seen) if at is not None]
    return EvictionCandidates((), listeners[min(alive)[1]] if alive else None)
