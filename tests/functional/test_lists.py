"""Lists of orders: whose they are, what of them is shown, page by page, in JSON and in CSV."""

from __future__ import annotations

import csv
import io
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import hypothesis
import pytest
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.domain.ids import make_id
from chalicelib.domain.orders.model import Status
from chalicelib.domain.people import Role
from chalicelib.services.orders.lists import MAX_DAYS, MAX_LOOKED_AT
from chalicelib.store.compression import pack
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import ListingRow, OrderRow
from tests.builders import a_job, an_order
from tests.faults import Crash, CrashingProxy, answers_lost
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.hails import hail
from tests.functional.kitchen import Kitchen, an_owner, placed
from tests.functional.rides import a_driver, a_ride, a_rider
from tests.functional.schedules import later, pass_hours
from tests.functional.world import Answer, Someone, World

ORDERS = "/v1/orders"
ALL_ORDERS = "/v1/admin/orders"
CSV = {"Accept": "text/csv"}


def fetch(
    world: World, by: Someone, path: str = ORDERS, headers: Any = None, **query: Any
) -> Answer:
    """Ask for a page."""
    target = f"{path}?{urlencode(query)}" if query else path
    return world.call("GET", target, by=by, headers=headers)


def ids(world: World, by: Someone, path: str = ORDERS, **query: Any) -> list[str]:
    """The ids of a page, as texts."""
    answer = fetch(world, by, path, **query)
    assert answer.status == 200, answer
    return [str(order["id"]) for order in answer.body["orders"]]


def walk(world: World, by: Someone, path: str = ORDERS, **query: Any) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(100):
        answer = fetch(world, by, path, **query, **cursor)
        assert answer.status == 200, answer
        found += [str(order["id"]) for order in answer.body["orders"]]
        if "next_cursor" not in answer.body:
            return found
        cursor = {"cursor": answer.body["next_cursor"]}
    raise AssertionError("a list without an end")


def place(world: World, by: Someone, **changes: Any) -> str:
    """Place a parcel, a millisecond after the last."""
    world.clock.advance(0.001)
    return str(world.place(by, **changes)["id"])


def fill(world: World, orders: int) -> None:
    """Let Cara have so many orders more, which found nobody."""
    table = OrderTable(world.engine.connection)
    for _ in range(orders):
        world.clock.advance(0.001)
        details = a_job(created_at=world.clock.now)
        order = an_order(Status.UNSERVED, id=make_id(world.clock.now), details=details)
        table.add_to_lists(None, order)
        table.commit_order(None, replace(order, updated_at=world.clock.now))


def deliver(world: World, order_id: str, courier: Someone) -> None:
    """Take all steps of a parcel."""
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert world.step(verb, order_id, courier).status == 200


# Who sees what


def test_a_customer_sees_their_own_newest_first_at_once(engine_world: World) -> None:
    world = engine_world
    cara, carl = world.customer("cara"), world.customer("carl")
    assert fetch(world, cara).body == {"orders": []}
    mine = []
    for n in range(20):  # in a second
        mine.append(place(world, cara))
        assert ids(world, cara)[0] == mine[-1], n
    his = place(world, carl)
    assert ids(world, cara) == mine[::-1]
    assert ids(world, carl) == [his]


def test_a_courier_sees_what_they_accepted_and_not_what_is_merely_offered(
    engine_world: World,
) -> None:
    world = engine_world
    cara, dan, eve = world.customer(), world.courier("dan"), world.courier("eve", at=None)
    order = place(world, cara)
    assert world.order(order).courier_id == "dan"
    assert ids(world, dan) == []
    world.step("accept", order, dan)
    assert ids(world, dan) == [order]
    assert ids(world, eve) == []
    body = {"courier_id": "eve"}
    assert world.post(f"/v1/admin/orders/{order}/assign", body, world.admin()).status == 200
    assert (ids(world, dan), ids(world, eve)) == ([], [])  # taken from dan, not yet eve's
    world.step("accept", order, eve)
    assert (ids(world, dan), ids(world, eve)) == ([], [order])
    for verb in ("arrived", "picked", "delivered"):
        world.step(verb, order, eve)
    assert ids(world, eve, status="done") == [order]


