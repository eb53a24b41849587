"""Pages of the attempts to deliver to an endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from chalicelib.domain.webhooks.delivery import Attempt, Delivery


class ListedAttempt(msgspec.Struct, frozen=True):
    """An attempt of a delivery; `number` counts from 1."""

    delivery: Delivery
    attempt: Attempt
    number: int


class AttemptPosition(msgspec.Struct, frozen=True):
    """Where a page ended: after this attempt of the event at `seq`. Attempts that are made
    meanwhile have higher numbers, and move nothing."""

    seq: int
    number: int


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
    return AttemptPage(found[:limit], AttemptPosition(last.delivery.seq, last.number))


def _list_attempts(
    deliveries: Iterable[Delivery], after: AttemptPosition | None
) -> Iterator[ListedAttempt]:
    for delivery in deliveries:
        for number in range(len(delivery.attempts), 0, -1):
            if after and delivery.seq == after.seq and number >= after.number:
                continue
            yield ListedAttempt(delivery, delivery.attempts[number - 1], number)
