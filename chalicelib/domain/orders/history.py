"""How an order's history is noted, one change a step. Pure, as the steps are.

Nothing is noted of a repeat, which changes nothing, nor of a look that found nobody: an order that
searches all day would have nothing else in its history.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain.geo import Point
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.changes import (
    DEPART,
    LEAVE_STOP,
    MAX_NOTE,
    OVERRIDE,
    PLACE,
    RECIPIENT_NOTE,
    WRONG_PIN,
    Asked,
    Change,
    encode_actor,
    measure_ms_between,
    round_point,
)
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.proof import ProofOverride, Stop
from chalicelib.domain.people import SYSTEM, Actor, Role
from chalicelib.domain.price_lines import sum_minor


def note_placing(order: Order, now: datetime) -> Order:
    """Begin the history of a new order."""
    placer = Actor(order.details.customer_id, Role.CUSTOMER)
    return _append_change(order, PLACE, placer, now, price_minor=_find_price_minor(order))


def note_departing(order: Order, point: Point, now: datetime) -> Order:
    """Note the first position of the courier who is on the way with an order."""
    courier = Actor(order.courier_id or "", Role.COURIER)
    return _append_change(order, DEPART, courier, now, position=round_point(point))


def note_leaving(order: Order, point: Point | None, now: datetime) -> Order:
    """Note that a courier who waited at a stop is there no longer, by their position."""
    return _append_change(order, LEAVE_STOP, SYSTEM, now, position=round_point(point))


def note_return(order: Order, command: Command, actor: Actor, now: datetime) -> Order:
    """Note that a courier who had left a stop is there again."""
    return _append_change(order, command.verb, actor, now)


def note_step(before: Order, after: Order, command: Command, actor: Actor, now: datetime) -> Order:
    """Return an order after a step with the change noted that it made."""
    # Who is given a ride by hand has it: they are not asked.
    asked = () if after.status is Status.ACCEPTED else _list_asked(command)
    is_look = isinstance(command, commands.WaitForCourier | commands.OpenToNearby)
    if is_look and not asked:
        return after
    price_minor = _find_price_minor(after)
    reason, note = _read_words(command)
    return _append_change(
        after,
        command.verb,
        actor,
        now,
        # Nothing before says it where changes were archived, or were never noted.
        was=None if _get_last_status(before) == before.status.value else before.status.value,
        asked=asked,
        reason=reason,
        note=note,
        position=round_point(getattr(command, "position", None)),
        price_minor=price_minor if price_minor != _find_price_minor(before) else None,
    )


def note_wrong_pin(order: Order, actor: Actor, now: datetime) -> Order:
    """Note that a courier has said a wrong PIN at a stop."""
    return _append_change(order, WRONG_PIN, actor, now)


def note_override(
    order: Order, actor: Actor, stop: Stop, override: ProofOverride, now: datetime
) -> Order:
    """Note that an admin has let a kind of proof go, and which."""
    note = f"{override.kind.value}, {stop.value}"
    return _append_change(order, OVERRIDE, actor, now, reason=override.reason, note=note)


def note_recipients_words(order: Order, words: str, now: datetime) -> Order:
    """Note what was said by a tracking link. Who it was is not known: whoever has the link."""
    return _append_change(order, RECIPIENT_NOTE, Actor("", Role.RECIPIENT), now, note=words)


def note_position(order: Order, point: Point) -> Order:
    """Add to the newest change of an order where its courier was, found out after the step."""
    *earlier, newest = order.changes
    return replace(order, changes=(*earlier, replace(newest, position=round_point(point))))


def note_price(order: Order, price_minor: int) -> Order:
    """Add to the newest change of an order what it costs, where that follows from the step."""
    *earlier, newest = order.changes
    return replace(order, changes=(*earlier, replace(newest, price_minor=price_minor)))


def _append_change(order: Order, step: str, actor: Actor, now: datetime, **fields: Any) -> Order:
    change = Change(
        after_ms=measure_ms_between(order.placed_at, now),
        step=step,
        to=order.status.value,
        by=encode_actor(actor, order.details.customer_id),
        courier_id=order.courier_id,
        **fields,
    )
    return replace(order, changes=(*order.changes, change))


def _get_last_status(order: Order) -> str | None:
    """Return the status that an order's newest change led to, if it carries any."""
    return order.changes[-1].to if order.changes else None


def _list_asked(command: Command) -> tuple[Asked, ...]:
    """List the couriers to whom a step offers the order."""
    if isinstance(command, commands.MakeOffer | commands.AssignCourier):
        first = _make_asked(command.courier_id, command.distance_m)
        others = command.others if isinstance(command, commands.MakeOffer) else ()
        return (first, *(_make_asked(id_, distance_m) for id_, distance_m in others))
    if isinstance(command, commands.OpenToNearby):
        distances_m = command.distances_m or (None,) * len(command.courier_ids)
        return tuple(map(_make_asked, command.courier_ids, distances_m))
    return ()


def _make_asked(courier_id: str, distance_m: float | None) -> Asked:
    return Asked(courier_id, None if distance_m is None else round(distance_m))


def _read_words(command: Command) -> tuple[str | None, str | None]:
    """Read why a step is taken, a reason and a note, of a command that says so: not every one
    does. A reason is a text, or has a code and a note."""
    reason: Any = getattr(command, "reason", None)
    if reason is None or isinstance(reason, str):
        return _cut_text(reason), None
    return _cut_text(reason.code), _cut_text(reason.note)


def _cut_text(text: str | None) -> str | None:
    return text[:MAX_NOTE] if text else None


def _find_price_minor(order: Order) -> int | None:
    """Return the price that was agreed for an order, or estimated, or that it has come to; None
    where its details alone say it."""
    if order.price:
        return sum_minor(order.price)
    if order.trip and order.trip.fare_minor:
        return order.trip.fare_minor
    return order.details.estimate.fare_minor if order.details.estimate else None
