"""What has happened to an order: every change with who made it, for whom it may concern, written
once, kept for a while, and lost by no death."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.orders.changes import MAX_CARRIED
from chalicelib.domain.orders.model import Status
from chalicelib.domain.people import Role
from chalicelib.store.histories import HistoryTable
from chalicelib.store.orders import OrderTable, encode_order
from chalicelib.store.tables import HistoryRow, OrderRow
from tests.builders import DEPOT, an_order, north_of
from tests.faults import Crash, CrashingProxy, answers_lost
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.hails import be_at, hail
from tests.functional.hails import driver as a_hail_driver
from tests.functional.kitchen import Kitchen, Plain, an_owner, placed
from tests.functional.kitchen import a_driver as a_food_driver
from tests.functional.rides import a_driver, a_rider, locate, request
from tests.functional.schedules import later
from tests.functional.test_proof_pins import another, at_the_door, pin_of, take
from tests.functional.world import Someone, World

Entry = dict[str, Any]


def history_of(world: World, order_id: str | int, by: Someone | None = None) -> list[Entry]:
    """What somebody, an admin unless said, is shown of an order's history."""
    answer = world.get(f"/v1/orders/{order_id}/history", by or world.admin())
    assert answer.status == 200, answer
    return list(answer.body["history"])


def path_of(entries: list[Entry]) -> list[str]:
    """Each change as `actor: step, from > to`."""
    return [f"{who(entry)}: {entry['step']}, {entry['from']} > {entry['to']}" for entry in entries]


def who(entry: Entry) -> str:
    """Who made a change, as far as that is shown."""
    actor = entry["actor"] or {"role": "unknown"}
    return f"{actor['role']} {actor.get('id', '')}".strip()


def offers_of(entries: list[Entry]) -> list[tuple[str, Any]]:
    """(step, offer) of each change that has one."""
    return [(entry["step"], entry["offer"]) for entry in entries if "offer" in entry]


def deliver(world: World, order_id: str, by: Someone) -> None:
    """All steps of a courier, some seconds apart."""
    for verb in ("accept", "arrived", "picked", "reached", "delivered"):
        world.pass_time(6)
        assert world.step(verb, order_id, by).status == 200


def test_a_delivery_is_told_from_its_placing_to_its_end(engine_world: World) -> None:
    world = engine_world
    dan, cara = world.courier("dan", north_of(DEPOT, 500)), world.customer()
    placed_at = world.clock.now
    order_id = world.place(cara)["id"]
    assert world.get(f"/v1/orders/{order_id}/history", cara).body == {
        "history": [
            {
                "at": "2031-05-06T07:08:09.000Z",
                "actor": {"role": "customer", "id": "cara"},
                "from": None,
                "to": "searching",
                "step": "place",
            },
            {
                "at": "2031-05-06T07:08:09.000Z",
                "actor": {"role": "system"},
                "from": "searching",
                "to": "offered",
                "step": "offer",
                "offer": {},
            },
        ]
    }
    deliver(world, order_id, dan)
    order = world.order(order_id)
    assert (order.changes, order.history_token is None) == ((), False)
    entries = history_of(world, order_id)
    assert path_of(entries) == [
        "customer cara: place, None > searching",
        "system: offer, searching > offered",
        "courier dan: accept, offered > accepted",
        "courier dan: arrive, accepted > at_pickup",
        "courier dan: pick_up, at_pickup > in_transit",
        "courier dan: reach, in_transit > in_transit",
        "courier dan: deliver, in_transit > done",
    ]
    here = north_of(DEPOT, 500)
    assert [entry.get("position") for entry in entries] == [
        None,
        None,
        {"lat": round(here[0], 5), "lng": here[1]},
        None,
        None,
        {"lat": round(here[0], 5), "lng": here[1]},
        None,
    ]
    offer = {"courier_id": "dan", "distance_m": 500, "answer": "accepted"}
    assert offers_of(entries) == [("offer", offer), ("accept", offer)]
    times = [world.order(order_id).timeline[name] for name in ("placed", "accepted", "done")]
    assert times[0] == placed_at
    assert [entries[n]["at"][:19] for n in (0, 2, 6)] == [at.isoformat()[:19] for at in times]


