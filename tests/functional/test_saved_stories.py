"""What the version before began goes on: its orders, its sockets, its mailboxes, its money."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import wiring
from chalicelib.domain.orders.model import Status
from chalicelib.domain.people import Role
from chalicelib.store.counters import CounterTable
from chalicelib.store.tables import CounterRow
from tests.builders import NOW
from tests.functional.conftest import Engine
from tests.functional.feeds import a_feed
from tests.functional.kitchen import Packets, Plain, a_driver, an_owner, names
from tests.functional.rides import enter, locate
from tests.functional.row_stories import hear_provider, pay, place_of
from tests.functional.saved_rows import (
    SavedWorld,
    balance_of,
    connection_id_of,
    near,
    payout_id_of,
    rows_of,
)
from tests.functional.world import log_of


@pytest.fixture
def saved(dynamo: Engine) -> Iterator[SavedWorld]:
    yield SavedWorld(dynamo)
    wiring.use(None)


# Orders go on


def test_an_offer_is_accepted_and_the_order_delivered(saved: SavedWorld) -> None:
    order_id, dan = str(saved.order_of("cara-offered").id), saved.dan("offered")
    hers = saved.connect(saved.customer("cara-offered"))
    for verb in ("accept", "arrived", "picked", "reached", "delivered"):
        assert saved.step(verb, order_id, dan).status == 200, verb
    assert hers.take()[-1]["data"]["status"] == "delivered"
    assert balance_of(saved, "dan-offered") == 50_00


@pytest.mark.parametrize(
    ("name", "verbs"),
    [
        ("accepted", ("arrived", "picked", "delivered")),
        ("at-pickup", ("picked", "delivered")),
        ("in-transit", ("reached", "delivered")),
        ("reached", ("delivered",)),
        ("held", ("delivered",)),
        ("lagging", ("delivered",)),
    ],
)
def test_an_order_goes_on_from_where_it_was(
    saved: SavedWorld, name: str, verbs: tuple[str, ...]
) -> None:
    order_id = str(saved.order_of(f"cara-{name}").id)
    for verb in verbs:
        assert saved.step(verb, order_id, saved.dan(name)).status == 200, verb
    assert saved.order(order_id).status is Status.DONE
    assert balance_of(saved, f"dan-{name}") == 50_00


def test_what_ended_is_shown_and_can_be_tried_again(saved: SavedWorld) -> None:
    for name, status in (("done", "delivered"), ("cancelled", "cancelled")):
        cara = saved.customer(f"cara-{name}")
        order = saved.get(f"/v1/orders/{saved.order_of(cara.id).id}", cara)
        assert (order.status, order.body["status"]) == (200, status)
    cara, dan = saved.customer("cara-unserved"), saved.courier("dan-late", place_of(7))
    order_id = str(saved.order_of(cara.id).id)
    assert saved.post(f"/v1/orders/{order_id}/retry", None, cara).status == 200
    assert saved.step("accept", order_id, dan).status == 200


def test_an_offer_lapses_by_the_message_that_was_sent_for_it(saved: SavedWorld) -> None:
    saved.pass_time(30)
    assert saved.order_of("cara-offered").status is Status.UNSERVED


def test_a_hail_that_searches_finds_a_driver(saved: SavedWorld) -> None:
    dan = saved.courier("dan-new", place_of(11))
    saved.connect(dan, "drivers")
    saved.pass_time(60)
    order = saved.order_of("cara-hail-searching")
    assert (order.status, order.courier_id) == (Status.OFFERED, "dan-new")
    accepted = saved.post(f"/v1/driver/orders/{order.id}/accept", None, dan)
    assert accepted.status == 200


@pytest.mark.parametrize("name", ["offered", "accepted"])
def test_a_hail_goes_on(saved: SavedWorld, name: str) -> None:
    dan, order_id = saved.dan(f"hail-{name}"), str(saved.order_of(f"cara-hail-{name}").id)
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert saved.step(verb, order_id, dan).status == 200, verb


def test_rides_go_on(saved: SavedWorld) -> None:
    for name, events in (
        ("searching", ("accept_ride", "start_ride", "complete_ride")),
        ("accepted", ("start_ride", "complete_ride")),
        ("started", ("complete_ride",)),
    ):
        ride_id = str(saved.order_of(f"rita-{name}").id)
        dora = enter(saved, saved.someone(Role.COURIER, f"dora-{name}"))
        for event in events:
            if event == "start_ride":
                locate(dora, place_of({"searching": 21, "accepted": 22}[name]))
            dora.did(event, ride_id=ride_id)
    trip = saved.order_of("rita-started").trip
    assert trip is not None
    assert trip.distance_m > 300  # the way that was driven before


def test_a_ride_was_rated_once_and_is_paid(saved: SavedWorld) -> None:
    rita, ride_id = saved.customer("rita-done"), str(saved.order_of("rita-done").id)
    again = saved.post("/v1/riders/rate/driver", {"ride_id": ride_id, "rating": 1}, rita)
    assert again.status == 409
    dora = saved.get("/v1/me", saved.someone(Role.COURIER, "dora-done"))
    assert dora.body["rating"] == 4
    paid = saved.post("/v1/riders/payment", {"ride_id": ride_id, "method": "card"}, rita)
    assert paid.status in (200, 201), paid


def test_a_conversation_goes_on_within_its_limit(saved: SavedWorld) -> None:
    rita, ride_id = (
        enter(saved, saved.customer("rita-accepted")),
        saved.order_of("rita-accepted").id,
    )
    found = rita.did("get_ride_chats", ride_id=ride_id)
    assert [chat["message"] for chat in found["chats"]] == [
        f"message {n}" for n in range(3) for _ in range(2)
    ]
    for n in (3, 4):
        rita.did("send_chat_message", ride_id=ride_id, message=f"message {n}")
    refused = rita.ask("send_chat_message", ride_id=ride_id, message="message 5")
    assert refused["code"] == "RATE_LIMITED"


def test_meals_go_on(saved: SavedWorld) -> None:
    owner = Plain(saved, an_owner(saved))
    rest = ("confirmed", "preparing", "ready_for_pickup")
    for done in range(3):
        order_id = saved.order_of(str(1000 + done)).id
        for status in rest[done:]:
            asked = {"orderId": order_id, "status": status}
            assert names(owner.emit("update-order-status", asked))[-1] == "order-updated"
    for customer in ("1000", "1003"):
        driver = Packets(saved, a_driver(saved, f"5{customer}"))
        order_id = saved.order_of(customer).id
        assert "order-accepted" in names(driver.emit("accept-order", {"orderId": order_id}))
    for customer, driver_id, status in (
        ("1004", "456", "delivered"),
        ("1006", "457", "out_for_delivery"),
    ):
        driver = Packets(saved, a_driver(saved, driver_id))
        asked = {"orderId": saved.order_of(customer).id, "status": status}
        assert names(driver.emit("update-order-status", asked))[-1] == "order-updated"


def test_a_restaurant_is_described_as_before(saved: SavedWorld) -> None:
    found = saved.get("/v1/restaurants/789", an_owner(saved))
    assert (found.status, found.body["name"]) == (200, "Soupery")


# Couriers


def test_couriers_are_who_and_where_they_were(saved: SavedWorld) -> None:
    """A free one gets the next order near by, from their next position on: the index has another
    key since. One who holds an order does not."""
    here = {"lat": near(51)["pickup_lat"], "lng": near(51)["pickup_lng"]}
    assert saved.post("/v1/courier/location", here, saved.dan("socket")).status == 200
    order = saved.place(saved.customer("cara-near"), **near(51))
    assert saved.order(order["id"]).courier_id == "dan-socket"
    assert saved.sockets["dan-socket"].take()[-1]["event"] == "order.assigned"
    order = saved.place(saved.customer("cara-busy-place"), **near(1))
    assert saved.order(order["id"]).status is Status.UNSERVED
    away = saved.post("/v1/courier/availability", {"available": False}, saved.dan("accepted"))
    assert away.status == 200


# Money


def test_earnings_stay_and_are_added_to(saved: SavedWorld) -> None:
    saved.pass_time(120)  # the wakeups of deliveries that were booked come once more
    assert balance_of(saved, "dan-done") == 75_00
    assert balance_of(saved, "dan-payout-requested") == 40_00
    dan, cara = saved.dan("payout-requested"), saved.customer("cara-new")
    saved.courier(dan.id, place_of(35))
    order_id = str(saved.place(cara, **near(35))["id"])
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert saved.step(verb, order_id, dan).status == 200, verb
    assert balance_of(saved, "dan-payout-requested") == 90_00


def test_payouts_go_on(saved: SavedWorld) -> None:
    admin, transfer = saved.admin(), {"transaction_id": "t-2"}
    for name in ("requested", "approved", "completed"):
        path = f"/v1/admin/payouts/{payout_id_of(name)}"
        assert saved.post(f"{path}/approve", None, admin).status == 200
        assert saved.post(f"{path}/complete", transfer, admin).body["status"] == "completed"
    other = saved.post(f"{path}/complete", {"transaction_id": "t-3"}, admin)
    assert other.status == 409


def test_payments_go_on(saved: SavedWorld) -> None:
    initiated = f"pay_{saved.order_of('cara-pay-initiated').id}_1"
    hear_provider(saved, initiated, status="completed", transaction_id="t-9")
    failed = saved.order_of("cara-pay-failed").id
    assert pay(saved, saved.customer("cara-pay-failed"), str(failed)) == f"pay_{failed}_2"
    body = {"order_id": str(saved.order_of("cara-pay-completed").id), "method": "upi"}
    assert saved.post("/v1/payments", body, saved.customer("cara-pay-completed")).status == 409


def test_a_failed_payment_is_found_among_the_critical_events(saved: SavedWorld) -> None:
    found = saved.get("/websocket/critical-events", saved.admin())
    assert [event["event_type"] for event in found.body["data"]] == ["payment_failed"]


# Mailboxes


def test_what_waits_is_heard_on_connecting(saved: SavedWorld) -> None:
    heard = saved.connect(saved.customer("cara-away")).take()
    assert [frame["data"]["status"] for frame in heard] == [
        "assigned",
        "accepted",
        "arrived",
        "picked_up",
        "delivered",
    ]


def test_what_waits_for_a_subscription_is_heard_once(saved: SavedWorld) -> None:
    """One order was heard before; the second came while she was away."""
    socket = a_feed(saved, saved.customer("cara-subscribed"), "order_created", "delivery_completed")
    heard = [frame["event_type"] for frame in socket.frames if "event_type" in frame]
    assert heard == ["order_created", "delivery_completed"]


def test_whoever_lagged_behind_is_told_the_rest(saved: SavedWorld) -> None:
    connection_id = connection_id_of("cara-lagging")
    saved.gateway.connect(connection_id)
    saved.pass_time(60)
    frames = saved.gateway.frames(connection_id)
    said = [json.loads(frame)["data"]["status"] for frame in frames]
    assert said == ["arrived", "picked_up"]


def test_what_was_left_to_a_holder_who_died_is_told(saved: SavedWorld) -> None:
    connection_id = connection_id_of("cara-held")
    saved.gateway.connect(connection_id)
    saved.pass_time(60)
    frames = saved.gateway.frames(connection_id)
    said = [json.loads(frame)["data"]["status"] for frame in frames]
    assert said[-2:] == ["arrived", "picked_up"]


def test_a_long_log_is_read_from_its_beginning(saved: SavedWorld) -> None:
    events = log_of("cara-busy")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert sum(event.type == "order_delivered" for event in events) == 12


def test_open_sockets_hear_what_comes(saved: SavedWorld) -> None:
    for customer in ("cara-socket", "cara-feed", "2001"):
        socket = saved.sockets[customer]
        saved.place(saved.customer(customer), **near(60))
        assert socket.take(), customer
    Plain(saved, an_owner(saved))
    assert saved.sockets["77"].say({"event": "get-restaurant-orders"})
    assert saved.sockets["rita-socket"].say({"event": "get_ride_state", "data": {}})


def test_a_socket_that_was_not_greeted_is(saved: SavedWorld) -> None:
    saved.pump()
    assert saved.sockets["dave-ungreeted"].take()


def test_sockets_end_as_they_would_have(saved: SavedWorld) -> None:
    """One that never authenticated, and one whose token ends."""
    saved.pass_time(30)
    assert saved.sockets["nobody"].id in saved.gateway.closed
    saved.pass_time(90)
    assert saved.sockets["cara-ends"].id in saved.gateway.closed


def test_all_that_waited_in_the_queue_is_worked_off(saved: SavedWorld) -> None:
    saved.pass_time(700)  # a message that fails is dead after ten minutes
    assert saved.queue.dead == []


def test_counters_count_on(saved: SavedWorld) -> None:
    was = sum(
        int(value["N"])
        for row in rows_of(CounterRow)
        for name, value in row.items()
        if name.startswith("logged:")
    )
    with ThreadPoolExecutor(2) as pool:
        counters = CounterTable(pool)
        assert sum(count.logged for count in counters.list_counts(NOW.date()).events) == was
        assert saved.step("accept", str(saved.order_of("cara-offered").id), saved.dan("offered"))
        assert sum(count.logged for count in counters.list_counts(NOW.date()).events) > was
