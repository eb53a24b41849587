"""An order's history as entries that can be read: each change with what the ones around it say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from chalicelib.domain.geo import Point
from chalicelib.domain.orders.changes import (
    LEAVE_STOP,
    OVERRIDE,
    PLACE,
    TIP,
    Asked,
    Change,
    History,
    measure_ms_between,
)
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.losing_couriers import LEFT_STOP, NO_STEPS
from chalicelib.domain.orders.model import TERMINAL_STATUSES, Order, Status
from chalicelib.domain.people import Role

ACCEPTED, DECLINED, EXPIRED, WITHDRAWN = "accepted", "declined", "expired", "withdrawn"
# The step by which an offer ends -> its answer. By any other step it is withdrawn.
ANSWERS = {
    "accept": ACCEPTED,
    "pick_up": ACCEPTED,  # of a meal that an admin gave to a courier
    "decline": DECLINED,
    "expire": EXPIRED,
    "give_up": EXPIRED,
}
_OPENING_STEPS = frozenset({"offer", "assign"})
_BROADCAST = "open"
_UNKNOWN = "?"
_ENDS = frozenset(status.value for status in TERMINAL_STATUSES)
# No courier has an order that stands there, as its timeline has it.
_UNHELD = frozenset(
    {"scheduled", "pending", "confirmed", "preparing", "ready", "searching", "unserved"}
)


class OfferEntry(msgspec.Struct, frozen=True):
    """Who is asked, and what came of it; `answer` None while it is open, or where that is not
    known. `taker_id` is who accepted. Of a wave `declined` are those who had declined before."""

    asked: tuple[Asked, ...]
    answer: str | None = None
    taker_id: str | None = None
    declined: tuple[str, ...] = ()

    @property
    def is_wave(self) -> bool:
        """True where several were asked, and each has an answer of their own."""
        return len(self.asked) > 1

    def find_answer(self, courier_id: str) -> str | None:
        """Find how one of several has answered."""
        if courier_id in self.declined:
            return DECLINED
        if self.answer == ACCEPTED and courier_id != self.taker_id:
            return WITHDRAWN
        return self.answer

    def find_asked(self, courier_id: str) -> Asked | None:
        """Find a courier among those who are asked."""
        return next((one for one in self.asked if one.courier_id == courier_id), None)


class HistoryEntry(msgspec.Struct, frozen=True):
    """One change. `role` and `actor_id` None: not known, or not to be shown. `lost_by` is the
    courier who had the order before it, or was asked; `courier_id` has it, or is asked, after it.
    `price_minor` is what the order costs from then on, if that changed; of a tip, its amount.
    `is_on_the_way`: the courier has what is delivered, or is on the way with it."""

    at: datetime
    step: str
    was: str | None
    to: str
    role: Role | None = None
    actor_id: str | None = None
    courier_id: str | None = None
    lost_by: str | None = None
    reason: str | None = None
    note: str | None = None
    offer: OfferEntry | None = None
    position: Point | None = None
    price_minor: int | None = None
    is_on_the_way: bool = False

    @property
    def is_broadcast(self) -> bool:
        """True where the order was opened to several couriers at once."""
        return self.step == _BROADCAST

    @property
    def is_end(self) -> bool:
        """True where no more steps were left after it. What comes later ends nothing."""
        return self.to in _ENDS and self.was != self.to


def list_entries(order: Order, history: History, price_minor: int | None) -> list[HistoryEntry]:
    """List the whole history of an order, the oldest first. `price_minor` is what it was to cost
    by its details, as it was placed without a quote."""
    changes = (*_list_from_timeline(order, history.changes), *history.changes)
    entries = list(_chain_entries(order, changes))
    if entries and entries[0].step == PLACE and entries[0].price_minor is None:
        entries[0] = replace(entries[0], price_minor=price_minor)
    return [*_answer_offers(entries), *_list_tips(order)]


def _list_tips(order: Order) -> Iterator[HistoryEntry]:
    """Make an entry of each tip whose time is known. Tips come after the end, when the changes are
    archived: they are read from the order, so that to give one writes nothing more. They are the
    last, as no order that has one can live again."""
    status = order.status.value
    for tip in order.tips:
        if tip.given_at is not None:
            yield HistoryEntry(
                at=tip.given_at,
                step=TIP,
                was=status,
                to=status,
                role=Role.CUSTOMER,
                actor_id=order.details.customer_id,
                courier_id=order.courier_id,
                price_minor=tip.amount_minor,
            )


def _chain_entries(order: Order, changes: Sequence[Change]) -> Iterator[HistoryEntry]:
    """Make an entry of each change, with what the one before it left."""
    was = courier_id = None
    for change in changes:
        role = change.actor_role
        is_customer = role is Role.CUSTOMER and change.actor_id is None
        yield HistoryEntry(
            at=change.compute_at(order.placed_at),
            step=change.step,
            was=None if change.step == PLACE else change.was or was,
            to=change.to,
            role=role,
            actor_id=order.details.customer_id if is_customer else change.actor_id,
            courier_id=change.courier_id,
            lost_by=courier_id if courier_id != change.courier_id else None,
            reason=change.reason,
            note=change.note,
            offer=OfferEntry(change.asked) if change.asked else None,
            position=change.position,
            price_minor=change.price_minor,
            is_on_the_way=Status.IN_TRANSIT.value in (change.to, change.was or was),
        )
        was, courier_id = change.to, change.courier_id


def _answer_offers(entries: list[HistoryEntry]) -> list[HistoryEntry]:
    """Put its answer to each offer, and the offer to the change that answers it.

    A broadcast stays open while more couriers are added, and every offer while an admin lets proof
    go; anything else ends all that are open.
    """
    found = list(entries)
    open_: list[int] = []
    for n, entry in enumerate(entries):
        if open_ and _leaves_others(entry):
            _note_decline(found, open_[-1], n)
        elif open_ and entry.step not in (_BROADCAST, OVERRIDE):
            for at in open_:
                found[at] = _answer(found[at], entry)
            if entry.offer is None:
                asked = tuple(one for at in open_ for one in _list_unanswered(found[at]))
                found[n] = _answer(replace(entry, offer=OfferEntry(asked)), entry)
            open_ = []
        if entry.step in _OPENING_STEPS or (entry.step == _BROADCAST and entry.offer):
            open_.append(n)
    return found


def _answer(entry: HistoryEntry, by: HistoryEntry) -> HistoryEntry:
    answer = ANSWERS.get(by.step, WITHDRAWN)
    taker_id = by.courier_id if answer == ACCEPTED else None
    offer = entry.offer or OfferEntry(())
    if taker_id and offer.find_asked(taker_id) is None:
        answer, taker_id = WITHDRAWN, None  # somebody of another look has taken it
    return replace(entry, offer=replace(offer, answer=answer, taker_id=taker_id))


def _leaves_others(entry: HistoryEntry) -> bool:
    """Say whether one of several let an order go, or it was taken from them, and the others are
    still asked."""
    return entry.step in ("decline", "release") and entry.to == Status.OFFERED.value


def _note_decline(found: list[HistoryEntry], at: int, n: int) -> None:
    """Put the answer of one of several to their offer, and their offer to the change at `n`."""
    asking, answering = found[at], found[n]
    offer = asking.offer or OfferEntry(())
    own = offer.find_asked(answering.lost_by or answering.actor_id or "")
    if own is not None:
        found[at] = replace(
            asking, offer=replace(offer, declined=(*offer.declined, own.courier_id))
        )
        answer = ANSWERS.get(answering.step, WITHDRAWN)
        found[n] = replace(answering, offer=OfferEntry((own,), answer))


def _list_unanswered(entry: HistoryEntry) -> tuple[Asked, ...]:
    offer = entry.offer or OfferEntry(())
    return tuple(one for one in offer.asked if one.courier_id not in offer.declined)


def _list_from_timeline(order: Order, changes: Sequence[Change]) -> list[Change]:
    """List what only the order's timeline knows: of an order that a version without histories
    placed, what was before its first change; all of one whose history has expired."""
    if changes and changes[0].step == PLACE:
        return []
    found: list[Change] = []
    to = FLOWS[order.details.flow].first_status.value
    steps = ((name, at) for name, at in order.timeline.items() if name not in NO_STEPS)
    for name, at in sorted(steps, key=lambda item: item[1]):
        after_ms = measure_ms_between(order.placed_at, at)
        if changes and after_ms >= changes[0].after_ms:
            break
        to = name if name in Status._value2member_map_ else to
        courier_id = None if to in _UNHELD else order.courier_id
        found.append(Change(after_ms, _word_step(name), to, by=_UNKNOWN, courier_id=courier_id))
    return found


# What has no status of its own, and placing, by its name in the timeline.
_STEPS = {
    "placed": PLACE,
    "activated": "activate",
    "reached": "reach",
    "departed": "depart",
    "handed_back": "hand_back",
    "released": "release",
    **dict.fromkeys(LEFT_STOP.values(), LEAVE_STOP),
}


def _word_step(name: str) -> str:
    return _STEPS.get(name, name)
