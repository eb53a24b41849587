"""Spec 002 by unmodified Socket.IO clients, over real sockets."""

from __future__ import annotations

import itertools
import json
import urllib.request
from typing import Any

import pytest

from tests.conftest import PATIENCE_S
from tests.e2e.checked import urlopen
from tests.e2e.conftest import FIRST_NUMBER, Stack, wait_for
from tests.e2e.food.conftest import Clients

_numbers = itertools.count(
    2_000_000 + FIRST_NUMBER
)  # other stories of the same stack have other people


def a_number() -> str:
    """An id of one's own: the stack is shared."""
    return str(next(_numbers))


def order_food(stack: Stack, restaurant: str, customer: str) -> dict[str, Any]:
    """Place an order by REST."""
    body = {
        "items": [{"name": "Soup", "quantity": 2, "price": 4.5}],
        "deliveryAddress": "2 Door Street",
    }
    request = urllib.request.Request(
        f"{stack.url}/api/v1/restaurants/{restaurant}/orders",
        data=json.dumps(body).encode(),
        headers={
            "content-type": "application/json",
            "authorization": f"Bearer {stack.token('user', customer)}",
        },
    )
    with urlopen(request, timeout=PATIENCE_S) as answer:
        assert answer.status == 201
        placed: dict[str, Any] = json.load(answer)
    return placed


class Town:
    """A restaurant, its owner and a customer, each at a stock client."""

    def __init__(self, stack: Stack, clients: Clients) -> None:
        self.stack, self.clients = stack, clients
        self.restaurant, self.owner, self.customer = a_number(), a_number(), a_number()
        clients.open(
            "owner", self.url, auth=self.auth("Owner", self.owner, restaurant_ids=[self.restaurant])
        )
        clients.open("customer", self.url, auth=self.auth("user", self.customer))
        clients.next("owner", "connect")
        clients.next("customer", "connect")

    @property
    def url(self) -> str:
        """As the spec's example has it."""
        return f"{self.stack.ws_url}/orders"

    def auth(self, role: str, id_: str, **claims: Any) -> dict[str, str]:
        return {"token": self.stack.token(role, id_, **claims)}

    def driver(self) -> str:
        """A connected driver's name, which is their id."""
        id_ = a_number()
        self.clients.open(id_, self.url, auth=self.auth("driver", id_))
        return id_

    def await_pool(self, drivers: list[str]) -> None:
        """Wait until these hear what is said to the pool: a client is answered before it is in."""
        wait_for(lambda: set(drivers) <= self.stack.room("pool#food"))

    def order(self) -> int:
        """The id of a new order."""
        return int(order_food(self.stack, self.restaurant, self.customer)["id"])

    def update(self, who: str, order_id: int, status: str) -> Any:
        """Update a status; the ack."""
        before = len(self.clients.heard(who, "ack"))
        data = {"orderId": order_id, "status": status}
        self.clients.emit(who, "update-order-status", data, acked=True)
        return self.clients.next(who, "ack", before)

    def made_ready(self) -> int:
        """The id of a new order that is ready to be picked up."""
        order_id = self.order()
        for status in ("confirmed", "preparing", "ready_for_pickup"):
            assert self.update("owner", order_id, status) == {"ok": True}
        return order_id


@pytest.fixture
def town(stack: Stack, clients: Clients) -> Town:
    return Town(stack, clients)