def test_a_position_is_that_of_the_step_or_none(world: World) -> None:
    """What is known of last night says nothing of now."""
    dan, cara = world.courier(), world.customer()
    order_id = world.place(cara, pickup_lat=None, pickup_lng=None)["id"]
    world.clock.advance(10)
    world.step("accept", order_id, dan)
    for verb in ("arrived", "picked"):
        world.step(verb, order_id, dan)
    world.clock.advance(3600)
    world.step("reached", order_id, dan)
    *_, picked, reached = history_of(world, order_id)
    assert "position" not in picked
    assert "position" not in reached
    there = north_of(DEPOT, 800)
    world.post("/v1/courier/location", {"lat": there[0], "lng": there[1]}, dan)
    departed = history_of(world, order_id)[-1]
    assert (departed["step"], who(departed)) == ("depart", "courier dan")
    assert departed["position"] == {"lat": round(there[0], 5), "lng": there[1]}


def test_nothing_is_noted_of_what_is_asked_again(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    order_id = world.place(cara)["id"]
    for verb in ("accept", "accept", "arrived", "arrived", "picked", "picked", "reached"):
        world.step(verb, order_id, dan)
    world.step("reached", order_id, dan)
    before = history_of(world, order_id)
    for verb in ("reached", "picked"):
        world.step(verb, order_id, dan)
    assert world.step("decline", order_id, dan).status == 409
    assert history_of(world, order_id) == before
    for _ in range(2):
        world.step("delivered", order_id, dan)
    assert len(history_of(world, order_id)) == 7
    assert len(list(HistoryRow.query(int(order_id)))) == 1


@pytest.fixture
def asked_around(engine_world: World) -> tuple[World, str, dict[str, Someone]]:
    """An order that dan declines, eve lets pass and fay delivers; a `cara` and an `ada`."""
    world = engine_world
    people = {
        name: world.courier(name, north_of(DEPOT, 100 * n))
        for n, name in enumerate(("dan", "eve", "fay"), 1)
    }
    people |= {"cara": world.customer(), "ada": world.admin()}
    order_id = world.place(people["cara"])["id"]
    assert world.step("decline", order_id, people["dan"]).status == 200
    world.pass_time(16)
    deliver(world, order_id, people["fay"])
    return world, order_id, people


AskedAround = tuple[World, str, dict[str, Someone]]


def test_an_admin_sees_whom_it_was_offered_to_and_what_they_answered(
    asked_around: AskedAround,
) -> None:
    world, order_id, people = asked_around
    entries = history_of(world, order_id, people["ada"])
    assert path_of(entries)[1:6] == [
        "system: offer, searching > offered",
        "courier dan: decline, offered > searching",
        "system: offer, searching > offered",
        "system: expire, offered > searching",
        "system: offer, searching > offered",
    ]
    by_dan = {"courier_id": "dan", "distance_m": 100, "answer": "declined"}
    by_eve = {"courier_id": "eve", "distance_m": 200, "answer": "expired"}
    by_fay = {"courier_id": "fay", "distance_m": 300, "answer": "accepted"}
    assert offers_of(entries) == [
        ("offer", by_dan),
        ("decline", by_dan),
        ("offer", by_eve),
        ("expire", by_eve),
        ("offer", by_fay),
        ("accept", by_fay),
    ]


def test_a_customer_sees_every_change_and_not_who_declined(asked_around: AskedAround) -> None:
    world, order_id, people = asked_around
    entries = history_of(world, order_id, people["cara"])
    assert path_of(entries) == [
        "customer cara: place, None > searching",
        "system: offer, searching > offered",
        "courier: decline, offered > searching",
        "system: offer, searching > offered",
        "system: expire, offered > searching",
        "system: offer, searching > offered",
        "courier fay: accept, offered > accepted",
        "courier fay: arrive, accepted > at_pickup",
        "courier fay: pick_up, at_pickup > in_transit",
        "courier fay: reach, in_transit > in_transit",
        "courier fay: deliver, in_transit > done",
    ]
    taken = {"courier_id": "fay", "distance_m": 300, "answer": "accepted"}
    assert [offer for _, offer in offers_of(entries)] == [
        *[{"answer": "declined"}] * 2,
        *[{"answer": "expired"}] * 2,
        *[taken] * 2,
    ]
    assert "dan" not in repr(entries)
    assert "eve" not in repr(entries)
    assert [entry["step"] for entry in entries if "position" in entry] == ["reach"]


def test_couriers_see_what_happened_while_it_was_theirs(asked_around: AskedAround) -> None:
    world, order_id, people = asked_around
    seen = {name: history_of(world, order_id, people[name]) for name in ("dan", "eve", "fay")}
    assert path_of(seen["dan"]) == [
        "customer cara: place, None > searching",
        "system: offer, searching > offered",
        "courier dan: decline, offered > searching",
        "courier: deliver, in_transit > done",
    ]
    assert path_of(seen["eve"])[1:] == [
        "system: offer, searching > offered",
        "system: expire, offered > searching",
        "courier: deliver, in_transit > done",
    ]
    assert len(seen["fay"]) == 7
    assert [offer for _, offer in offers_of(seen["eve"])] == [
        {"courier_id": "eve", "distance_m": 200, "answer": "expired"}
    ] * 2
    for name, entries in seen.items():
        others = {"dan", "eve", "fay"} - {name}
        assert not [other for other in others if other in repr(entries)]
    assert not [entry for entry in seen["dan"] if "position" in entry]


def test_who_has_no_part_in_an_order_is_told_of_none(asked_around: AskedAround) -> None:
    world, order_id, _ = asked_around
    path = f"/v1/orders/{order_id}/history"
    strangers = [
        world.customer("bob"),
        world.courier("guy"),
        world.someone(Role.MERCHANT, "mo", restaurant_ids=["789"]),
    ]
    assert {world.get(path, by).status for by in strangers} == {404}
    assert world.get(path).status == 401
    assert world.get("/v1/orders/4712/history", world.admin()).status == 404
    assert world.get("/v1/orders/x/history", world.admin()).status == 404
    assert world.post(path, {}, world.admin()).status == 405


def test_an_order_that_is_tried_again_goes_on_where_it_was(engine_world: World) -> None:
    world = engine_world
    cara = world.customer()
    order_id = world.place(cara)["id"]
    assert path_of(history_of(world, order_id, cara)) == [
        "customer cara: place, None > searching",
        "system: give_up, searching > unserved",
    ]
    world.clock.advance(60)
    assert world.post(f"/v1/orders/{order_id}/retry", {}, cara).status == 200
    world.clock.advance(60)
    dan = world.courier("dan")
    assert world.post(f"/v1/orders/{order_id}/retry", {}, cara).status == 200
    assert path_of(history_of(world, order_id, cara))[2:] == [
        "customer cara: retry, unserved > searching",
        "system: give_up, searching > unserved",
        "customer cara: retry, unserved > searching",
        "system: offer, searching > offered",
    ]
    deliver(world, order_id, dan)
    entries = history_of(world, order_id, cara)
    assert path_of(entries)[-1] == "courier dan: deliver, in_transit > done"
    assert len(entries) == 11
    assert len({entry["at"] for entry in entries}) == 8


def test_a_cancel_withdraws_an_offer_and_says_why(engine_world: World) -> None:
    world = engine_world
    dan, cara = world.courier("dan"), world.customer()
    order_id = world.place(cara)["id"]
    world.post(f"/v1/orders/{order_id}/cancel", {"reason": "the cat did it " * 30}, cara)
    cancelled = history_of(world, order_id, dan)[-1]
    assert path_of([cancelled]) == ["customer cara: cancel, offered > cancelled"]
    assert cancelled["reason"] == "other"
    assert cancelled["note"] == ("the cat did it " * 30)[:200]
    assert cancelled["offer"] == {"courier_id": "dan", "distance_m": 0, "answer": "withdrawn"}


def test_an_admin_who_gives_an_order_to_another_is_seen_by_admins(world: World) -> None:
    dan, eve, cara = world.courier("dan"), world.courier("eve"), world.customer()
    order_id = world.place(cara)["id"]
    path = f"/v1/admin/orders/{order_id}/assign"
    assert world.post(path, {"courier_id": "eve"}, world.admin()).status == 200
    entries = history_of(world, order_id)
    assert path_of(entries)[2:] == ["admin ada: assign, offered > offered"]
    assert [offer.get("answer") for _, offer in offers_of(entries)] == ["withdrawn", None]
    for by in (dan, cara):
        (assigned,) = history_of(world, order_id, by)[2:]
        assert assigned["actor"] == {"role": "admin"}
        assert "eve" not in repr(assigned)
    assert history_of(world, order_id, eve)[1]["offer"] == {"courier_id": "eve", "distance_m": 0}


def test_a_ride_is_open_to_some_and_is_handed_back_once(make_engine_world: MakeWorld) -> None:
    world = make_engine_world(settings={"reallocate_on_driver_cancel": True})
    rider = a_rider(world)
    dora, eli = a_driver(world, "dora"), a_driver(world, "eli", north_of(DEPOT, 300))
    ride_id = request(rider)
    dora.did("accept_ride", ride_id=ride_id)
    dora.did("cancel_ride", ride_id=ride_id, reason="a flat tyre")
    eli.did("accept_ride", ride_id=ride_id)
    locate(eli, DEPOT)
    eli.did("start_ride", ride_id=ride_id)
    world.clock.advance(600)
    locate(eli, north_of(DEPOT, 5000))
    fare = eli.did("complete_ride", ride_id=ride_id)["ride_data"]["fare"]
    entries = history_of(world, ride_id)
    assert path_of(entries) == [
        "customer rita: place, None > searching",
        "system: open, searching > searching",
        "courier dora: accept, searching > accepted",
        "courier dora: hand_back, accepted > searching",
        "system: open, searching > searching",
        "courier eli: accept, searching > accepted",
        "courier eli: pick_up, accepted > in_transit",
        "courier eli: depart, in_transit > in_transit",
        "courier eli: deliver, in_transit > done",
    ]
    assert (entries[3]["reason"], entries[3]["note"]) == ("other", "a flat tyre")
    asked = [{"courier_id": "dora", "distance_m": 0}, {"courier_id": "eli", "distance_m": 300}]
    assert entries[1]["offer"] == {**asked[0], "couriers": asked, "answer": "accepted"}
    assert entries[4]["offer"] == {**asked[1], "answer": "accepted"}
    assert (entries[0]["price"] > 0, entries[-1]["price"]) == (True, fare)
    assert [entry["step"] for entry in entries if "price" in entry] == ["place", "deliver"]
    assert all("position" in entry for entry in entries if entry["step"] in ("pick_up", "deliver"))
    hers = path_of(history_of(world, ride_id, dora.person))
    assert hers[1:] == [
        "system: open, searching > searching",
        "courier dora: accept, searching > accepted",
        "courier dora: hand_back, accepted > searching",
        "courier: deliver, in_transit > done",
    ]
    his = history_of(world, ride_id, eli.person)
    assert "dora" not in repr(his)
    # Offered to both, and taken by another.
    assert (his[1]["offer"]["answer"], who(his[2])) == ("withdrawn", "courier")
    assert len(history_of(world, ride_id, rider.person)) == 9


def test_a_meal_is_told_to_all_three_parties(engine_world: World) -> None:
    world = engine_world
    kitchen = Kitchen(world)
    meal = kitchen.ready()
    rider = a_food_driver(world)
    client = Plain(world, rider)
    client.emit("accept-order", {"orderId": meal})
    client.emit("update-order-status", {"orderId": meal, "status": "delivered"})
    assert path_of(history_of(world, meal)) == [
        "customer 123: place, None > pending",
        "merchant 77: confirm, pending > confirmed",
        "merchant 77: prepare, confirmed > preparing",
        "merchant 77: make_ready, preparing > ready",
        "courier 456: accept, ready > in_transit",
        "courier 456: deliver, in_transit > done",
    ]
    hers, theirs = history_of(world, meal, kitchen.customer), history_of(world, meal, kitchen.owner)
    merchant = ["merchant"] * 3
    assert list(map(who, hers)) == ["customer 123", *merchant, *["courier 456"] * 2]
    assert list(map(who, theirs))[:4] == ["customer 123", *["merchant 77"] * 3]
    assert hers[0]["price"] == 39.1
    assert [entry["step"] for entry in history_of(world, meal, rider)] == [
        "place",
        "accept",
        "deliver",
    ]


def test_an_order_for_later_is_told_from_its_placing(world: World) -> None:
    """Its restaurant learns of all of it, once there is something to learn."""
    cara, owner = world.customer(), an_owner(world)
    order_id = placed(world, cara, pickup_from=later(world, 120))["id"]
    changed = {"notes": "no onions"}
    as_read = {"If-Match": "*"}
    patched = world.call("PATCH", f"/v1/orders/{order_id}", changed, cara, as_read)
    assert patched.status == 200
    assert world.get(f"/v1/orders/{order_id}/history", owner).status == 404
    world.pass_time(7000)
    world.sweep()
    path = path_of(history_of(world, order_id, owner))
    assert path == [
        "customer cara: place, None > scheduled",
        "customer cara: amend, scheduled > scheduled",
        "system: activate, scheduled > pending",
    ]
    dormant = placed(world, cara, pickup_from=later(world, 120))["id"]
    assert world.post(f"/v1/orders/{dormant}/cancel", {}, cara).status == 200
    assert world.get(f"/v1/orders/{dormant}/history", owner).status == 404
    assert len(history_of(world, dormant, cara)) == 2


def test_wrong_pins_and_what_an_admin_lets_go_are_changes(world: World) -> None:
    cara, dan, id_ = at_the_door(world)
    take(world, "delivered", id_, dan, another(pin_of(world, id_, cara)))
    path = f"/v1/admin/orders/{id_}/proof/override"
    word = {"stop": "dropoff", "kind": "pin", "reason": "lost"}
    for _ in range(2):
        assert world.post(path, word, world.admin()).status == 200
    assert take(world, "delivered", id_, dan).status == 200
    wrong, override, delivered = history_of(world, id_)[-3:]
    assert path_of([wrong, override, delivered]) == [
        "courier dan: wrong_pin, in_transit > in_transit",
        "admin ada: override, in_transit > in_transit",
        "courier dan: deliver, in_transit > done",
    ]
    assert (override["reason"], override["note"]) == ("lost", "pin, dropoff")


def test_looks_that_find_nobody_are_no_changes(world: World) -> None:
    cara = world.customer()
    order_id = str(hail(world, cara)["id"])
    world.pass_time(120)
    assert world.order(order_id).version > 5
    assert len(history_of(world, order_id)) == 1


def test_thousands_of_offers_leave_the_first_and_the_last_and_are_counted(world: World) -> None:
    """And the order's row stays small meanwhile."""
    cara = world.customer()
    order_id = world.place(cara)["id"]
    rounds = 150
    sizes = set()
    for _ in range(rounds):
        world.clock.advance(1)
        assert world.post(f"/v1/orders/{order_id}/retry", {}, cara).status == 200
        sizes.add(len(OrderRow.get(int(order_id)).doc))
    assert max(sizes) < 900
    answer = world.get(f"/v1/orders/{order_id}/history", world.admin()).body
    assert len(answer["history"]) == 200
    assert answer["left_out"] == 2 + 2 * rounds - 200
    assert path_of(answer["history"])[50] == "customer cara: retry, unserved > searching"
    assert path_of(answer["history"])[-1] == "system: give_up, searching > unserved"


def test_a_long_search_moves_changes_out_of_its_row_before_it_ends(world: World) -> None:
    drivers = [a_hail_driver(world, name)[0] for name in ("dan", "eve")]
    order_id = str(hail(world)["id"])
    carried = []
    for n in range(30):
        assert world.step("decline", order_id, drivers[n % 2]).status == 200
        for driver in drivers:
            be_at(world, driver)
        world.pass_time(15)
        carried.append(len(world.order(order_id).changes))
    assert max(carried) <= MAX_CARRIED
    entries = history_of(world, order_id)
    assert len(entries) == 2 + 2 * 30
    assert path_of(entries)[-2:] == [
        "courier eve: decline, offered > searching",
        "system: offer, searching > offered",
    ]
    assert not world.order(order_id).is_terminal


def test_a_history_is_gone_after_its_days(make_engine_world: MakeWorld) -> None:
    """What is left is what the order itself says."""
    world = make_engine_world(settings={"history_kept": timedelta(days=2)})
    dan, cara = world.courier("dan"), world.customer()
    order_id = world.place(cara)["id"]
    deliver(world, order_id, dan)
    (row,) = HistoryRow.query(int(order_id))
    ended_at = world.order(order_id).timeline["done"]
    assert row.expires == int((ended_at + timedelta(days=2)).timestamp())
    world.clock.advance(2 * 86400 - 1)
    assert len(history_of(world, order_id, cara)) == 7
    world.clock.advance(1)
    assert path_of(history_of(world, order_id, cara)) == [
        "unknown: place, None > searching",
        "unknown: offered, searching > offered",
        "unknown: accepted, offered > accepted",
        "unknown: at_pickup, accepted > at_pickup",
        "unknown: in_transit, at_pickup > in_transit",
        "unknown: reach, in_transit > in_transit",
        "unknown: done, in_transit > done",
    ]
    assert len(history_of(world, order_id, dan)) == 7


def test_an_order_of_a_version_without_histories_tells_what_it_knows(world: World) -> None:
    dan, cara = world.courier("dan"), world.customer()
    now = world.clock.now
    timeline = {
        "placed": now - timedelta(minutes=5),
        "offered": now - timedelta(minutes=4),
        "accepted": now - timedelta(minutes=3),
        # What is there, and is no step.
        "near_pickup": now - timedelta(minutes=2),
        "suggested_pickup": now - timedelta(minutes=2),
        "waits_pickup": now - timedelta(minutes=2),
        "no_show_available": now - timedelta(minutes=2),
        "left_pickup": now - timedelta(minutes=1),
    }
    old = an_order(Status.ACCEPTED, id=77, timeline=timeline)
    encode_order(old).save()
    assert path_of(history_of(world, 77, cara)) == [
        "unknown: place, None > searching",
        "unknown: offered, searching > offered",
        "unknown: accepted, offered > accepted",
        "unknown: leave_stop, accepted > accepted",
    ]
    world.step("arrived", "77", dan)
    assert path_of(history_of(world, 77, dan))[2:] == [
        "unknown: accepted, offered > accepted",
        "unknown: leave_stop, accepted > accepted",
        "courier dan: arrive, accepted > at_pickup",
    ]
    for verb in ("picked", "delivered"):
        world.step(verb, "77", dan)
    assert len(history_of(world, 77, cara)) == 7


# Deaths


class Stage:
    """cara's order, which dan has at the door; any line of its end can be the last."""

    def __init__(self, make_world: MakeWorld, engine: Engine) -> None:
        self.orders = CrashingProxy(OrderTable(engine.connection))
        self.histories = CrashingProxy(HistoryTable())
        self.world: World = make_world(orders=self.orders, histories=self.histories)
        self.dan, self.cara = self.world.courier(), self.world.customer()
        self.order_id = self.world.place(self.cara)["id"]
        for verb in ("accept", "arrived", "picked"):
            assert self.world.step(verb, self.order_id, self.dan).status == 200

    def deliver(self) -> None:
        assert self.world.step("delivered", self.order_id, self.dan).status == 200

    def check(self) -> None:
        """It is over, and all of it is known."""
        self.world.pass_time(60)
        entries = history_of(self.world, self.order_id)
        assert [entry["step"] for entry in entries] == [
            *("place", "offer", "accept", "arrive", "pick_up", "deliver")
        ]
        assert self.world.order(self.order_id).changes == ()


@pytest.fixture
def stage(make_engine_world: MakeWorld, engine: Engine) -> Stage:
    return Stage(make_engine_world, engine)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", ["orders", "histories"])
def test_who_dies_at_the_end_has_lost_nothing(stage: Stage, part: str, when: str) -> None:
    """Before the commit nothing has happened, whatever row was put; after it all is there."""
    crashing = {"orders": stage.orders, "histories": stage.histories}[part]
    crashing.crash_at(when, {"orders": "commit_order", "histories": "save_history"}[part])
    with pytest.raises(Crash):
        stage.deliver()
    is_over = (part, when) == ("orders", "after")
    assert stage.world.order(stage.order_id).is_terminal == is_over
    entries = history_of(stage.world, stage.order_id)
    assert entries[-1]["step"] == ("deliver" if is_over else "pick_up")
    stage.world.clock.advance(1)
    stage.deliver()
    stage.check()


def test_an_answer_that_is_lost_makes_no_second_row(stage: Stage) -> None:
    with answers_lost(stage.world.engine.connection.client, "PutItem"):
        stage.deliver()
    stage.check()
    assert len(list(HistoryRow.query(int(stage.order_id)))) == 1


def test_who_loses_the_race_for_the_end_leaves_no_trace_in_the_history(stage: Stage) -> None:
    """Both have put a row; only the winner's is named."""
    save = stage.histories._part.save_history

    def slow(*given: Any) -> str:
        stage.histories._part.save_history = save
        token = save(*given)
        path = f"/v1/orders/{stage.order_id}/cancel"
        cancelled = stage.world.post(path, {"reason": "lost"}, stage.world.admin())
        assert cancelled.status == 200
        return str(token)

    stage.histories._part.save_history = slow
    assert stage.world.step("delivered", stage.order_id, stage.dan).status == 409
    assert path_of(history_of(stage.world, stage.order_id))[-1] == (
        "admin ada: cancel, in_transit > cancelled"
    )
    assert len(list(HistoryRow.query(int(stage.order_id)))) == 2


def test_a_tip_is_told_after_the_end_to_who_has_part_in_it(engine_world: World) -> None:
    """Who, when and how much; it comes once the history is archived, and writes nothing more."""
    world = engine_world
    eve, cara = world.courier("eve", north_of(DEPOT, 50)), world.customer()
    order_id = world.place(cara)["id"]
    dan = world.courier("dan", north_of(DEPOT, 100))
    assert world.step("decline", order_id, eve).status == 200
    deliver(world, order_id, dan)
    before = {by.id: history_of(world, order_id, by) for by in (cara, dan, eve, world.admin())}
    tips = []
    for amount in (5, 2.5):
        world.pass_time(3600)
        tips.append({"at": f"{world.clock.now:%Y-%m-%dT%H:%M:%S}.000Z", "price": amount})
        answer = world.post(f"/v1/orders/{order_id}/tip", {"amount": amount}, cara)
        assert answer.status == 201
    same = {"actor": {"role": "customer", "id": "cara"}, "from": "done", "to": "done"}
    expected = [{**same, "step": "tip", **tip} for tip in tips]
    for by in (cara, dan, world.admin()):
        assert history_of(world, order_id, by) == before[by.id] + expected
    assert history_of(world, order_id, eve) == before["eve"]
    assert len(list(HistoryRow.query(int(order_id)))) == 1
    world.pass_time(91 * 24 * 3600)
    assert history_of(world, order_id)[-2:] == expected
