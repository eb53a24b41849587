"""What a courier's fixes tell of a stop: sequences of them, and what an order remembers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import Place
from chalicelib.domain.money.waiting import count_waiting_minutes
from chalicelib.domain.odometer import Odometer, TrackPoint
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.arrivals import (
    Sighting,
    list_sightings,
    note_sighting,
    resume_wait,
)
from chalicelib.domain.orders.losing_couriers import forget_former_courier
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.proof import Stop
from chalicelib.domain.people import SYSTEM, Courier
from tests.builders import DEPOT, NOW, a_courier, a_fix, a_job, an_order, north_of

FAR_AWAY = north_of(DEPOT, 50_000)
DOOR = Place("door", *DEPOT)
ELSEWHERE = Place("elsewhere", *FAR_AWAY)

Spot = tuple[float, float] | tuple[float, float, str]
"""(metres from the stop, at which second[, "rough"])"""


def order_at(status: Status, **timeline: Any) -> Order:
    """An order of dan's, whose next stop is the depot."""
    at_pickup = status in (Status.ACCEPTED, Status.AT_PICKUP)
    ends = {"pickup": DOOR, "dropoff": ELSEWHERE} if at_pickup else {}
    ends = ends or {"pickup": ELSEWHERE, "dropoff": DOOR}
    order = an_order(status, details=a_job(**ends), courier_id="dan")
    return replace(order, timeline={**order.timeline, **timeline})


def seen_at(spots: Sequence[Spot], **fix: Any) -> Courier:
    track = [TrackPoint(north_of(DEPOT, spot[0]), int(spot[1]), len(spot) > 2) for spot in spots]
    last = a_fix(track[-1].point, at=NOW + timedelta(seconds=track[-1].at_s), **fix)
    return a_courier("dan", fix=last, odometer=Odometer(0.0, tuple(track)), order_id=4711)


def words(order: Order, courier: Courier) -> str:
    return " ".join(seen.value for seen in list_sightings(order, courier))


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.IN_TRANSIT])
@pytest.mark.parametrize(
    ("spots", "seen"),
    [
        ([(310, 0)], ""),
        ([(290, 0)], "near"),
        ([(70, 0)], "near"),
        ([(70, 0), (70, 9)], "near"),
        ([(70, 0), (70, 10)], "near arrived"),
        ([(300, 0), (70, 20), (60, 25), (50, 30)], "near arrived"),
        ([(70, 0), (90, 5), (70, 10)], "near"),  # not in a row
        ([(70, 0), (70, 5, "rough"), (70, 12)], "near"),
        ([(70, 0), (70, 12, "rough")], "near"),
        ([(70, 0), (0, 10), (70, 20)], "near"),  # passing by
        ([(70, 0), (41, 10)], "near arrived"),  # 2.9 m/s
        ([(90, 0), (60, 10)], "near"),
    ],
)
def test_on_the_way_to_a_stop(status: Status, spots: Sequence[Spot], seen: str) -> None:
    assert words(order_at(status), seen_at(spots)) == seen


def test_who_drives_has_not_arrived() -> None:
    spots = [(70, 0), (60, 10)]
    assert words(order_at(Status.ACCEPTED), seen_at(spots, speed=2.9)) == "near arrived"
    assert words(order_at(Status.ACCEPTED), seen_at(spots, speed=3.0)) == "near"


@pytest.mark.parametrize(
    ("spots", "seen"),
    [
        ([(10, 0), (99, 60)], ""),
        ([(10, 0), (101, 60)], "left"),
        ([(10, 0), (101, 60, "rough")], ""),
        ([(500, 0), (600, 60)], ""),  # who has never been there has not left
        ([(10, 0), (10, 20)], ""),
    ],
)
def test_at_a_stop(spots: Sequence[Spot], seen: str) -> None:
    waiting = [order_at(Status.AT_PICKUP), order_at(Status.IN_TRANSIT, reached=NOW)]
    assert [words(order, seen_at(spots)) for order in waiting] == [seen, seen]


@pytest.mark.parametrize(
    "status", [Status.OFFERED, Status.SEARCHING, Status.DONE, Status.RETURNING]
)
def test_nobody_is_at_a_stop_of_an_order_that_is_not_theirs_to_bring(status: Status) -> None:
    assert words(order_at(status), seen_at([(0, 0), (0, 20)])) == ""


def test_nobody_is_at_another_couriers_stop_or_at_one_that_nobody_knows() -> None:
    other = replace(order_at(Status.ACCEPTED), courier_id="eve")
    assert words(other, seen_at([(0, 0), (0, 20)])) == ""
    nowhere = an_order(Status.ACCEPTED, details=a_job(pickup=Place("pickup")))
    assert words(nowhere, seen_at([(0, 0), (0, 20)])) == ""


def test_each_is_told_once_of_a_stop_and_anew_of_another_courier() -> None:
    order, told = order_at(Status.ACCEPTED), []
    courier = seen_at([(50, 0), (50, 20)])
    for _ in range(2):
        for seen in list_sightings(order, courier):
            order, drafts = note_sighting(order, courier, seen, NOW)
            told += [(event.type, event.to) for event in drafts]
    assert told == [
        (events.COURIER_NEAR, order.details.customer_id),
        (events.COURIER_NEAR, "dan"),
        (events.ARRIVAL_SUGGESTED, "dan"),
    ]
    after = forget_former_courier(order, replace(order, courier_id="eve"))
    assert words(after, replace(courier, id="eve")) == "near arrived"


def test_leaving_stops_the_clock_and_is_in_the_history() -> None:
    order, courier = order_at(Status.AT_PICKUP), seen_at([(0, 0), (150, 60)])
    (seen,) = list_sightings(order, courier)
    after, drafts = note_sighting(order, courier, seen, NOW)
    assert (order.no_show_at, after.no_show_at) == (NOW, None)
    assert [event.data for event in drafts] == [{"stop": "pickup"}] * 2
    assert (after.changes[-1].step, after.changes[-1].by) == ("leave_stop", "s")
    assert words(after, courier) == ""
    assert note_sighting(after, courier, seen, NOW) == (after, ())


@pytest.mark.parametrize(
    ("moves", "waited"),
    [
        ([], 65),
        ([2], 2),
        ([2, 62], 5),
        ([2, 32, 34, 63], 6),
        ([2, 32, 34], 4),
    ],
)
@pytest.mark.parametrize("stop", Stop)
def test_who_is_away_does_not_wait(stop: Stop, moves: Sequence[float], waited: int) -> None:
    """Who came at 0 leaves and comes back at these minutes; the order goes on after 65."""
    at_pickup = stop is Stop.PICKUP
    order = order_at(
        Status.AT_PICKUP if at_pickup else Status.IN_TRANSIT,
        **{"at_pickup" if at_pickup else "reached": NOW},
    )
    for n, minute in enumerate(moves):
        now = NOW + timedelta(minutes=minute)
        if n % 2:
            command = commands.Arrive() if at_pickup else commands.ReachDropoff()
            order = resume_wait(order, command, SYSTEM, now)
        else:
            courier = seen_at([(0, 0), (150, 60)])
            order, _ = note_sighting(order, courier, Sighting.LEFT, now)
    end = Status.IN_TRANSIT if at_pickup else Status.DONE
    after = replace(order, timeline={**order.timeline, end.value: NOW + timedelta(minutes=65)})
    assert count_waiting_minutes(after, timedelta(0)) == waited
    lost = forget_former_courier(after, replace(after, courier_id="eve"))
    assert count_waiting_minutes(lost, timedelta(0)) == 0
