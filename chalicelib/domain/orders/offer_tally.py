"""Counting an order's offers by its history.

An offer is one courier asked, alone or in a wave, couriers near by asked together, or a meal that
all couriers of the pool see. It is accepted, declined (or given back before it was begun), ignored
until it lapsed, or withdrawn: the order was called off, given to another, or taken back by a
dispatcher.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chalicelib.domain.orders.changes import PLACE, Change
from chalicelib.domain.orders.history_entries import ACCEPTED, ANSWERS, DECLINED, EXPIRED
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Role

_ASKING = frozenset({"offer", "assign"})
_BROADCAST = "open"
# Steps by which an offer does not end, beside those that leave the order where it is.
_READY = Status.READY.value
_STILL_OPEN = frozenset({_BROADCAST, "search_anew", "wait", "override", "wrong_pin"})
_RELEASE, _DECLINE = "release", "decline"


class OfferTally(msgspec.Struct):
    """How many offers there were, and when. `first_at_ms` and `taken_at_ms` count from when the
    order was placed, `wanted_at_ms` is when a courier was first wanted."""

    offers: int = 0
    accepted: int = 0
    declined: int = 0
    ignored: int = 0
    wanted_at_ms: int | None = None
    first_at_ms: int | None = None
    taken_at_ms: int | None = None
    open_count: int = 0

    @property
    def is_open(self) -> bool:
        """True while an offer waits for its answer."""
        return self.open_count > 0

    def open(self, at_ms: int, count: int = 1) -> None:
        """Count one more offer, or those of a wave, that are open now."""
        self.offers += count
        self.open_count = count
        if self.first_at_ms is None:
            self.first_at_ms = at_ms

    def close(self, answer: str | None, at_ms: int) -> None:
        """Count what became of the open offers. Of several one is accepted; the last one that
        is declined is the only one left."""
        self.accepted += answer == ACCEPTED
        self.declined += answer == DECLINED
        self.ignored += self.open_count if answer == EXPIRED else 0
        self.open_count = 0
        if answer == ACCEPTED and self.taken_at_ms is None:
            self.taken_at_ms = at_ms


def tally_offers(changes: Sequence[Change]) -> OfferTally:
    """Count the offers in a history, or in what there is of it. Where it does not begin with the
    placing, nobody knows when the first one was."""
    tally = OfferTally()
    for change in changes:
        _note_wanting(tally, change)
        if tally.open_count > 1 and _leaves_others(change):
            tally.open_count -= 1
            tally.declined += change.step == _DECLINE
        elif tally.is_open and change.step not in _STILL_OPEN:
            tally.close(_find_answer(change), change.after_ms)
        elif change.step == "accept":  # what nobody saw open was open all the same
            tally.open(change.after_ms)
            tally.close(ACCEPTED, change.after_ms)
        if _opens(change) and not (tally.is_open and change.step == _BROADCAST):
            count = len(change.asked) if change.step in _ASKING else 1
            tally.open(change.after_ms, max(1, count))
    if not changes or changes[0].step != PLACE:
        tally.wanted_at_ms = tally.first_at_ms = tally.taken_at_ms = None
    return tally


def count_offers(order: Order) -> int:
    """Count the offers of an order so far, by what it carries itself: of one whose first changes
    are archived, and that is offered to nobody alone, those that are at hand."""
    if order.offers_made:
        return order.offers_made
    return max(tally_offers(order.changes).offers, int(bool(order.offered_to)))


def _leaves_others(change: Change) -> bool:
    """Say whether one of several let an order go, or it was taken from them, and the others are
    still asked."""
    return change.step in (_DECLINE, _RELEASE) and change.to == Status.OFFERED.value


def _note_wanting(tally: OfferTally, change: Change) -> None:
    wanting = (Status.SEARCHING.value, Status.OFFERED.value, _READY)
    if tally.wanted_at_ms is None and change.to in wanting:
        tally.wanted_at_ms = change.after_ms


def _find_answer(change: Change) -> str | None:
    """Find how the step answers the open offer; None where it takes it away. A meal that was given
    to a courier by hand is on offer to them until they set off."""
    if change.step == _RELEASE:
        return DECLINED if change.actor_role is Role.COURIER else None
    return ANSWERS.get(change.step)


def _opens(change: Change) -> bool:
    """Say whether a step makes an offer: to who is asked, or to a pool."""
    if change.step == _BROADCAST:
        return bool(change.asked)
    return change.step in _ASKING or (change.to == _READY and change.courier_id is None)
