"""What one commit of an order adds to the figures.

A commit is the only thing that is known for sure and happens once: a repeat commits nothing, and of
two who change an order at once one commits. So each fact is read off the order before and after,
and off the events of that one version.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from chalicelib.domain import events, measures
from chalicelib.domain.measures import Metric
from chalicelib.domain.orders.model import ACTIVATED, Order, Status
from chalicelib.domain.orders.offer_tally import count_offers, tally_offers

_HELD = frozenset({Status.AT_PICKUP, Status.IN_TRANSIT})
NO_REASON = "none"
_DECLINE, _ASSIGN = "decline", "assign"


def measure_commit(before: Order | None, after: Order) -> Iterator[tuple[Metric, float]]:
    """Yield each metric that a commit adds to, with its value. `before` is None of a new order."""
    if before is None:
        yield measures.ORDERS, 1
    yield from _measure_offers(before, after)
    yield from _measure_answers(before, after)
    if _has_first_courier(before, after):
        yield measures.ASSIGN, _measure_ms(_find_wanted_at(after), after.updated_at)
    if before:
        yield from _measure_waits(before, after)
    if after.is_terminal and not (before and before.is_terminal):
        yield measures.ENDS, 1
        if after.status is Status.UNSERVED:
            yield measures.UNSERVED, 1


def label_end(order: Order) -> dict[str, str]:
    """Return what an end is counted by: the state, and the code of its reason."""
    reason = order.reason.code if order.reason else NO_REASON
    return {"state": order.status.value, "reason": reason}


def _measure_offers(before: Order | None, after: Order) -> Iterator[tuple[Metric, float]]:
    made = after.offers_made - (before.offers_made if before else 0)
    added = made or _count_opened(before, after)
    if added <= 0:
        return
    yield measures.OFFERS, added
    # Another search of the same order is none of its customer's first wait.
    if before is None or not (count_offers(before) or _was_sought(before)):
        yield measures.FIRST_OFFER, _measure_ms(_find_wanted_at(after), after.updated_at)


def _measure_answers(before: Order | None, after: Order) -> Iterator[tuple[Metric, float]]:
    if before is None:
        return
    found = {event.type for event in _list_events(after)}
    # A ride that is given to a driver by hand is theirs, as if they had accepted: they have not.
    is_given = _find_last_step(after) == _ASSIGN
    was_offered = before.offered_to or before.is_open
    if was_offered and events.ORDER_ACCEPTED in found and not is_given:
        yield measures.ACCEPTED, 1
    if events.ORDER_DECLINED in found or _leaves_others(before, after):
        yield measures.DECLINED, 1
    if events.OFFER_TIMED_OUT in found:
        yield measures.IGNORED, max(1, len(before.open_offers))
    elif after.status is Status.UNSERVED and (before.is_open or _is_broadcast(before)):
        yield measures.IGNORED, 1


def _leaves_others(before: Order, after: Order) -> bool:
    """Say whether one of a wave has declined, and others of it are still asked: nobody hears."""
    left = len(before.open_offers) - len(after.open_offers)
    return bool(after.open_offers and left) and _find_last_step(after) == _DECLINE


def _find_last_step(order: Order) -> str | None:
    """Find the step of a commit's last change; None of those that archive them."""
    return order.changes[-1].step if order.changes else None


def _is_broadcast(order: Order) -> bool:
    """Say whether an order is open to couriers near by. Of one that is offered to one after the
    other, each offer has had its own end."""
    return order.status is Status.SEARCHING and bool(order.offered_to) and not order.offers_made


def _count_opened(before: Order | None, after: Order) -> int:
    """Count how often an order that is offered to nobody alone was opened by a commit: to couriers
    near by, or to a pool. More of them who hear of it later are no offer more."""
    known = before.changes if before else ()
    # What has an offer of its own for each courier counts those. Or they have just been archived.
    if after.offers_made or after.changes[: len(known)] != known:
        return 0
    return tally_offers(after.changes).offers - tally_offers(known).offers


def _has_first_courier(before: Order | None, after: Order) -> bool:
    """Say whether a courier has the order now, and none ever had it before."""
    has_it = after.courier is not None and not after.is_terminal
    return has_it and not (before and (before.courier is not None or _was_taken(before)))


def _was_sought(order: Order) -> bool:
    """Say whether couriers were asked before, or had the order."""
    return Status.UNSERVED.value in order.timeline or _was_taken(order)


def _was_taken(order: Order) -> bool:
    """Say whether a courier had an order and lost it again: by giving it back, or to another. (Of
    very long histories the row has the end alone.)"""
    return (
        order.releases > 0
        or "handed_back" in order.timeline
        or any(change.step == "accept" for change in order.changes)
    )


def _measure_waits(before: Order, after: Order) -> Iterator[tuple[Metric, float]]:
    if before.status not in _HELD or after.status is before.status:
        return
    if before.status is Status.AT_PICKUP and after.status is Status.IN_TRANSIT:
        arrived_at = before.timeline.get(Status.AT_PICKUP.value)
        if arrived_at:
            yield measures.PICKUP_WAIT, _measure_ms(arrived_at, after.updated_at) / 1000
    elif before.status is Status.IN_TRANSIT and (reached_at := before.timeline.get("reached")):
        yield measures.DOOR_WAIT, _measure_ms(reached_at, after.updated_at) / 1000


def _find_wanted_at(order: Order) -> datetime:
    """Find since when a courier is wanted: an order of a pool is for nobody until it is ready."""
    timeline = order.timeline
    ready_at = timeline.get(Status.READY.value)
    return ready_at or timeline.get(ACTIVATED) or order.placed_at


def _list_events(order: Order) -> tuple[events.Event, ...]:
    """List the events of the commit that made this version."""
    newest = order.entries[-1] if order.entries else None
    return newest.events if newest and newest.version == order.version else ()


def _measure_ms(start: datetime, end: datetime) -> float:
    """Measure milliseconds; clocks of two processes differ, and nothing takes less than none."""
    return max(0.0, round((end - start).total_seconds() * 1000))
