"""Clients that say everything at once, as a browser's `onopen` does, on both engines."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed

from tests.conftest import PATIENCE_S
from tests.e2e.checked import connect, urlopen
from tests.e2e.conftest import DEPLOYED, Stack

# As many as it takes to go through the pauses in steps of 2 ms: the orders in which messages can be
# handled are gone through in tests/functional/test_in_a_hurry.py. On moto one call is made at a
# time, so little can overtake; of a deployment each socket is several processes, of 0.3 s of
# processor time each.
TIMES = {"ministack": 25 if DEPLOYED is None else 20, "moto": 5}
AT_ONCE = 4
MOST_APART_S = 0.05

Client = tuple[str, list[str], str]
"""A path, what is sent to it without waiting, and what is in the last answer if all was done."""


class Hurried(NamedTuple):
    """Where clients are in a hurry, and how many of them."""

    stack: Stack
    times: int


@pytest.fixture(scope="module", params=TIMES)
def hurried(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hurried]:
    """A stack on either engine."""
    times = TIMES[request.param]
    if request.param == "ministack":
        yield Hurried(request.getfixturevalue("stack"), times)
        return
    running = Stack(tmp_path_factory.mktemp("moto"), {"ENGINE": "moto"})
    try:
        yield Hurried(running.await_ready(), times)
    finally:
        running.stop()


def somebody(stack: Stack, role: str) -> tuple[str, str]:
    """Somebody new with a profile: id and token."""
    id_ = f"{role}-{uuid4().hex[:8]}"
    token = stack.token(role, id_)
    request = urllib.request.Request(
        f"{stack.url}/api/v1/me",
        method="PUT",
        data=json.dumps({"name": "Sam", "phone": "+911234567890"}).encode(),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    with urlopen(request, timeout=PATIENCE_S):
        return id_, token


def a_subscriber(stack: Stack) -> Client:
    id_, token = somebody(stack, "customer")
    auth = json.dumps({"type": "auth", "token": token, "user_id": id_})
    subscribe = json.dumps({"type": "subscribe", "events": ["order_created"]})
    return "/api/websocket/ws", [auth, subscribe], '"subscribed_events":["order_created"]'


def a_driver(stack: Stack) -> Client:
    _, token = somebody(stack, "driver")
    place = {"latitude": 60.17, "longitude": 24.94}
    said = [
        {"event": "authenticate", "data": {"token": token}},
        {"event": "go_online"},
        {"event": "update_location", "data": place},
    ]
    return "/api/v1/ws/rides", [json.dumps(one) for one in said], "Location updated"


def a_food_courier(stack: Stack) -> Client:
    _, token = somebody(stack, "driver")
    said = [f'40/orders,{{"token":"{token}"}}', '42/orders,1["get-available-orders"]']
    return "/socket.io/?EIO=4&transport=websocket", said, '43/orders,1[{"ok":true}]'


def overtaken(client: Client) -> Client:
    """The same, in the worst order."""
    path, said, done = client
    return path, said[::-1], done


def outcome(stack: Stack, client: Client, apart_s: float) -> str:
    """What came of it: "done", or the last that was heard."""
    path, said, done = client
    heard = ""
    with connect(f"{stack.ws_url}{path}") as socket:
        for text in said:
            socket.send(text)
            time.sleep(apart_s)
        give_up_at = time.monotonic() + PATIENCE_S
        try:
            while time.monotonic() < give_up_at:
                heard = str(socket.recv(timeout=PATIENCE_S))
                if done in heard:
                    return "done"
        except (ConnectionClosed, TimeoutError) as error:
            heard += type(error).__name__
    return heard


MAKERS = pytest.mark.parametrize("make", [a_subscriber, a_driver, a_food_courier])


def outcomes(hurried: Hurried, make: Callable[[], Client]) -> set[str]:
    """What came of the clients, whose messages are 0 to 50 ms apart."""
    stack, times = hurried

    def play(n: int) -> str:
        return outcome(stack, make(), MOST_APART_S * n / times)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return set(pool.map(play, range(times)))


@MAKERS
def test_whoever_does_not_wait_is_served_every_time(
    hurried: Hurried, make: Callable[[Stack], Client]
) -> None:
    assert outcomes(hurried, lambda: make(hurried.stack)) == {"done"}


@MAKERS
def test_whoever_overtakes_himself_is_served_every_time(
    hurried: Hurried, make: Callable[[Stack], Client]
) -> None:
    assert outcomes(hurried, lambda: overtaken(make(hurried.stack))) == {"done"}