def test_an_order_is_placed_prepared_raced_for_by_15_drivers_and_delivered(town: Town) -> None:
    """S2-01, S2-10 to S2-15, S2-21."""
    clients = town.clients
    drivers = [town.driver() for _ in range(15)]
    for driver in drivers:
        clients.next(driver, "connect")
    town.await_pool(drivers)
    order_id = town.order()
    assert clients.next("customer", "order-created")["order"]["id"] == order_id
    assert clients.next("owner", "new-order")["order"]["status"] == "pending"
    for n, status in enumerate(("confirmed", "preparing", "ready_for_pickup")):
        assert town.update("owner", order_id, status) == {"ok": True}
        assert clients.next("customer", "order-updated", n)["order"]["status"] == status
    for driver in drivers:
        assert clients.next(driver, "new-available-order")["order"]["id"] == order_id
    for driver in drivers:
        clients.emit(driver, "accept-order", {"orderId": order_id}, acked=True)
    answers = {driver: clients.next(driver, "ack") for driver in drivers}
    (winner,) = [driver for driver, answer in answers.items() if answer == {"ok": True}]
    accepted = clients.next(winner, "order-accepted")["order"]
    assert (accepted["status"], accepted["driverId"]) == ("out_for_delivery", int(winner))
    for driver in set(drivers) - {winner}:
        assert clients.next(driver, "error") == {"message": "Order is no longer available."}
        assert clients.next(driver, "order-taken") == {"orderId": order_id}
    assert clients.heard(winner, "order-taken") == []
    assert town.update(winner, order_id, "delivered") == {"ok": True}
    assert clients.next("customer", "order-updated", 4)["order"]["status"] == "delivered"


def test_a_client_that_lost_its_link_comes_back_and_hears_what_it_missed(
    town: Town, stack: Stack
) -> None:
    """S2-05: rooms come from the token at every reconnect."""
    clients = town.clients
    order_id = town.order()
    clients.next("owner", "new-order")
    lost = stack.listening(town.owner)
    clients.do("drop", "owner")
    clients.next("owner", "disconnect")
    wait_for(lambda: not lost & stack.listening(town.owner))  # it has been noticed
    second = town.order()
    clients.next("owner", "connect", after=1)
    assert clients.next("owner", "new-order", after=1)["order"]["id"] == second
    assert town.update("owner", order_id, "confirmed") == {"ok": True}


def test_a_bad_token_is_a_connect_error(town: Town) -> None:
    """S2-03."""
    town.clients.open("stranger", town.url, auth={"token": "nonsense"})
    error = town.clients.next("stranger", "connect_error")
    assert error["message"] == "The token is not valid."


def test_the_token_may_come_in_a_header(town: Town, stack: Stack) -> None:
    """S2-02."""
    token = stack.token("user", a_number())
    town.clients.open("header", town.url, extraHeaders={"authorization": f"Bearer {token}"})
    assert town.clients.next("header", "connect")


def test_binary_data_ends_the_link_and_nothing_else(town: Town) -> None:
    town.clients.do("binary", "customer", event="update-order-status")
    town.clients.next("customer", "disconnect")
    assert town.clients.next("customer", "connect", after=1)


def test_ten_seconds_of_pings_every_two(hasty_stack: Stack, clients: Clients) -> None:
    """S2-02: the server pings, the client answers, and neither gives up."""
    stack = hasty_stack
    clients.open(
        "customer", f"{stack.ws_url}/orders", auth={"token": stack.token("user", a_number())}
    )
    clients.next("customer", "connect")
    wait_for(lambda: len(clients.heard("customer", "ping")) >= 4)
    assert clients.heard("customer", "disconnect") == []


def test_a_client_that_begins_with_long_polling_is_told_what_to_do(
    stack: Stack, clients: Clients
) -> None:
    """Ambiguity f."""
    auth = {"token": stack.token("user", a_number())}
    clients.open("polling", f"{stack.ws_url}/orders", auth=auth, transports=["polling"])
    error = clients.next("polling", "connect_error")
    assert "connect with transports: ['websocket']" in str(error["body"])


def test_a_client_that_tries_all_transports_comes_to_websocket_by_itself(
    stack: Stack, clients: Clients
) -> None:
    """Ambiguity f."""
    clients.open(
        "stubborn",
        f"{stack.ws_url}/orders",
        auth={"token": stack.token("user", a_number())},
        transports=["polling", "websocket"],
        tryAllTransports=True,
    )
    assert clients.next("stubborn", "connect")
