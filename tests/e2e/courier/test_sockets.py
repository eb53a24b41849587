"""Spec 000's sockets: who gets in, several at once, losing one, coming back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from tests.conftest import PATIENCE_S
from tests.e2e.checked import connect
from tests.e2e.conftest import Stack, wait_for
from tests.e2e.courier.town import Someone, Town, assigned, offer, status

KIB = 1024


def refused_with(url: str, **headers: str) -> int:
    """The status that refuses a handshake."""
    with (
        pytest.raises(InvalidStatus) as refusal,
        connect(url, additional_headers=headers, proxy=None),
    ):
        pass
    return refusal.value.response.status_code


@pytest.mark.parametrize("path", ["courier", "customer"])
def test_nobody_gets_in_without_a_good_token(stack: Stack, path: str) -> None:
    """S0-01 to S0-03: 401, before 101."""
    url = f"{stack.ws_url}/api/v1/ws/{path}"
    expired = stack.token(path, "u1", valid_s=-60)
    foreign = stack.token(path, "u1")[:-4] + "AAAA"
    assert refused_with(url) == 401
    for bad in ("", "x", expired, foreign):
        assert refused_with(f"{url}?token={bad}") == 401
        assert refused_with(url, Authorization=f"Bearer {bad}") == 401


def test_the_role_is_the_tokens_and_a_query_cannot_claim_one(stack: Stack) -> None:
    """S0-03: 403."""
    courier, customer = stack.token("courier", "c1"), stack.token("customer", "u1")
    roleless = stack.token("nobody", "u1")
    for path, token in (
        ("customer", courier),
        ("courier", customer),
        ("courier", roleless),
        ("courier?role=courier", customer),
    ):
        url = f"{stack.ws_url}/api/v1/ws/{path}"
        assert refused_with(url, Authorization=f"Bearer {token}") == 403


def test_a_browsers_token_comes_in_the_query(stack: Stack, town: Town) -> None:
    """S0-03."""
    ana = town.customer()
    url = f"{stack.ws_url}/api/v1/ws/customer?token={ana.token}"
    with connect(url, proxy=None) as client:
        client.send("hello")
        assert "error" in str(client.recv(timeout=PATIENCE_S))


def test_every_socket_of_a_person_hears_everything(town: Town) -> None:
    """S0-06."""
    ben, ana = town.on_duty(), town.customer()
    of_ana, of_ben = ana.open_admitted(3), ben.open_admitted(2)
    order = town.order(ana)
    ben.step("accept", order["id"])
    for ears in of_ben:
        assert ears.next() == offer(town, order)
    for ears in of_ana:
        assert ears.take(2) == [assigned(town, order), status(order["id"], "accepted")]


def test_who_was_away_hears_what_happened_in_order(town: Town) -> None:
    """An event waits for its person; what has been told is not told again."""
    ben, ana = town.on_duty(), town.customer()
    (ears,) = ana.open_admitted()
    order = town.order(ana)
    assert ears.next() == assigned(town, order)
    ears.client.close()
    wait_for(lambda: not ana.listening())
    for step in ("accept", "arrived", "picked"):
        assert ben.step(step, order["id"]).status == 200

    (ears,) = ana.open_admitted()
    assert ears.take(3) == [status(order["id"], w) for w in ("accepted", "arrived", "picked_up")]
    ben.step("delivered", order["id"])
    assert ears.next() == status(order["id"], "delivered")


def test_the_first_frame_waits_until_the_socket_is_open(town: Town) -> None:
    """P-01: posted during $connect it would be lost."""
    ben = town.on_duty()
    order = town.order(town.customer())
    for _ in range(5):
        ears = ben.open()
        assert ears.next() == offer(town, order)
        ears.client.close()


def test_a_killed_client_is_forgotten_and_the_others_are_served(town: Town) -> None:
    """P-02."""
    ben, ana = town.on_duty(), town.customer()
    with listening(ana) as doomed:
        (ears,) = ana.open_admitted()
        wait_for(lambda: len(ana.listening()) == 2)
        os.kill(doomed, signal.SIGKILL)
        order = town.order(ana)
        ben.step("accept", order["id"])
        assert ears.take(2) == [assigned(town, order), status(order["id"], "accepted")]
        wait_for(lambda: len(ana.listening()) == 1)


@contextmanager
def listening(who: Someone) -> Iterator[int]:
    """A client in a process of its own; its pid."""
    url = f"{who.stack.ws_url}/api/v1/ws/{who.role}?token={who.token}"
    process = subprocess.Popen(
        [sys.executable, "-m", "websockets", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("x" * (32 * KIB + 1), id="a frame over 32 KB"),
        pytest.param(["x" * (30 * KIB)] * 5, id="a message over 128 KB"),
    ],
)
def test_what_is_too_large_ends_its_socket_and_no_other(
    town: Town, message: str | list[str]
) -> None:
    """P-10: 1009, as API Gateway does."""
    ana = town.customer()
    loud, quiet = ana.open_admitted(2)
    with suppress(ConnectionClosedError):  # before the last fragment is sent, if it is quick
        loud.client.send(message)
    with pytest.raises(ConnectionClosedError) as closed:
        loud.next()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    order = town.order(ana)
    assert quiet.next() == status(order["id"], "no_nearby_driver")


def test_tokens_are_never_printed(stack: Stack, town: Town) -> None:
    """P-15: neither by the gateway nor by the application, however they came in."""
    ana = town.customer()
    url = f"{stack.ws_url}/api/v1/ws/customer?token={ana.token}"
    with connect(url, proxy=None) as client:
        client.send('{"token": "' + ana.token + '"}')
        client.recv(timeout=PATIENCE_S)
    refused_with(f"{stack.ws_url}/api/v1/ws/courier?token={ana.token}")
    ana.get(f"customer/active-order?token={ana.token}")
    ana.post("orders", {"notes": ana.token})
    wait_for(lambda: stack.logged_last in stack.log())
    header, payload, signature = ana.token.split(".")
    for part in (payload, signature):
        assert part not in stack.log()
    assert f"Bearer {header}" not in stack.log()