def test_a_ride_that_is_handed_back_is_no_longer_its_drivers(make_world: MakeWorld) -> None:
    world = make_world(settings={"reallocate_on_driver_cancel": True})
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    assert ids(world, driver.person) == [ride_id]
    driver.did("cancel_ride", ride_id=ride_id)
    assert ids(world, driver.person) == []
    assert ids(world, rider.person) == [ride_id]


def test_a_merchant_sees_the_orders_of_their_restaurants(engine_world: World) -> None:
    world = engine_world
    kitchen = Kitchen(world)
    one, two = kitchen.place("789"), kitchen.place("790")
    kitchen.place("791")
    both = an_owner(world, "789", "790")
    assert ids(world, both) == [str(two), str(one)]
    assert ids(world, kitchen.owner) == [str(one)]
    assert ids(world, world.someone(Role.MERCHANT, "78")) == []
    assert ids(world, both, limit=1) == [str(two)]
    assert walk(world, both, limit=1) == [str(two), str(one)]
    kitchen.update(one, "cancelled")
    assert ids(world, both, status="done") == [str(one)]
    assert ids(world, both, status="active") == [str(two)]


def test_other_peoples_orders_are_never_shown(world: World) -> None:
    """Not even to somebody of the same id in another role, nor by an admin's parameters."""
    cara, dan = world.customer(), world.courier()
    order = place(world, cara)
    world.step("accept", order, dan)
    assert ids(world, world.customer("dan")) == []
    assert ids(world, world.someone(Role.COURIER, "cara")) == []
    assert ids(world, world.customer("mallory"), customer_id="cara") == []
    assert ids(world, an_owner(world, "cara")) == []


@pytest.mark.parametrize("role", [Role.ADMIN])
def test_admins_have_a_list_of_their_own(world: World, role: Role) -> None:
    assert fetch(world, world.admin()).status == 403
    for other in (Role.CUSTOMER, Role.COURIER, Role.MERCHANT):
        assert fetch(world, world.someone(other, "x"), ALL_ORDERS).status == 403
    assert world.get(ORDERS).status == 401
    assert world.get(ALL_ORDERS).status == 401


def test_each_order_is_shown_in_its_contracts_words(world: World) -> None:
    rider, driver = a_rider(world, "cara"), a_driver(world)
    ride_id = a_ride(rider, driver)
    cara = rider.person
    world.clock.advance(0.001)
    hailed = hail(world, cara)
    world.clock.advance(0.001)
    meal = placed(world, cara, external_id="m-1")
    parcel = place(world, cara, external_id="p-1")
    shown = fetch(world, cara).body["orders"]
    assert [order["flow"] for order in shown] == ["delivery", "food", "hail", "ride"]
    assert shown[0] == {"flow": "delivery", **world.get(f"/v1/orders/{parcel}", cara).body}
    assert shown[1] == {"flow": "food", **meal}
    assert shown[2] == {"flow": "hail", **hailed}
    ride = world.get(f"/v1/rides/{ride_id}", cara).body
    ride.pop("eta_minutes", None)
    ride["driver"].pop("eta", None)
    assert shown[3] == {"flow": "ride", **ride}


# Filters


