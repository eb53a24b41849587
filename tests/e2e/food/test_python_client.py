"""Spec 002 by python-socketio's client, unmodified, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from queue import Queue
from typing import Any

import pytest
import socketio

from tests.conftest import PATIENCE_S
from tests.documents import check_frame
from tests.e2e.conftest import Stack
from tests.e2e.food.test_stock_clients import a_number, order_food
from tests.functional.kitchen import as_in_frames

NAMESPACE = "/orders"


class PythonClient:
    """One client; `heard` takes its events one by one."""

    def __init__(self, stack: Stack, token: str | None, **options: Any) -> None:
        self.client = socketio.Client(reconnection=False)
        self.events: Queue[tuple[str, Any]] = Queue()
        self.client.on("*", self._note, namespace=NAMESPACE)
        self.client.connect(
            stack.url,
            **{
                "auth": {"token": token},
                "transports": ["websocket"],
                "namespaces": [NAMESPACE],
                "wait_timeout": PATIENCE_S,
                **options,
            },
        )

    def _note(self, event: str, data: Any) -> None:
        self.events.put((event, data))

    def heard(self) -> tuple[str, Any]:
        """The next event."""
        event, data = self.events.get(timeout=PATIENCE_S)
        check_frame("socketio", f"42{NAMESPACE},{json.dumps([event, data])}")
        return event, data

    def call(self, event: str, data: Any) -> Any:
        """Emit, and wait for the ack."""
        return self.client.call(event, data, namespace=NAMESPACE, timeout=PATIENCE_S)


@pytest.fixture
def restaurant() -> str:
    return a_number()


@pytest.fixture
def owner(stack: Stack, restaurant: str) -> Iterator[PythonClient]:
    made = PythonClient(stack, stack.token("Owner", a_number(), restaurant_ids=[restaurant]))
    yield made
    made.client.disconnect()


def test_it_connects_hears_and_is_answered(
    stack: Stack, owner: PythonClient, restaurant: str
) -> None:
    """S2-01, S2-02, S2-11, S2-12."""
    order = order_food(stack, restaurant, a_number())
    assert owner.heard() == ("new-order", {"order": as_in_frames(order)})
    asked = {"orderId": order["id"], "status": "confirmed"}
    assert owner.call("update-order-status", asked) == {"ok": True}
    name, data = owner.heard()
    assert (name, data["order"]["status"]) == ("order-updated", "confirmed")
    refused = owner.call("update-order-status", {**asked, "status": "delivered"})
    assert refused == {"error": "Insufficient permissions."}
    assert owner.heard() == ("error", {"message": "Insufficient permissions."})


def test_a_header_lets_it_in(stack: Stack) -> None:
    """S2-02."""
    header = {"Authorization": f"Bearer {stack.token('driver', a_number())}"}
    driver = PythonClient(stack, None, headers=header, auth=None)
    assert driver.call("get-available-orders", {}) == {"ok": True}
    assert driver.heard()[0] == "available-orders"
    driver.client.disconnect()


def test_a_bad_token_is_refused(stack: Stack) -> None:
    """S2-03."""
    with pytest.raises(socketio.exceptions.ConnectionError):
        PythonClient(stack, "nonsense")


def test_long_polling_is_refused(stack: Stack) -> None:
    """Ambiguity f."""
    token = stack.token("driver", a_number())
    with pytest.raises(socketio.exceptions.ConnectionError, match="status code 400"):
        PythonClient(stack, token, transports=["polling"])
