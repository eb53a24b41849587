"""PATCH of a scheduled order: free until it becomes active, and of no version but the one read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.messaging.wakeups import SearchDue
from chalicelib.domain.orders.model import Status
from chalicelib.store.orders import OrderTable
from tests.aws_events import rest_event
from tests.builders import DEPOT, north_of
from tests.faults import Crash, CrashingProxy, answers_lost
from tests.functional import rides
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.kitchen import Kitchen, Plain, names, placed
from tests.functional.schedules import PLACES, later, pass_hours, place, stored
from tests.functional.world import Answer, Someone, World

FAR = north_of(DEPOT, 20_000)
ROUTE = {"/v1/orders/{order_id}": ["PATCH"]}


def amend(world: World, order: Any, by: Someone, etag: str | None = '"1"', **patch: Any) -> Answer:
    """PATCH an order, if it is of this version."""
    headers = None if etag is None else {"If-Match": etag}
    return world.call("PATCH", f"/v1/orders/{order['id']}", patch, by, headers)


def test_every_get_of_an_order_says_its_version(world: World) -> None:
    cara = world.customer()
    order = place(world, cara)
    read = world.get(f"/v1/orders/{order['id']}", cara)
    assert read.headers["etag"] == '"1"'
    assert world.get(f"/v1/rides/{order['id']}", cara).headers["etag"] == '"1"'
    world.post(f"/v1/orders/{order['id']}/cancel", by=cara)
    assert world.get(f"/v1/orders/{order['id']}", cara).headers["etag"] == '"2"'


def test_what_is_patched_changes_and_the_rest_stays(world: World) -> None:
    cara = world.customer()
    order = place(world, cara, notes="Ring twice", metadata={"table": "7", "note": "x"})
    start = later(world, 120)
    changed = amend(
        world,
        order,
        cara,
        pickup_from=start,
        dropoff_address="9 Gate Lane",
        receiver_phone="+4930999999",
        notes=None,
        metadata={"note": None, "floor": "3"},
    )
    assert changed.status == 200
    assert changed.headers["etag"] == '"2"'
    kept = {name: value for name, value in order.items() if name not in ("notes", "updated_at")}
    expected = {
        **kept,
        "pickup_from": start.replace("+00:00", ".000Z"),
        "dropoff_address": "9 Gate Lane",
        "receiver_phone": "+4930999999",
        "metadata": {"table": "7", "floor": "3"},
    }
    body = {name: value for name, value in changed.body.items() if name != "updated_at"}
    assert body == expected
    assert world.get(f"/v1/orders/{order['id']}", cara).body == changed.body


PATCHES: dict[str, dict[str, Any]] = {
    "/v1/orders": {"pickup_address": "9 Gate Lane", "pickup_lat": FAR[0], "pickup_lng": FAR[1]},
    "/v1/driver-orders": {
        "address_from": "9 Gate Lane",
        "latitude_from": FAR[0],
        "longitude_from": FAR[1],
    },
    "/v1/riders/rides": {"pickup": {"address": "9 Gate Lane", "latitude": FAR[0]}},
    "/v1/restaurants/789/orders": {
        "deliveryAddress": "9 Gate Lane",
        "latitude": FAR[0],
        "longitude": FAR[1],
    },
}


@pytest.mark.parametrize("path", PATCHES)
def test_each_flow_has_the_names_of_its_own_contract(world: World, path: str) -> None:
    cara = world.customer()
    body = {**PLACES[path], "pickup_from": later(world, 60)}
    answer = world.post(path, body, cara).body
    order = {"id": answer.get("id") or answer["ride_id"]}
    changed = amend(world, order, cara, **PATCHES[path], pickup_by=later(world, 90))
    assert changed.status == 200, changed
    details = stored(order).details
    place_ = details.dropoff if "restaurants" in path else details.pickup
    assert (place_.address, place_.lat) == ("9 Gate Lane", FAR[0])
    if "latitude_from" in PATCHES[path] or path == "/v1/orders":
        assert place_.lng == FAR[1]
    assert "pickup_by" in changed.body
    before = stored(order).details
    assert before.items == details.items
    assert before.customer_id == "cara"


def test_a_ride_is_estimated_anew(world: World) -> None:
    rider = rides.a_rider(world)
    ride = rider.did("request_ride", **rides.WISH, pickup_from=later(world, 60))
    order, path = {"id": ride["ride_id"]}, f"/v1/rides/{ride['ride_id']}"
    before = world.get(path, rider.person).body
    further = {"latitude": FAR[0], "longitude": FAR[1]}
    assert amend(world, order, rider.person, destination=further).status == 200
    after = world.get(path, rider.person)
    assert after.body["estimated_fare"] > before["estimated_fare"]
    assert after.body["destination"] == f"{FAR[0]},{FAR[1]}"
    assert amend(world, order, rider.person, '"2"', notes="Blue door").status == 200
    again = world.get(path, rider.person).body
    assert again["estimated_fare"] == after.body["estimated_fare"]


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"pickup_address": None}, "pickup_address"),
        ({"pickup_address": " "}, "pickup_address"),
        ({"pickup_lat": None}, "pickup_lat"),
        ({"dropoff_lng": 200, "dropoff_lat": 1}, "dropoff_lng"),
        ({"receiver_phone": "mail me"}, "receiver_phone"),
        ({"notes": 7}, "notes"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": "x"}, "metadata"),
        ({"pickup_from": "soon"}, "pickup_from"),
        ({"pickup_from": None}, "pickup_by"),
        ({"external_id": "2"}, "external_id"),
        ({"customer_id": "eve"}, "customer_id"),
        ({"status": "cancelled"}, "status"),
        ({"items": []}, "items"),
        ({"quote_id": "x"}, "quote_id"),
        ({"quote_id": 7}, "quote_id"),
        ({"x" * 500: 1}, "x" * 100),
    ],
)
def test_what_a_new_order_could_not_be_is_refused(
    world: World, patch: dict[str, Any], field: str
) -> None:
    cara = world.customer()
    order = place(world, cara, pickup_by=later(world, 90))
    refused = amend(world, order, cara, **patch)
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")
    assert refused.body["details"]["field"] == field
    assert stored(order).version == 1


@pytest.mark.parametrize("minutes", [-1, 60 * 24 * 30, 85])
def test_windows_that_can_not_be_met_are_refused(world: World, minutes: int) -> None:
    cara = world.customer()
    order = place(world, cara, pickup_by=later(world, 90))
    assert amend(world, order, cara, pickup_from=later(world, minutes)).status == 400
    assert stored(order).version == 1


def test_a_patch_may_come_by_the_media_type_of_its_form(world: World) -> None:
    """RFC 7396 registers one of its own; other bodies are JSON and nothing else."""
    cara = world.customer()
    order = place(world, cara, notes="Ring")
    headers = {"If-Match": '"1"', "content-type": "application/merge-patch+json"}
    path = f"/v1/orders/{order['id']}"
    changed = world.call("PATCH", path, {"notes": None}, cara, headers)
    assert (changed.status, "notes" in changed.body) == (200, False)
    assert world.call("POST", "/v1/orders", {}, cara, headers).status == 415


# If-Match


@pytest.mark.parametrize(
    "etag", ['"1"', "*", ' "1" ', '"7", "1"', 'W/"1", "1"', ',, "1",', '"a,b","1"']
)
def test_the_version_that_was_read_is_changed(world: World, etag: str) -> None:
    cara = world.customer()
    order = place(world, cara)
    assert amend(world, order, cara, etag, notes="x").status == 200


@pytest.mark.parametrize("etag", ['"2"', 'W/"1"', '"01"', '""', '"0", "2"', '"*"'])
def test_another_version_is_not(world: World, etag: str) -> None:
    """RFC 9110, 13.1.1: a weak tag is never the one."""
    cara = world.customer()
    order = place(world, cara)
    refused = amend(world, order, cara, etag, notes="x")
    assert (refused.status, refused.body["error"]) == (412, "precondition_failed")
    assert stored(order).version == 1


@pytest.mark.parametrize(
    "etag", ["", "1", '"1 "', '"1', '"1" "2"', "W/1", '*, "1"', 'w/"1"', "'1'"]
)
def test_what_is_no_entity_tag_is_refused(world: World, etag: str) -> None:
    cara = world.customer()
    order = place(world, cara)
    assert amend(world, order, cara, etag, notes="x").status == 400
    assert stored(order).version == 1


def test_a_list_of_versions_may_come_in_several_lines(world: World) -> None:
    cara = world.customer()
    path = f"/v1/orders/{place(world, cara)['id']}"
    sent = [("content-type", "application/json"), ("authorization", f"Bearer {cara.token}")]
    for mine, status in (('"1"', 200), ('"7"', 412)):
        lines = [*sent, ("If-Match", mine), ("If-Match", '"9"')]
        event = rest_event(ROUTE, "PATCH", path, lines, b'{"notes": "x"}')
        assert world.hand(event).status == status


def test_without_a_version_nothing_is_changed(world: World) -> None:
    cara = world.customer()
    order = place(world, cara)
    refused = amend(world, order, cara, None, notes="x")
    assert (refused.status, refused.body["error"]) == (428, "precondition_required")


def test_who_may_change_it(world: World) -> None:
    cara = world.customer()
    order = place(world, cara)
    assert amend(world, order, world.customer("carl"), notes="x").status == 404
    assert amend(world, order, world.courier(), notes="x").status == 403
    assert amend(world, {"id": 1}, cara, notes="x").status == 404
    assert amend(world, {"id": "nonsense"}, cara, notes="x").status == 404
    assert amend(world, order, world.admin(), notes="x").status == 200
    assert amend(world, order, cara, notes="y").status == 412
    assert amend(world, order, cara, '"2"', notes="y").status == 200


def test_a_patch_that_changes_nothing_writes_nothing(world: World) -> None:
    cara = world.customer()
    order = place(world, cara, notes="x")
    for patch in ({}, {"notes": "x"}, {"metadata": None}, {"pickup_from": order["pickup_from"]}):
        same = amend(world, order, cara, **patch)
        assert (same.status, same.headers["etag"], same.body) == (200, '"1"', order)


def test_pages_of_other_origins_may_patch(world: World) -> None:
    asked = {
        "origin": "https://shop.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization,content-type,if-match",
    }
    answer = world.call("OPTIONS", "/v1/orders/1", headers=asked)
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "If-Match" in answer.headers["access-control-allow-headers"]
    read = world.call(
        "GET", "/v1/orders/1", None, world.customer(), {"origin": "https://a.example"}
    )
    assert "ETag" in read.headers["access-control-expose-headers"]


# Its time


def test_a_later_pickup_is_a_later_search(world: World) -> None:
    cara = world.customer()
    order = place(world, cara, minutes=25)
    assert amend(world, order, cara, pickup_from=later(world, 45)).status == 200
    world.pass_time(6 * 60)  # the timer that was sent for the time before finds nothing to do
    world.sweep()
    assert stored(order).status is Status.SCHEDULED
    pass_hours(world, 19 / 60)
    assert stored(order).status is Status.UNSERVED


def test_an_earlier_pickup_gets_its_own_timer(world: World) -> None:
    cara = world.customer()
    order = place(world, cara, minutes=600)
    assert amend(world, order, cara, pickup_from=later(world, 25)).status == 200
    [message] = [m for m in world.queue.waiting if isinstance(m.wakeup, SearchDue)]
    assert message.due == world.clock.now + timedelta(minutes=5)
    world.courier()
    world.pass_time(5 * 60)
    assert world.order(order["id"]).version == 3


@pytest.mark.parametrize("minutes", [None, 10])
def test_a_pickup_that_is_near_is_searched_at_once(world: World, minutes: int | None) -> None:
    dan, cara = world.courier(), world.customer()
    hers = world.connect(cara)
    order = place(world, cara)
    start = later(world, minutes) if minutes else None
    changed = amend(world, order, cara, pickup_from=start, notes="Ring twice")
    assert (changed.status, changed.body["status"]) == (200, "assigned")
    assert changed.body["notes"] == "Ring twice"
    assert ("pickup_from" in changed.body) is bool(minutes)
    assert stored(order).version == 2
    assert [frame["data"]["status"] for frame in hers.take()] == ["assigned"]
    assert world.step("accept", order["id"], dan).status == 200


def test_a_patch_is_told_to_nobody(world: World) -> None:
    kitchen = Kitchen(world)
    owner, customer = Plain(world, kitchen.owner), Plain(world, kitchen.customer)
    meal = placed(world, kitchen.customer, pickup_from=later(world, 60))
    assert amend(world, meal, kitchen.customer, notes="no onions").status == 200
    pass_hours(world, 39 / 60)
    assert owner.heard() == customer.heard() == []
    pass_hours(world, 1 / 60)
    [(name, told)] = owner.heard()
    assert (name, told["order"]["notes"]) == ("new-order", "no onions")
    assert names(customer.heard()) == ["order-created"]


def test_once_it_is_active_it_is_too_late(world: World) -> None:
    world.courier()
    cara = world.customer()
    order = place(world, cara, minutes=25)
    now = world.place(cara)
    for each in (order, now):
        world.clock.advance(5 * 60)
        for etag in ('"1"', "*", '"9"'):
            refused = amend(world, each, cara, etag, notes="x")
            assert (refused.status, refused.body["error"]) == (409, "invalid_transition")
    world.post(f"/v1/orders/{order['id']}/cancel", by=cara)
    assert amend(world, order, cara, "*", notes="x").status == 409


def test_a_patch_whose_time_has_come_activates_it(world: World) -> None:
    """Nobody has found it yet, and it is too late all the same."""
    cara = world.customer()
    order = place(world, cara)
    world.clock.advance(40 * 60)
    world.courier()
    assert amend(world, order, cara, pickup_from=later(world, 90)).status == 409
    assert stored(order).status is Status.OFFERED


# Races, deaths


def test_of_many_patches_of_one_version_one_is_made(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    world = make_engine_world()
    cara = world.customer()
    order = place(world, cara)

    def change(n: int) -> int:
        return amend(world, order, cara, notes=f"note {n}").status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(change, range(16)))
    assert statuses == [200] + [412] * 15
    assert stored(order).version == 2


def test_a_patch_and_the_activation_at_once(make_engine_world: MakeWorld, engine: Engine) -> None:
    """Either it was patched and becomes active as it is then, or it is too late."""
    world = make_engine_world()
    kitchen = Kitchen(world)
    ids = [placed(world, kitchen.customer, pickup_from=later(world, 21))["id"] for _ in range(6)]
    world.clock.advance(59.9)

    def act(n: int) -> int:
        order = {"id": ids[n // 2]}
        if n % 2:
            return amend(world, order, kitchen.customer, notes="no onions").status
        world.clock.advance(0.05)
        world.waybill.wakeup_handler.handle_wakeup(SearchDue(order["id"], world.clock.now))
        return 0

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(act, range(12)))[1::2]
    world.clock.advance(1)
    for order_id, status in zip(ids, statuses, strict=True):
        order = world.order(order_id)
        assert status in (200, 409)
        assert order.status is Status.PENDING
        assert (order.details.notes == "no onions") == (status == 200)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("minutes", [10, 120])
def test_after_a_death_it_is_patched_or_not(
    make_engine_world: MakeWorld, engine: Engine, when: str, minutes: int
) -> None:
    orders = CrashingProxy(OrderTable(engine.connection))
    world = make_engine_world(orders=orders)
    world.courier()
    cara = world.customer()
    hers = world.connect(cara)
    order = place(world, cara)
    orders.crash_at(when, "commit_order")
    with pytest.raises(Crash):
        amend(world, order, cara, pickup_from=later(world, minutes), notes="x")
    again = amend(world, order, cara, pickup_from=later(world, minutes), notes="x")
    done = 409 if minutes == 10 else 412
    assert again.status == (200 if when == "before" else done)
    assert stored(order).details.notes == "x"
    world.pass_time(10)
    expected = ["assigned"] if minutes == 10 else []
    assert [frame["data"]["status"] for frame in hers.take()] == expected


def test_a_patch_whose_answer_gets_lost_below_is_made_once(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    world = make_engine_world()
    cara = world.customer()
    order = place(world, cara)
    with answers_lost(engine.connection.client, "PutItem") as lost:
        assert amend(world, order, cara, notes="x").status == 200
    assert lost
    assert stored(order).version == 2


# Quotes


@pytest.fixture
def quoted(world: World) -> tuple[World, Someone, Any]:
    """A scheduled order at a quoted price."""
    cara = world.customer()
    start = later(world, 60)
    order = place(world, cara, **ENDS, pickup_from=start, quote_id=quote(world, cara, start))
    return world, cara, order


ENDS = {"dropoff_lat": FAR[0], "dropoff_lng": FAR[1]}


def quote(world: World, by: Someone, start: str, dropoff: tuple[float, float] = FAR) -> str:
    """Get a quote for a delivery from the depot."""
    body = {
        "flow": "delivery",
        "pickup": {"lat": DEPOT[0], "lng": DEPOT[1]},
        "dropoff": {"lat": dropoff[0], "lng": dropoff[1]},
        "pickup_from": start,
    }
    return str(world.post("/v1/quotes", body, by).body["quote_id"])


Quoted = tuple[World, Someone, Any]


def test_what_was_not_quoted_leaves_the_price(quoted: Quoted) -> None:
    world, cara, order = quoted
    changed = amend(world, order, cara, notes="x", dropoff_address="9 Gate Lane")
    assert changed.body["price"] == order["price"]


@pytest.mark.parametrize("patch", ["pickup_from", "dropoff_lat"])
def test_what_was_quoted_is_not_changed_without_a_word_on_the_price(
    quoted: Quoted, patch: str
) -> None:
    world, cara, order = quoted
    value: Any = later(world, 90) if patch == "pickup_from" else FAR[0] - 0.1
    changes: dict[str, Any] = {patch: value}
    refused = amend(world, order, cara, **changes)
    assert (refused.status, refused.body["error"]) == (409, "quote_mismatch")
    assert stored(order).version == 1
    given_up = amend(world, order, cara, **changes, quote_id=None)
    assert given_up.status == 200
    assert "price" not in given_up.body


def test_another_quote_is_taken_for_what_is_changed(quoted: Quoted) -> None:
    world, cara, order = quoted
    start, nearer = later(world, 90), north_of(DEPOT, 3000)
    patch: dict[str, Any] = {"pickup_from": start, "dropoff_lat": nearer[0]}
    wrong = amend(
        world, order, cara, **patch, quote_id=quote(world, cara, later(world, 91), nearer)
    )
    assert wrong.body["error"] == "quote_mismatch"
    good = quote(world, cara, start, nearer)
    changed = amend(world, order, cara, **patch, quote_id=good)
    assert changed.status == 200
    assert changed.body["price"]["total"] < order["price"]["total"]


def test_what_is_being_paid_keeps_its_price(quoted: Quoted) -> None:
    world, cara, order = quoted
    paying = world.post(
        "/v1/payments", {"order_id": order["id"], "method": "upi", "upi_id": "cara@bank"}, cara
    )
    assert paying.status == 201, paying
    nearer: dict[str, Any] = {"dropoff_lat": FAR[0] - 0.1, "quote_id": None}
    refused = amend(world, order, cara, **nearer)
    assert (refused.status, refused.body["error"]) == (409, "conflict")
    assert amend(world, order, cara, notes="x").status == 200


def test_a_ride_at_a_quoted_price_is_told_what_it_costs(world: World) -> None:
    rider = rides.a_rider(world)
    start = later(world, 60)
    body = {
        "flow": "ride",
        "pickup": {"lat": DEPOT[0], "lng": DEPOT[1]},
        "dropoff": {"lat": FAR[0], "lng": FAR[1]},
        "pickup_from": start,
    }
    id_ = world.post("/v1/quotes", body, rider.person).body["quote_id"]
    ride = rider.did("request_ride", **rides.WISH, pickup_from=start)
    far = {"latitude": FAR[0], "longitude": FAR[1]}
    changed = amend(world, {"id": ride["ride_id"]}, rider.person, destination=far, quote_id=id_)
    assert changed.status == 200, changed
    shown = world.get(f"/v1/rides/{ride['ride_id']}", rider.person).body
    assert shown["estimated_fare"] == shown["price"]["total"]
