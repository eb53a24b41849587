"""Contract `drivers` (spec 004) over real sockets, with a stock WebSocket client."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.e2e.checked import connect
from tests.e2e.conftest import FIRST_NUMBER, Stack, wait_for
from tests.e2e.courier.conftest import HASTY_TTL_S, LATE_S
from tests.e2e.courier.town import METRE, Socket, Someone, Town, a_town

GREETING = ["connection_established", "initial_orders"]
_ids = itertools.count(1_000 + FIRST_NUMBER)


@pytest.fixture
def town(stack: Stack) -> Iterator[Town]:
    """A town on the shared stack."""
    with a_town(stack) as found:
        yield found


def a_driver(town: Town, away_m: float = 100) -> Someone:
    """A driver on duty, so far from the pickup; the id is a number."""
    driver = Someone(town, "driver", str(next(_ids)))
    stay(town, driver, away_m)
    return driver


def stay(town: Town, driver: Someone, away_m: float = 100) -> None:
    """Be on duty there."""
    place = {"lat": town.lat + away_m * METRE, "lng": town.lng}
    assert driver.post("courier/availability", {"available": True, **place}).status == 200


def listen(town: Town, driver: Someone, path: str = "/ws/driver/orders/?token={token}") -> Socket:
    """Open a driver's socket as spec 004 says."""
    url = town.stack.ws_url + path.format(token=driver.token)
    return Socket(town.closing.enter_context(connect(url, proxy=None)))


def hail(town: Town, customer: Someone) -> dict[str, Any]:
    """Place an order here."""
    body = {
        "address_from": "Chorsu",
        "address_to": "Minor",
        "latitude_from": f"{town.lat:.6f}",
        "longitude_from": f"{town.lng:.6f}",
    }
    placed = customer.post("driver-orders", body)
    assert placed.status == 201, placed.body
    return dict(placed.json)


@pytest.mark.parametrize(
    "path",
    [
        "/ws/driver/orders/?token={token}",
        "/ws/driver/orders?token={token}",
        "/ws/driver/orders/{token}",
        "/ws/driver/orders/{token}/",
    ],
)
def test_a_driver_is_greeted_and_then_hears_of_a_new_order(town: Town, path: str) -> None:
    """S4-01, S4-02, S4-04, S4-05, S4-06, S4-08; and P-15: no token in any log."""
    driver = a_driver(town, away_m=2500)
    socket = listen(town, driver, path)
    established, initial = socket.take(2)
    assert [established["type"], initial["type"]] == GREETING
    assert established["driver_id"] == int(driver.id)
    assert initial["orders"] == []
    order = hail(town, town.customer())
    offered = socket.next()
    assert offered["type"] == "new_order"
    assert offered["order"]["id"] == order["id"]
    assert offered["order"]["distance_to_pickup_km"] == 2.5
    socket.say('{"type":"ping"}')
    assert socket.next() == {"type": "pong"}
    assert driver.token not in town.stack.log()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ws/driver/orders/", 401),
        ("/ws/driver/orders/?token=", 401),
        ("/ws/driver/orders/?token=nonsense", 401),
        ("/ws/driver/orders/nonsense", 401),
        ("/ws/driver/orders/?token={token}", 403),
        ("/ws/driver/orders/{token}", 403),
    ],
)
def test_whoever_is_no_driver_gets_no_socket(town: Town, path: str, status: int) -> None:
    """S4-03: the handshake itself is refused."""
    with pytest.raises(InvalidStatus) as refused:
        listen(town, town.customer(), path)
    assert refused.value.response.status_code == status


def test_nonsense_is_answered_and_the_socket_stays_open(town: Town) -> None:
    """S4-13."""
    socket = listen(town, a_driver(town))
    socket.take(2)
    for nonsense in ("{", "[]", '{"type":"fly"}'):
        socket.say(nonsense)
        assert socket.next()["type"] == "error"
    socket.say('{"type":"ping"}')
    assert socket.next() == {"type": "pong"}


def test_a_driver_who_comes_back_finds_the_order_pending(town: Town) -> None:
    """S4-05, S4-12: once, in initial_orders; another driver has nothing."""
    driver, other = a_driver(town), a_driver(town, away_m=900)
    order = hail(town, town.customer())
    for _ in range(2):
        socket = listen(town, driver)
        assert [found["id"] for found in socket.take(2)[1]["orders"]] == [order["id"]]
        socket.client.close()
    assert listen(town, other).take(2)[1]["orders"] == []
    socket = listen(town, driver)
    socket.take(2)
    assert driver.post(f"driver/orders/{order['id']}/decline").status == 200
    assert other.get("driver/orders").json["orders"][0]["id"] == order["id"]
    socket.say('{"type":"ping"}')
    assert socket.next() == {"type": "pong"}


def test_customer_courier_and_driver_share_an_order(town: Town) -> None:
    """P-13: a parcel of spec 000, carried by a driver of spec 004, seen by its customer."""
    driver, ana = a_driver(town), town.customer("ana")
    socket = listen(town, driver)
    socket.take(2)
    (ears,) = ana.open_admitted()
    parcel = town.order(ana)
    assert socket.next()["order"]["id"] == int(parcel["id"])
    assert driver.post(f"driver/orders/{parcel['id']}/accept").status == 200
    for verb in ("arrived", "picked", "delivered"):
        assert driver.step(verb, parcel["id"]).status == 200
    seen = [frame["data"]["status"] for frame in ears.take(5)]
    assert seen == ["assigned", "accepted", "arrived", "picked_up", "delivered"]


def test_a_lapsed_offer_goes_to_the_next_driver(hasty_stack: Stack) -> None:
    """S4-07, S4-09, S4-10: with three seconds to answer instead of five minutes."""
    with a_town(hasty_stack) as town:
        first, second = a_driver(town), a_driver(town, away_m=900)
        old, new = listen(town, first), listen(town, second)
        assert [f["type"] for f in (*old.take(2), *new.take(2))] == GREETING * 2
        began = time.monotonic()
        order = hail(town, town.customer())
        assert old.next()["type"] == "new_order"
        assert old.next() == {
            "type": "order_timeout",
            "order_id": order["id"],
            "message": "Order expired or reassigned to another driver",
        }
        assert HASTY_TTL_S <= time.monotonic() - began <= HASTY_TTL_S + LATE_S
        assert new.next()["order"]["id"] == order["id"]
        wait_for(lambda: second.get("driver/orders").json["orders"] == [])
        assert new.next()["type"] == "order_timeout"
        for socket in (old, new):
            socket.say('{"type":"ping"}')
            assert socket.next() == {"type": "pong"}
