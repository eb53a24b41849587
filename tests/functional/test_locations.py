"""Many positions at once: a verdict of each, one write, and a jump that moves nobody until later
ones confirm it, by whatever door they come."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.domain.geo import find_cell
from chalicelib.domain.people import Courier
from chalicelib.store.courier_rows import decode_courier
from chalicelib.store.couriers import CourierTable
from chalicelib.store.tables import CourierRow
from infra.bench.units import item_bytes
from tests.builders import DEPOT, a_fix, north_of
from tests.functional.rides import a_driver, a_ride, a_rider, enter
from tests.functional.test_rides_cost import counting
from tests.functional.world import Answer, Someone, World

LOCATION, LOCATIONS = "/v1/courier/location", "/v1/courier/locations"
AVAILABILITY = "/v1/courier/availability"


def a_point(world: World, metres: float, ago_s: float = 0, **more: Any) -> dict[str, Any]:
    """So far north of the depot, so long ago."""
    lat, lng = north_of(DEPOT, metres)
    return {"lat": lat, "lng": lng, "ts": world.clock.now.timestamp() - ago_s, **more}


def report(world: World, dan: Someone, *points: dict[str, Any]) -> str:
    """Report points, two seconds after whatever was before; the verdicts."""
    answer = post(world, dan, points)
    assert answer.status == 200, answer
    assert [set(point) for point in answer.body["points"]] == [{"verdict"}] * len(points)
    return " ".join(point["verdict"] for point in answer.body["points"])


def post(world: World, dan: Someone, points: Sequence[Any]) -> Answer:
    return world.post(LOCATIONS, {"points": list(points)}, dan)


def stored(world: World, dan: Someone) -> Courier:
    return decode_courier(CourierRow.get(dan.id, consistent_read=True), world.clock.now)


def metres_of(world: World, dan: Someone) -> float:
    """How far north of the depot a courier is, as is known."""
    point = stored(world, dan).point
    assert point is not None
    return round((point[0] - DEPOT[0]) * 111_195)


def establish(world: World, dan: Someone) -> None:
    """Three positions in a row, ten metres apart."""
    world.clock.advance(10)
    points = [a_point(world, 10 * n, 3 - n) for n in (1, 2, 3)]
    assert report(world, dan, *points) == "kept kept kept"
    world.clock.advance(2)


def test_a_verdict_of_each_point_in_the_order_of_the_request(world: World) -> None:
    dan = world.courier()
    world.clock.advance(60)
    points = [
        a_point(world, 200, 10),
        a_point(world, 100, 20),
        a_point(world, 50, 100),  # before the courier went on duty
        a_point(world, 250, 5, accuracy=101),
        {**a_point(world, 0, 4), "lat": 0, "lng": 0},
        a_point(world, 300, -60),
        a_point(world, 9000, 3),
        a_point(world, 210, 2, accuracy=100, speed=3.5, heading=90, altitude=900),
    ]
    wanted = "kept kept late vague vague future far kept"
    assert report(world, dan, *points) == wanted
    fix = stored(world, dan).fix
    assert fix is not None
    assert (metres_of(world, dan), fix.speed, fix.heading) == (210, 3.5, 90)
    assert stored(world, dan).odometer.reading_m == pytest.approx(210, abs=2)


def test_a_report_is_one_write_and_counts_once_for_the_pace(world: World) -> None:
    dan = world.courier()
    world.clock.advance(200)
    points = [a_point(world, n, 100 - n) for n in range(100)]
    with counting(world) as calls:
        assert report(world, dan, *points) == " ".join(["kept"] * 100)
    assert calls == {"GetItem couriers": 1, "UpdateItem couriers": 1}
    assert post(world, dan, points).status == 429
    assert world.post(LOCATION, a_point(world, 0), dan).status == 429
    world.clock.advance(1)
    assert world.post(LOCATION, a_point(world, 100), dan).status == 200
    assert stored(world, dan).odometer.reading_m == pytest.approx(100, abs=10)


def test_the_same_report_again_is_not_far_and_its_way_counts_once(world: World) -> None:
    """The answer was lost, and the phone sends all of it anew."""
    dan = world.courier()
    establish(world, dan)
    points = [*(a_point(world, 30 + 50 * n, 1 - n / 50) for n in range(50)), a_point(world, 9000)]
    first = report(world, dan, *points)
    assert first == " ".join([*["kept"] * 50, "far"]) or "far" in first
    reading = stored(world, dan).odometer.reading_m
    world.clock.advance(2)
    again = report(world, dan, *points)
    assert again.split()[-1] == "far"
    assert set(again.split()[:-1]) <= {"late", "kept", "far"}
    assert stored(world, dan).odometer.reading_m == reading


BAD: list[Any] = [
    None,
    {},
    [],
    "points",
    {"points": None},
    {"points": {}},
    {"points": []},
    {"points": [None]},
    {"points": [[12.9, 77.5]]},
    {"points": [{"lat": 12.9}]},
    {"points": [{"lng": 77.5, "ts": 5}]},
    {"points": [{"lat": 91, "lng": 77.5}]},
    {"points": [{"lat": 12.9, "lng": 77.5, "ts": "soon"}]},
    {"points": [{"lat": 12.9, "lng": 77.5, "ts": 1e300}]},
    {"points": [{"lat": 12.9, "lng": 77.5, "speed": True}]},
    {"points": [{"lat": 12.9, "lng": 77.5}] * 101},
    {"points": [{"lat": 12.9, "lng": 77.5}, {"lat": True, "lng": 77.5}]},
]


@pytest.mark.parametrize("body", BAD)
def test_one_malformed_point_and_nothing_is_written(world: World, body: Any) -> None:
    dan = world.courier()
    before = stored(world, dan)
    world.clock.advance(5)
    answer = world.post(LOCATIONS, body, dan)
    assert (answer.status, answer.body["error"]) == (400, "invalid_input")
    assert stored(world, dan) == before


def test_only_couriers_report(world: World) -> None:
    assert post(world, world.customer(), [a_point(world, 0)]).status == 403
    assert world.post(LOCATIONS, {"points": []}).status == 401


@pytest.mark.parametrize(
    ("points", "verdicts"),
    [
        ([(0, -7200, {})], "future"),
        ([(0, 0, {"accuracy": 500})], "vague"),
        ([(0, -7200, {}), (5, 0, {"accuracy": 500})], "future vague"),
    ],
)
def test_a_report_of_nothing_good_is_heard_and_moves_nobody(
    world: World, points: list[tuple[float, float, dict[str, Any]]], verdicts: str
) -> None:
    """It is a sign of life, and counts for the pace."""
    dan = world.courier()
    world.clock.advance(60)
    sent = [a_point(world, metres + 500, ago, **more) for metres, ago, more in points]
    assert report(world, dan, *sent) == verdicts
    assert metres_of(world, dan) == 0
    assert post(world, dan, sent).status == 429


def test_a_clock_that_is_hours_behind_is_a_clock(world: World) -> None:
    """Who has been known by a true clock stays where that said."""
    slow = world.courier("slow", at=None)
    points = [a_point(world, 10 * n, 7200 - n) for n in range(3)]
    assert report(world, slow, *points) == "kept kept kept"
    assert metres_of(world, slow) == 20
    dan = world.courier()
    world.clock.advance(5)
    assert report(world, dan, *points) == "late late late"


def test_a_jump_moves_nobody_until_two_later_ones_confirm_it(world: World) -> None:
    dan = world.courier()
    world.connect(dan)
    establish(world, dan)
    for n, (verdict, metres) in enumerate((("far", 30), ("far", 30), ("kept", 5020))):
        assert report(world, dan, a_point(world, 5000 + 10 * n)) == verdict
        assert metres_of(world, dan) == metres
        order = world.place(world.customer(f"c{n}"))
        is_offered = order["status"] == "assigned"
        assert is_offered is (metres < 5000), "by the place that is known"
        if is_offered:
            world.step("decline", order["id"], dan)
        world.clock.advance(3)
    row = CourierRow.get(dan.id)
    assert row.cell == find_cell(north_of(DEPOT, 5020))
    assert stored(world, dan).odometer.reading_m == pytest.approx(
        40, abs=11
    )  # no way was made there


@pytest.mark.parametrize(
    "ts", ["0001-01-01T00:00:00Z", "0001-01-01T00:01:00Z", -62135596800, -1e10]
)
@pytest.mark.parametrize("accuracy", [5, 500])
def test_a_time_from_before_all_clocks_is_an_old_one(
    world: World, ts: Any, accuracy: float
) -> None:
    dan, eve = world.courier(), world.courier("eve", at=None)
    for who, verdict in ((dan, "late"), (eve, "kept")):
        world.clock.advance(5)
        point = a_point(world, 0, accuracy=accuracy, ts=ts)
        assert report(world, who, point) == (verdict if accuracy == 5 else "vague")
        world.clock.advance(5)
        assert world.post(LOCATION, point, who).status == 200
        assert world.post(AVAILABILITY, {"available": True, **point}, who).status == 200


@pytest.mark.parametrize("times", [2, 5])
def test_a_fix_that_is_sent_again_and_again_is_one(world: World, times: int) -> None:
    """By whatever door: it makes no track, and a phone that wakes up elsewhere is there at once."""
    for n, path in enumerate((LOCATION, LOCATIONS)):
        dan = world.courier(f"d{n}", at=None)
        point = a_point(world, 0)
        for _ in range(times):
            body = point if path == LOCATION else {"points": [point]}
            assert world.post(path, body, dan).status == 200
            world.clock.advance(5)
        assert len(stored(world, dan).odometer.track) == 1
        assert world.post(LOCATION, a_point(world, 9000), dan).status == 200
        assert metres_of(world, dan) == 9000


@pytest.mark.parametrize("path", [LOCATION, LOCATIONS])
def test_a_phone_that_stands_still_and_has_no_other_fix_to_send_is_located(
    world: World, path: str
) -> None:
    """And found again, though a search had taken it out of its cell as its position was old."""
    dan = world.courier(at=None)
    point = a_point(world, 0)
    body = point if path == LOCATION else {"points": [point]}
    assert world.post(path, body, dan).status == 200
    world.clock.advance(300)
    CourierRow(dan.id).update(actions=[CourierRow.cell.remove()])
    assert world.post(path, body, dan).status == 200
    assert stored(world, dan).located_at == world.clock.now
    assert CourierRow.get(dan.id, consistent_read=True).cell == find_cell(DEPOT)
    assert len(stored(world, dan).odometer.track) == 1


def test_an_idle_courier_who_wakes_up_elsewhere_is_there(world: World) -> None:
    dan = world.courier()
    world.clock.advance(1)
    assert world.post(LOCATION, a_point(world, 50_000), dan).body == {"stored": True}
    assert metres_of(world, dan) == 50_000


def by_rest(world: World, dan: Someone, point: dict[str, Any]) -> None:
    assert world.post(LOCATION, point, dan).body == {"stored": True}


def by_availability(world: World, dan: Someone, point: dict[str, Any]) -> None:
    assert world.post(AVAILABILITY, {"available": True, **point}, dan).body == {"available": True}


def by_courier_socket(world: World, dan: Someone, point: dict[str, Any]) -> None:
    assert world.connect(dan).say({"event": "location.update", "data": point}) == []


def test_who_follows_a_courier_sees_where_a_report_of_many_ends(world: World) -> None:
    """Whatever part of a millisecond it came at; and nothing where it has moved nobody."""
    rider, dan = a_rider(world), a_driver(world)
    a_ride(rider, dan)
    for part_s, shown in ((0.000789, 1), (0.123456, 1), (0.5, 1)):
        world.clock.advance(30 + part_s)
        rider.forget()
        points = [a_point(world, 10 * n, 10 - n) for n in range(10)]
        assert set(report(world, dan.person, *points).split()) == {"kept"}
        assert len(rider.heard("driver_location_update")) == shown
        world.clock.advance(2)
        rider.forget()
        assert set(report(world, dan.person, *points[:-1]).split()) == {"late"}
        assert report_again(world, dan.person, points[-1]) == "kept"
        assert rider.heard("driver_location_update") == []


def report_again(world: World, dan: Someone, point: dict[str, Any]) -> str:
    world.clock.advance(2)
    return report(world, dan, point)


@pytest.mark.parametrize("report_at", [by_rest, by_availability, by_courier_socket])
def test_every_door_has_the_same_rule_and_its_own_answer(world: World, report_at: Any) -> None:
    dan = world.courier()
    establish(world, dan)
    report_at(world, dan, a_point(world, 5000))
    assert metres_of(world, dan) == 30
    world.clock.advance(2)
    report_at(world, dan, a_point(world, 40))
    assert metres_of(world, dan) == 40


def test_a_rider_is_not_shown_a_jump(world: World) -> None:
    """Spec 001: the driver's answer is as ever."""
    driver = a_driver(world)
    for n in range(4):
        world.clock.advance(1)
        lat, lng = north_of(DEPOT, 10 * n)
        driver.did("update_location", latitude=lat, longitude=lng)
    world.clock.advance(1)
    lat, lng = north_of(DEPOT, 9000)
    driver.did("update_location", latitude=lat, longitude=lng)
    assert metres_of(world, driver.person) == 30