def test_status_says_which_are_active_and_which_have_ended(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    world.courier("eve")
    done = place(world, cara)
    deliver(world, done, dan)
    active = place(world, cara)
    cancelled = place(world, cara)
    assert world.post(f"/v1/orders/{cancelled}/cancel", by=cara).status == 200
    nowhere = place(world, cara, pickup_lat=0.5, pickup_lng=0.5)
    assert world.order(nowhere).status.value == "unserved"
    assert ids(world, cara, status="active") == [nowhere, active]
    assert ids(world, cara, status="done") == [cancelled, done]
    assert ids(world, cara, status="scheduled") == []
    assert ids(world, cara, status="all") == [nowhere, cancelled, active, done] == ids(world, cara)


def test_what_is_scheduled_is_its_customers_alone_until_its_time(engine_world: World) -> None:
    world = engine_world
    kitchen = Kitchen(world)
    cara, owner, admin = kitchen.customer, kitchen.owner, world.admin()
    now = kitchen.place()
    meal = kitchen.place(pickup_from=later(world, 60))
    called_off = kitchen.place(pickup_from=later(world, 60))
    assert world.post(f"/v1/orders/{called_off}/cancel", by=cara).status == 200
    assert ids(world, cara, status="scheduled") == [str(meal)]
    assert ids(world, cara, status="active") == [str(now)]
    assert ids(world, cara, status="done") == [str(called_off)]
    assert ids(world, admin, ALL_ORDERS, status="scheduled") == [str(meal)]
    assert ids(world, owner) == [str(now)]
    assert ids(world, owner, status="scheduled") == []
    pass_hours(world, 1)
    assert ids(world, cara, status="scheduled") == []
    assert ids(world, owner) == [str(meal), str(now)]
    assert str(meal) in ids(world, owner, status="active")


def test_times_are_from_inclusive_to_exclusive(world: World) -> None:
    cara = world.customer()
    orders, times = [], []
    for _ in range(3):
        world.clock.advance(60)
        times.append(world.clock.now.isoformat().replace("+00:00", "Z"))
        orders.append(str(world.place(cara)["id"]))
    one, two, three = orders
    assert ids(world, cara, **{"from": times[1]}) == [three, two]
    assert ids(world, cara, to=times[1]) == [one]
    assert ids(world, cara, **{"from": times[0], "to": times[2]}) == [two, one]
    assert ids(world, cara, **{"from": times[2], "to": times[0]}) == []
    local = world.clock.now.astimezone().isoformat()
    assert ids(world, cara, **{"from": local}) == [three]
    assert ids(world, cara, **{"from": "0001-01-01T00:00:00Z"}) == orders[::-1]
    assert ids(world, cara, to="9999-12-31T23:59:59.999999Z") == orders[::-1]
    assert ids(world, cara, to="0001-01-01T00:00:00Z") == []
    admin = world.admin()
    assert walk(world, admin, ALL_ORDERS, **{"from": times[1]}) == [three, two]
    assert walk(world, admin, ALL_ORDERS, **{"from": "0001-01-01T00:00:00Z", "to": times[1]}) == [
        one
    ]
    assert ids(world, admin, ALL_ORDERS, to="0001-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "bad",
    [
        {"status": "open"},
        {"status": "ACTIVE"},
        {"status": ""},
        {"from": "yesterday"},
        {"from": "2026-01-27"},
        {"from": "2026-01-27T10:30:00"},
        {"from": "1769500000"},
        {"from": "2026-02-30T10:30:00Z"},
        {"from": "2026-01-27T10:30:00 02:00"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-14:00"},
        {"to": "２026-01-27T10:30:00Z"},
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"limit": "1.5"},
        {"limit": "٣"},
        {"limit": ""},
        {"cursor": ""},
        {"cursor": "x"},
        {"cursor": "A" * 5000},
        {"cursor": "é"},
        {"external_id": "x" * 101},
        {"external_id": "\u200b"},
    ],
)
def test_a_malformed_query_is_refused(world: World, bad: dict[str, str]) -> None:
    answer = fetch(world, world.customer(), **bad)
    assert (answer.status, answer.body["error"]) == (400, "invalid_input"), answer


@pytest.mark.parametrize(
    "bad",
    [
        {"day": "27.01.2026"},
        {"day": "20260127"},
        {"day": "2026-1-27"},
        {"day": "2026-02-30"},
        {"day": ""},
        {"customer_id": "x" * 129},
        {"courier_id": " "},
        {"merchant_id": "a\x00b"},
        {"status": "none"},
        {"cursor": "x"},
    ],
)
def test_a_malformed_query_of_an_admin_is_refused(world: World, bad: dict[str, str]) -> None:
    answer = fetch(world, world.admin(), ALL_ORDERS, **bad)
    assert (answer.status, answer.body["error"]) == (400, "invalid_input"), answer


def test_an_admin_combines_filters(engine_world: World) -> None:
    world = engine_world
    admin, cara, carl, dan = (
        world.admin(),
        world.customer(),
        world.customer("carl"),
        world.courier(),
    )
    first = place(world, cara)
    deliver(world, first, dan)
    day = f"{world.clock.now:%Y-%m-%d}"
    world.clock.advance(timedelta(days=2).total_seconds())
    second, his = place(world, cara), place(world, carl)
    world.clock.advance(0.001)
    meal = str(placed(world, carl)["id"])

    def found(**query: Any) -> list[str]:
        return walk(world, admin, ALL_ORDERS, **query)

    assert found() == [meal, his, second, first]
    assert found(customer_id="cara") == [second, first]
    assert found(courier_id="dan") == [first]
    assert found(merchant_id="789") == [meal]
    assert found(day=day) == [first]
    assert found(day="2031-05-07") == []
    assert found(day="9999-12-31") == found(day="0001-01-01") == []
    assert found(status="done") == [first]
    assert found(status="active", customer_id="carl") == [meal, his]
    assert found(customer_id="carl", merchant_id="789") == [meal]
    assert found(customer_id="cara", merchant_id="789") == []
    assert found(courier_id="dan", customer_id="cara", day=day, status="done") == [first]
    assert found(courier_id="dan", status="active") == []


def test_an_admins_walk_crosses_days_page_by_page(world: World) -> None:
    cara, admin = world.customer(), world.admin()
    orders = []
    for days in (0, 1, 40, 3, 0):
        world.clock.advance(timedelta(days=days).total_seconds())
        orders += [place(world, cara) for _ in range(3)]
    for limit in (1, 2, 4, 100):
        assert walk(world, admin, ALL_ORDERS, limit=limit) == orders[::-1]


def test_an_admins_walk_takes_a_month_of_days_at_once(world: World) -> None:
    admin = world.admin()
    for _ in range(MAX_DAYS + 2):
        world.clock.advance(timedelta(days=1).total_seconds())
        fill(world, 1)
    first = fetch(world, admin, ALL_ORDERS, status="done").body
    assert first["orders"] == []
    second = fetch(world, admin, ALL_ORDERS, status="done", cursor=first["next_cursor"]).body
    assert second == {"orders": []}
    assert len(walk(world, admin, ALL_ORDERS, limit=10)) == MAX_DAYS + 2


ODD_VALUES = st.text(max_size=12) | st.sampled_from(
    ["active", "0", "1", "2031-05-06", "2031-05-06T07:08:09Z", "9999-12-31T23:59:59Z", "cara", "%"]
)
PARAMETERS = ("status", "from", "to", "limit", "cursor", "external_id", "day", "customer_id")


@hypothesis.settings(
    max_examples=150,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(query=st.dictionaries(st.sampled_from(PARAMETERS), ODD_VALUES, max_size=4))
def test_whatever_is_asked_is_answered(world: World, query: dict[str, str]) -> None:
    for by, path in ((world.customer(), ORDERS), (world.admin(), ALL_ORDERS)):
        answer = fetch(world, by, path, **query)
        assert answer.status in (200, 400), answer
        assert answer.status == 200 or answer.body["error"] == "invalid_input"


# Own numbers


def test_an_order_is_found_by_its_external_id(engine_world: World) -> None:
    world = engine_world
    cara, carl, dan = world.customer(), world.customer("carl"), world.courier()
    parcel = place(world, cara, external_id="A-1")
    place(world, cara, external_id="A-2")
    his = place(world, carl, external_id="A-1")
    meal = str(placed(world, cara, external_id="M-1")["id"])
    assert ids(world, cara, external_id="A-1") == [parcel]
    assert ids(world, carl, external_id="A-1") == [his]
    assert ids(world, cara, external_id="M-1") == [meal]
    assert ids(world, carl, external_id="M-1") == []
    assert ids(world, cara, external_id="nothing") == []
    assert ids(world, an_owner(world), external_id="M-1") == [meal]
    assert ids(world, an_owner(world, "790"), external_id="M-1") == []
    assert ids(world, an_owner(world), external_id="A-1") == []
    assert ids(world, cara, external_id="A-1", status="done") == []
    assert ids(world, dan, external_id="A-1") == []
    world.step("accept", parcel, dan)
    assert ids(world, dan, external_id="A-1") == [parcel]


def test_what_has_one_number_in_several_restaurants_is_paged(world: World) -> None:
    cara = world.customer()
    meals = []
    for restaurant in ("789", "790", "791"):
        world.clock.advance(0.001)
        meals.append(str(placed(world, cara, restaurant, external_id="M-1")["id"]))
    assert walk(world, cara, external_id="M-1", limit="1") == meals[::-1]
    assert walk(world, cara, external_id="M-1", limit="2") == meals[::-1]
    assert walk(world, cara, external_id="M-1", limit="3", status="active") == meals[::-1]
    assert "next_cursor" not in fetch(world, cara, external_id="M-1", limit="3").body


# Pages


def test_pages_neither_repeat_nor_miss_while_somebody_places(engine_world: World) -> None:
    world = engine_world
    cara = world.customer()
    orders = [place(world, cara) for _ in range(7)]
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = fetch(world, cara, limit=2, **cursor)
        found += [order["id"] for order in answer.body["orders"]]
        if "next_cursor" not in answer.body:
            break
        cursor = {"cursor": answer.body["next_cursor"]}
        place(world, cara)
    assert found == orders[::-1]


def test_a_page_that_ends_the_list_has_no_cursor(world: World) -> None:
    cara = world.customer()
    for _ in range(4):
        place(world, cara)
    assert "next_cursor" not in fetch(world, cara, limit=4).body
    first = fetch(world, cara, limit=2).body
    second = fetch(world, cara, limit=2, cursor=first["next_cursor"]).body
    assert (len(first["orders"]), len(second["orders"])) == (2, 2)
    assert "next_cursor" not in second


def test_a_page_has_fifty_and_at_most_a_hundred(world: World) -> None:
    cara = world.customer()
    fill(world, 102)
    assert len(ids(world, cara)) == 50
    assert len(ids(world, cara, limit=100)) == 100
    assert len(ids(world, cara, limit=1000)) == 100
    assert len(ids(world, cara, limit="9" * 5000)) == 100
    assert len(walk(world, cara)) == 102


def test_a_filter_that_fits_little_ends_its_page_early(world: World) -> None:
    cara, admin = world.customer(), world.admin()
    dan = world.courier()
    wanted = place(world, cara)
    deliver(world, wanted, dan)
    fill(world, MAX_LOOKED_AT)
    for by, path in ((cara, ORDERS), (admin, ALL_ORDERS)):
        first = fetch(world, by, path, status="done").body
        assert first["orders"] == []
        assert walk(world, by, path, status="done") == [wanted]


def test_a_cursor_is_good_for_its_caller_and_its_filter_alone(world: World) -> None:
    cara, carl, admin = world.customer(), world.customer("carl"), world.admin()
    for _ in range(3):
        place(world, cara)
        place(world, carl)
    cursor = fetch(world, cara, limit=1, status="active").body["next_cursor"]
    assert len(ids(world, cara, limit=2, status="active", cursor=cursor)) == 2
    assert fetch(world, cara, status="active", cursor=cursor, headers=CSV).status == 200
    all_of_it = fetch(world, admin, ALL_ORDERS, limit=1, status="active").body["next_cursor"]
    last = cursor[-1]
    altered = [
        *(cursor[:n] + chr(ord(cursor[n]) ^ 1) + cursor[n + 1 :] for n in range(len(cursor) - 1)),
        *(cursor[:-1] + c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0189-_" if c != last),
        cursor[:-2],
        cursor + "A",
        cursor + "=",
        "A" + cursor,
        f" {cursor}",
        all_of_it,
    ]
    for bad in altered:
        assert fetch(world, cara, status="active", cursor=bad).status == 400, bad
    for by, query in (
        (carl, {"status": "active"}),
        (world.someone(Role.COURIER, "cara"), {"status": "active"}),
        (cara, {}),
        (cara, {"status": "all"}),
        (cara, {"status": "active", "external_id": "x"}),
    ):
        assert fetch(world, by, **query, cursor=cursor).status == 400
    assert fetch(world, admin, ALL_ORDERS, status="active", cursor=cursor).status == 400


# CSV


def read_csv(answer: Answer) -> list[dict[str, str]]:
    """The rows of a table, by their headings."""
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_a_table_is_paged_by_its_link(world: World) -> None:
    cara = world.customer()
    orders = [place(world, cara) for _ in range(5)]
    found, path = [], f"{ORDERS}?status=active&limit=2"
    for _ in range(3):
        answer = world.call("GET", path, by=cara, headers=CSV)
        found += [row["id"] for row in read_csv(answer)]
        if "link" not in answer.headers:
            break
        target, _, relation = answer.headers["link"].partition("; ")
        assert relation == 'rel="next"'
        path = ORDERS + target.strip("<>")
    assert found == orders[::-1]


def test_a_table_quotes_what_rfc_4180_says_and_has_no_formulas(world: World) -> None:
    cara = world.customer()
    text = 'say "hi", then\nring'
    order = place(world, cara, notes=text, dropoff_address="=HYPERLINK(1)", external_id="@sum")
    place(world, cara, notes="-1+1", dropoff_address="＝1", pickup_lat=-33.8)
    answer = fetch(world, cara, headers=CSV)
    second, first = read_csv(answer)
    assert answer.text.endswith("\r\n")
    assert '"say ""hi"", then\nring"' in answer.text
    assert first["notes"] == text
    assert (first["id"], first["flow"], first["status"]) == (order, "delivery", "no_nearby_driver")
    assert first["dropoff_address"] == "'=HYPERLINK(1)"
    assert first["external_id"] == "'@sum"
    assert first["receiver_phone"] == "'+911234567890"
    assert (second["notes"], second["dropoff_address"]) == ("'-1+1", "'＝1")
    assert second["pickup_lat"] == "-33.8"
    assert first["courier_id"] == first["merchant_id"] == ""


def test_an_empty_table_has_its_headings(world: World) -> None:
    answer = fetch(world, world.customer(), headers=CSV)
    assert answer.text.startswith("id,flow,status,")
    assert answer.text.count("\r\n") == 1
    assert "link" not in answer.headers
    assert fetch(world, world.admin(), ALL_ORDERS, headers=CSV, day="2031-05-06").status == 200


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        ("text/csv", True),
        ("TEXT/CSV; charset=utf-8", True),
        ("text/csv, application/json;q=0.5", True),
        ("text/csv;q=0.5, application/json", False),
        ("text/csv;q=0", False),
        ("text/csv;q=nan", False),
        ("text/csv;q=x", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_a_table_is_for_those_who_ask_for_one(world: World, accept: str, is_csv: bool) -> None:
    answer = fetch(world, world.customer(), headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("text/csv") == is_csv


# Rows that are not as they should be


def test_a_row_that_cant_be_read_hides_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    cara, admin = world.customer(), world.admin()
    one, bad, two = (place(world, cara) for _ in range(3))
    row = OrderRow.get(int(bad))
    row.doc = b"a\xff\xff"
    row.save()
    with caplog.at_level(logging.ERROR):
        assert ids(world, cara) == [two, one]
    assert f"parked: order {bad} can't be read" in caplog.text
    assert walk(world, cara, limit=1) == [two, one]
    assert walk(world, admin, ALL_ORDERS) == [two, one]


def test_an_order_that_cant_be_judged_hides_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    cara = world.customer()
    one, bad = place(world, cara), place(world, cara)
    order = world.order(bad)
    timeless = replace(order.details, created_at=order.details.created_at.replace(tzinfo=None))
    row = OrderRow.get(int(bad))
    row.doc = pack(replace(order, details=timeless))
    row.save()
    with caplog.at_level(logging.ERROR):
        assert ids(world, cara, **{"from": "2026-01-01T00:00:00Z"}) == [one]
    assert f"parked: order {bad} can't be judged" in caplog.text


def test_an_order_of_the_version_before_is_listed_once_it_is_accepted(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order = place(world, cara)
    for row in ListingRow.scan():
        row.delete()
    assert ids(world, cara) == []
    assert world.get(f"/v1/orders/{order}", cara).status == 200
    world.step("accept", order, dan)
    assert ids(world, dan) == [order]


def test_a_crash_before_the_order_is_written_leaves_nothing_to_see(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    orders = CrashingProxy(OrderTable(engine.connection))
    world = make_engine_world(orders=orders)
    cara = world.customer()
    orders.crash_at("after", "commit_order")
    with pytest.raises(Crash):
        place(world, cara)
    assert len(ids(world, cara)) == 1
    ListingRow("customer#cara", 12345, expires=2_000_000_000).save()
    assert len(walk(world, cara, limit=1)) == 1


def test_a_lost_answer_lists_an_order_once(make_engine_world: MakeWorld, engine: Engine) -> None:
    world = make_engine_world()
    cara, dan = world.customer(), world.courier()
    with answers_lost(engine.connection.client, "BatchWriteItem") as lost:
        order = place(world, cara)
    assert lost
    with answers_lost(engine.connection.client, "PutItem"):
        assert world.step("accept", order, dan).status == 200
    assert ids(world, cara) == ids(world, dan) == [order]


def test_what_many_place_at_once_is_all_listed(engine_world: World) -> None:
    world = engine_world
    cara = world.customer()
    with ThreadPoolExecutor(8) as pool:
        orders = list(pool.map(lambda _: world.place(cara)["id"], range(24)))
    assert sorted(walk(world, cara, limit=7)) == sorted(orders)
    assert sorted(walk(world, world.admin(), ALL_ORDERS, limit=7)) == sorted(orders)


# Expiry


def expiry(order_id: str) -> int | None:
    """When an order's row expires."""
    found = OrderRow.get(int(order_id)).expires
    return None if found is None else int(found)


def test_what_has_ended_expires_and_is_not_shown_from_then_on(make_engine_world: MakeWorld) -> None:
    world = make_engine_world(settings={"orders_kept": timedelta(days=10)})
    cara, dan, admin = world.customer(), world.courier(), world.admin()
    order = place(world, cara)
    assert expiry(order) is None
    deliver(world, order, dan)
    kept = timedelta(days=10).total_seconds()
    assert expiry(order) == int(world.clock.now.timestamp() + kept)
    waits = place(world, cara, pickup_lat=None, pickup_lng=None)
    world.clock.advance(kept - 2)
    assert ids(world, cara, status="done") == [order]
    world.clock.advance(3)
    assert ids(world, cara) == [waits]
    assert ids(world, dan) == []
    assert walk(world, admin, ALL_ORDERS) == [waits]
    assert all(row.expires > world.clock.now.timestamp() for row in ListingRow.scan())


def test_a_retry_takes_the_expiry_back(world: World) -> None:
    cara = world.customer()
    order = place(world, cara)
    assert world.order(order).status.value == "unserved"
    assert expiry(order)
    world.courier()
    assert world.post(f"/v1/orders/{order}/retry", by=cara).status == 200
    assert world.order(order).status.value == "offered"
    assert expiry(order) is None
    assert ids(world, cara) == [order]


@pytest.mark.parametrize("odd_id", ["#", "a/b", "ü ß", "customer#cara", "%2F", "'; --", "x" * 128])
def test_people_of_any_id_have_lists(world: World, odd_id: str) -> None:
    who = world.customer(odd_id)
    order = place(world, who)
    assert ids(world, who) == [order]
    path = f"{ALL_ORDERS}?customer_id={quote(odd_id, safe='')}"
    assert [each["id"] for each in world.get(path, world.admin()).body["orders"]] == [order]
