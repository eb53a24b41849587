"""Arrivals: what a courier's fixes tell of the stop that they are on the way to, or wait at.

 near     Within NEAR_M of the stop. Told once to both sides.
 arrived  Two fixes in a row, and all in between, for ARRIVED_FOR: within AT_STOP_M of the stop, not
          vaguer than ROUGH_M, and slow. It is the step that a courier takes by hand: suggested to
          them, or taken for them.
 left     Beyond LEFT_M, and before within it: who has never been there by their fixes has not left.
          The clock of their waiting stops (waiting.py), until they are there again.

Each is a time in the order's timeline, so that it is told once of each stop, by whichever Lambda
is first, and anew of another courier (losing_couriers.py). What is judged is the courier's track,
as the odometer keeps it: nothing more is remembered of the fixes.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import NamedTuple

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.odometer import MIN_GAP_S, SLOW_M_S, TrackPoint
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.drafts import draft_copies, draft_for_courier, list_both_sides
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.history import note_leaving, note_return
from chalicelib.domain.orders.losing_couriers import (
    LEFT_STOP,
    NEAR_STOP,
    SUGGESTED,
    WAITS_FROM,
)
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.proof import Stop
from chalicelib.domain.orders.waiting import compute_no_show_at, find_wait_start
from chalicelib.domain.people import Actor, Courier

NEAR_M = 300.0
AT_STOP_M = 80.0
ARRIVED_FOR_S = 10
LEFT_M = AT_STOP_M + max(0.1 * AT_STOP_M, 20.0)

Arrival = commands.Arrive | commands.ReachDropoff


class Sighting(Enum):
    """What fixes tell of a stop."""

    NEAR = "near"
    ARRIVED = "arrived"
    LEFT = "left"


class Visit(NamedTuple):
    """The stop that a courier is on the way to (not `is_there`), or waits at."""

    stop: Stop
    point: Point
    is_there: bool


def find_visit(order: Order, courier_id: str) -> Visit | None:
    """Find the stop that counts for an order's courier; None where none does: the order is not
    theirs, its flow has no such step now, or nobody knows where the stop is."""
    steps = FLOWS[order.details.flow].transitions[order.status]
    if order.courier_id != courier_id:
        return None
    if order.status is Status.AT_PICKUP or commands.Arrive.verb in steps:
        stop, place = Stop.PICKUP, order.details.pickup
        is_there = order.status is Status.AT_PICKUP
    elif order.status is Status.IN_TRANSIT and commands.ReachDropoff.verb in steps:
        stop, place = Stop.DROPOFF, order.details.dropoff
        is_there = "reached" in order.timeline
    else:
        return None
    return None if place.point is None else Visit(stop, place.point, is_there)


def list_sightings(order: Order, courier: Courier) -> list[Sighting]:
    """List what a courier's newest fix tells of an order's stop that was not told before."""
    visit = find_visit(order, courier.id)
    if visit is None or courier.fix is None:
        return []
    has_left = _is_noted(order, LEFT_STOP, visit.stop)
    is_near = measure_distance_m(courier.fix.point, visit.point) <= NEAR_M
    found = []
    if is_near and not visit.is_there and not _is_noted(order, NEAR_STOP, visit.stop):
        found.append(Sighting.NEAR)
    if (not visit.is_there or has_left) and _has_arrived(courier, visit.point):
        found.append(Sighting.ARRIVED)
    if visit.is_there and not has_left and _has_left(courier, visit.point):
        found.append(Sighting.LEFT)
    return found


def make_arrival(visit: Visit) -> Arrival:
    """Make the step by which a courier arrives at a stop."""
    return commands.Arrive() if visit.stop is Stop.PICKUP else commands.ReachDropoff()


def note_sighting(order: Order, courier: Courier, seen: Sighting, now: datetime) -> Transition:
    """Note what a courier's newest fix tells, and tell it; an arrival as a suggestion. The order as
    it is, and no events, where that is not so of this order, or was noted before."""
    visit = find_visit(order, courier.id)
    if visit is None or seen not in list_sightings(order, courier):
        return order, ()
    if seen is Sighting.NEAR:
        after = _note(order, NEAR_STOP, visit.stop, now)
        return after, _draft_for_both(after, events.COURIER_NEAR, visit.stop, now)
    if seen is Sighting.ARRIVED:
        if visit.is_there or _is_noted(order, SUGGESTED, visit.stop):
            return order, ()
        after, data = _note(order, SUGGESTED, visit.stop, now), {"stop": visit.stop.value}
        return after, (
            draft_for_courier(after, events.ARRIVAL_SUGGESTED, courier.id, now, data=data),
        )
    after = replace(_note(order, LEFT_STOP, visit.stop, now), no_show_at=None)
    after = note_leaving(after, courier.point, now)
    return after, _draft_for_both(after, events.COURIER_LEFT, visit.stop, now)


def is_return(order: Order, command: Command) -> bool:
    """Say whether a step that was taken before brings its courier back to a stop that they have
    left."""
    if isinstance(command, commands.Arrive):
        return order.status is Status.AT_PICKUP and _is_noted(order, LEFT_STOP, Stop.PICKUP)
    is_reach = isinstance(command, commands.ReachDropoff) and order.status is Status.IN_TRANSIT
    return is_reach and _is_noted(order, LEFT_STOP, Stop.DROPOFF)


def resume_wait(order: Order, command: Command, actor: Actor, now: datetime) -> Order:
    """Note that a courier is back at a stop, and start the clock that the command says: while they
    were away they did not wait. Both sides know that they were there: nobody is told."""
    stop = Stop.PICKUP if isinstance(command, commands.Arrive) else Stop.DROPOFF
    no_show_at = compute_no_show_at(order, order.status, command)
    timeline = {name: at for name, at in order.timeline.items() if name != LEFT_STOP[stop]}
    away = now - order.timeline[LEFT_STOP[stop]]
    timeline[WAITS_FROM[stop]] = (find_wait_start(order, stop) or now - away) + away
    after = replace(order, timeline=timeline, no_show_at=no_show_at, updated_at=now)
    return note_return(after, command, actor, now)


def _has_arrived(courier: Courier, stop: Point) -> bool:
    fix, track = courier.fix, courier.odometer.track
    if not track or (fix and fix.speed is not None and fix.speed >= SLOW_M_S):
        return False
    newest = since = track[-1]
    if not _is_at(newest, stop):
        return False
    for point in reversed(track[:-1]):
        if not _is_at(point, stop) or _measure_speed(point, since) >= SLOW_M_S:
            break
        since = point
    return newest.at_s - since.at_s >= ARRIVED_FOR_S


def _has_left(courier: Courier, stop: Point) -> bool:
    track = courier.odometer.track
    if not track or track[-1].is_rough or measure_distance_m(track[-1].point, stop) <= LEFT_M:
        return False
    return any(measure_distance_m(point.point, stop) <= LEFT_M for point in track)


def _is_at(point: TrackPoint, stop: Point) -> bool:
    """Say whether a point tells that its courier is at a stop."""
    is_sure = not point.is_rough and not point.is_fast
    return is_sure and measure_distance_m(point.point, stop) <= AT_STOP_M


def _measure_speed(a: TrackPoint, b: TrackPoint) -> float:
    return measure_distance_m(a.point, b.point) / max(MIN_GAP_S, b.at_s - a.at_s)


def _is_noted(order: Order, names: dict[Stop, str], stop: Stop) -> bool:
    return names[stop] in order.timeline


def _note(order: Order, names: dict[Stop, str], stop: Stop, now: datetime) -> Order:
    return replace(order, timeline={**order.timeline, names[stop]: now}, updated_at=now)


def _draft_for_both(order: Order, type_: str, stop: Stop, now: datetime) -> tuple[Event, ...]:
    return draft_copies(order, type_, list_both_sides(order), now, data={"stop": stop.value})
