"""A small town of its own for one test: couriers and customers with stock clients.

Towns are far apart, so that tests that share a stack do not take each other's couriers.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from websockets.sync.client import ClientConnection

from tests.conftest import PATIENCE_S
from tests.documents import check_call
from tests.e2e.checked import connect
from tests.e2e.conftest import FIRST_NUMBER, HOME, Stack

SAMPLES = HOME / "tests" / "samples" / "courier"
METRE = 1 / 111_195  # degrees of latitude
_towns = itertools.count(FIRST_NUMBER % 20_000)

Frame = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What REST answered."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Socket:
    """One WebSocket of a person, read frame by frame."""

    def __init__(self, client: ClientConnection) -> None:
        self.client = client

    def next(self, within_s: float = PATIENCE_S) -> Frame:
        """The next frame; fails when none comes in time."""
        return hear(self.client, within_s)

    def take(self, count: int) -> list[Frame]:
        """The next `count` frames."""
        return [self.next() for _ in range(count)]

    def take_until(self, last: Frame) -> list[Frame]:
        """All frames up to and with `last`."""
        taken = [self.next()]
        while taken[-1] != last:
            taken.append(self.next())
        return taken

    def say(self, message: str) -> None:
        """Send a message."""
        self.client.send(message)


def hear(client: ClientConnection, within_s: float = PATIENCE_S) -> Frame:
    """The next frame of a socket, which is in AsyncAPI; fails when none comes in time."""
    text = str(client.recv(timeout=within_s))
    frame: Frame = json.loads(text)
    return frame


class Someone:
    """A person with a token."""

    def __init__(self, town: Town, role: str, person_id: str, **claims: Any) -> None:
        self.id = person_id
        self.role = role
        self.token = town.stack.token(role, person_id, **claims)
        self._town = town

    @property
    def stack(self) -> Stack:
        """Where they are."""
        return self._town.stack

    def move(self, town: Town) -> Someone:
        """The same person elsewhere."""
        self._town = town
        return self

    def open(self) -> Socket:
        """Open a socket, which the town closes in the end."""
        url = f"{self.stack.ws_url}/api/v1/ws/{self.role}"
        headers = {"Authorization": f"Bearer {self.token}"}
        client = connect(url, additional_headers=headers, proxy=None)
        return Socket(self._town.closing.enter_context(client))

    def open_admitted(self, count: int = 1) -> list[Socket]:
        """Open sockets and wait until they hear what is said."""
        sockets = [self.open() for _ in range(count)]
        self.stack.await_listening(self.id, count)
        return sockets

    def listening(self) -> set[str]:
        """This person's connections that hear what is said to them."""
        return self.stack.listening(self.id)

    def get(self, path: str) -> Answer:
        """GET something below /api/v1."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Any = None) -> Answer:
        """POST to something below /api/v1."""
        return self._ask("POST", path, json.dumps(body or {}).encode())

    def put(self, path: str, body: Any) -> Answer:
        """PUT something below /api/v1."""
        return self._ask("PUT", path, json.dumps(body).encode())

    def delete(self, path: str) -> Answer:
        """DELETE something below /api/v1."""
        return self._ask("DELETE", path, None)

    def step(self, name: str, order_id: str) -> Answer:
        """Take one step with an order, as its courier."""
        return self.post(f"courier/orders/{name}", {"order_id": order_id, "courier_id": self.id})

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        scheme, host, *_ = urlsplit(self.stack.url)
        to = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        client = to(host, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        with contextlib.closing(client):
            client.request(method, f"/api/v1/{path}", body, headers)
            response = client.getresponse()
            answer = Answer(response.status, response.read(), dict(response.getheaders()))
        sent = body.decode() if body else None
        check_call(method, f"/api/v1/{path}", answer.status, answer.headers, answer.body, sent)
        return answer


class Town:
    """Where a test happens. Ids are new in every town, and so is the place."""

    def __init__(self, stack: Stack, closing: contextlib.ExitStack) -> None:
        self.stack = stack
        self.closing = closing
        number = next(_towns)
        self.lat, self.lng = -60.0 + number % 120, -170.0 + 2 * (number // 120)
        self.name = uuid4().hex[:8]

    def person(self, role: str, called: str, **claims: Any) -> Someone:
        """Somebody with a token of that role."""
        return Someone(self, role, f"{called}-{self.name}", **claims)

    def customer(self, called: str = "ana", **claims: Any) -> Someone:
        """A customer."""
        return self.person("customer", called, **claims)

    def courier(self, called: str = "ben", **claims: Any) -> Someone:
        """A courier who is off duty."""
        return self.person("courier", called, **claims)

    def on_duty(self, called: str = "ben", away_m: float = 100, **claims: Any) -> Someone:
        """A courier who is available, so far from the pickup."""
        courier = self.courier(called, **claims)
        place = {"lat": self.lat + away_m * METRE, "lng": self.lng}
        assert courier.post("courier/availability", {"available": True, **place}).status == 200
        return courier

    @property
    def coordinates(self) -> dict[str, float]:
        """From here to two kilometres further north."""
        return {
            "pickup_lat": self.lat,
            "pickup_lng": self.lng,
            "dropoff_lat": self.lat + 2000 * METRE,
            "dropoff_lng": self.lng,
        }

    def parcel(self, **changes: Any) -> dict[str, Any]:
        """The body of an order that is picked up here."""
        return {
            k: v
            for k, v in {**read_sample("create_order"), **self.coordinates, **changes}.items()
            if v is not None
        }

    def order(self, customer: Someone, **changes: Any) -> dict[str, Any]:
        """Place an order; the order as it was answered."""
        answer = customer.post("orders", self.parcel(**changes))
        assert answer.status == 201, answer.body
        placed: dict[str, Any] = answer.json
        return placed


@contextlib.contextmanager
def a_town(stack: Stack) -> Iterator[Town]:
    """A town whose sockets are closed in the end."""
    with contextlib.ExitStack() as closing:
        yield Town(stack, closing)


def read_sample(name: str) -> dict[str, Any]:
    """One of the messages of spec 000."""
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


def sample(name: str, **data: Any) -> Frame:
    """One of the frames of spec 000, with other data in it: only what is there may be changed."""
    frame = read_sample(name)
    assert data.keys() <= frame["data"].keys()
    return {**frame, "data": {**frame["data"], **data}}


def status(order_id: str, word: str, **more: Any) -> Frame:
    """A customer's frame."""
    return {"event": "order.status", "data": {"order_id": order_id, "status": word, **more}}


def assigned(town: Town, order: dict[str, Any]) -> Frame:
    """What a customer hears when a courier is asked."""
    return status(order["id"], "assigned", **town.parcel())


def offer(town: Town, order: dict[str, Any]) -> Frame:
    """What the courier hears who is asked."""
    ids = {"order_id": order["id"], "customer_id": order["customer_id"]}
    return {"event": "order.assigned", "data": {**ids, **town.parcel()}}


def to_courier(event: str, order: dict[str, Any]) -> Frame:
    """One of a courier's other frames."""
    return {"event": event, "data": {"order_id": order["id"], "customer_id": order["customer_id"]}}
