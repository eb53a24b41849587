"""Pages of the attempts to deliver to an endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

import msgspec

from chalicelib.domain.webhooks.delivery import Attempt, Delivery


class ListedAttempt(msgspec.Struct, frozen=True):
    """An attempt, and the delivery that it is of."""

    delivery: Delivery
    attempt: Attempt


class AttemptPosition(msgspec.Struct, frozen=True):
    """Where a page ended: with the attempt of this time of the event at `seq`. Attempts that are
    made meanwhile are later ones, and move nothing."""

    seq: int
    at: datetime


class AttemptPage(msgspec.Struct, frozen=True):
    """Some attempts, those of the newest event first; `position` is where to read on."""

    attempts: tuple[ListedAttempt, ...]
    position: AttemptPosition | None


def make_page(
    deliveries: Iterable[Delivery], limit: int, after: AttemptPosition | None
) -> AttemptPage:
    """Make a page of deliveries, the newest first, that begin with the one of `after`. No more of
    them are taken than it needs."""
    found = tuple(islice(_list_attempts(deliveries, after), limit + 1))
    if len(found) <= limit:
        return AttemptPage(found, None)
    last = found[limit - 1]
    return AttemptPage(found[:limit], AttemptPosition(last.delivery.seq, last.attempt.at))


def _list_attempts(
    deliveries: Iterable[Delivery], after: AttemptPosition | None
) -> Iterator[ListedAttempt]:
    for delivery in deliveries:
        for attempt in sorted(delivery.attempts, key=lambda one: one.at, reverse=True):
            was_shown = after and delivery.seq == after.seq and attempt.at >= after.at
            if not was_shown:
                yield ListedAttempt(delivery, attempt)