def test_a_jump_costs_a_refused_write_a_look_and_a_write(world: World) -> None:
    dan = world.courier()
    establish(world, dan)
    with counting(world) as calls:
        by_rest(world, dan, a_point(world, 5000))
    assert calls == {"UpdateItem couriers": 2, "GetItem couriers": 1}


def test_of_two_reports_at_once_each_point_counts_once(world: World) -> None:
    """One of them is too soon; or, if they are of two seconds, both are in."""
    dan = world.courier()
    world.clock.advance(60)
    points = [a_point(world, 10 * n, 30 - n) for n in range(30)]

    def send() -> int:
        return post(world, dan, points).status

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(future.result() for future in [pool.submit(send) for _ in range(4)])
    assert statuses == [200, 429, 429, 429]
    assert stored(world, dan).odometer.reading_m == pytest.approx(290, abs=2)


def test_reports_at_once_lose_no_way_and_count_none_twice(world: World) -> None:
    dan = world.courier()
    world.clock.advance(60)
    lat, lng = north_of(DEPOT, 500)
    fix = a_fix(lat=lat, lng=lng, at=world.clock.now)
    with ThreadPoolExecutor(6) as pool:
        couriers = CourierTable(pool)

        def record(n: int) -> None:
            couriers.record_fixes(dan.id, [replace(fix, accuracy=n + 1.0)], fix.at, None)

        list(pool.map(record, range(6)))
    assert stored(world, dan).odometer.reading_m == pytest.approx(500, abs=2)


def test_the_row_stays_one_write_unit(world: World) -> None:
    """With long ids, all that a phone tells, a full track and doubts."""
    driver = a_driver(world, "8f14e45f-ceea-467f-a0e6-b7a9f7d1c0d3")
    enter(world, driver.person)
    a_rider(world)
    sizes = []
    for n in range(80):
        world.clock.advance(2)
        more = {"speed": 13.375, "heading": 271.25, "accuracy": 12.125, "altitude": 912.5}
        metres = 20 * n + (9000 if n % 4 == 3 else 0)
        report(world, driver.person, a_point(world, metres, **more))
        sizes.append(item_bytes(CourierRow.get(driver.id).serialize()))
    assert max(sizes) <= 1024


def test_a_full_track_is_added_up_in_the_same_write(world: World) -> None:
    dan = world.courier()
    for n in range(5):
        world.clock.advance(120)
        report(world, dan, *(a_point(world, 1000 * n + 10 * m, 100 - m) for m in range(100)))
    assert len(stored(world, dan).odometer.track) <= 4
    assert stored(world, dan).odometer.reading_m == pytest.approx(4990, abs=20)
