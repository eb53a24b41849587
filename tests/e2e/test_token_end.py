"""A real socket ends with its token, and a hundred of them give way to one more."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.checked import connect
from tests.e2e.conftest import RunStack, Stack


def test_a_socket_ends_within_eight_seconds_of_its_token(run_stack: RunStack) -> None:
    """The courier's goes on with a newer token."""
    stack = run_stack(ENGINE="moto", JWT_LEEWAY_S="1")
    courier, customer = f"dan-{uuid4().hex[:8]}", f"cara-{uuid4().hex[:8]}"
    short = {"courier": courier, "customer": customer}
    tokens = {role: stack.token(role, id_, valid_s=4) for role, id_ in short.items()}
    ends_at = time.time() + 5
    with ExitStack() as opened:
        sockets = {
            role: opened.enter_context(connect(f"{stack.ws_url}/api/v1/ws/{role}?token={token}"))
            for role, token in tokens.items()
        }
        newer = {"event": "refresh", "data": {"token": stack.token("courier", courier)}}
        sockets["courier"].send(json.dumps(newer))
        assert json.loads(sockets["courier"].recv(timeout=5)) == {"event": "refreshed", "data": {}}
        told = json.loads(sockets["customer"].recv(timeout=15))
        assert told == {"event": "error", "data": {"message": "The token has expired."}}
        with pytest.raises(ConnectionClosed):
            sockets["customer"].recv(timeout=5)
        assert -1 < time.time() - ends_at < 8
        sockets["courier"].send(json.dumps({"event": "dance"}))
        assert json.loads(sockets["courier"].recv(timeout=5))["data"]["message"] != told["data"]


def test_the_longest_silent_of_a_hundred_gives_way_to_one_more(stack: Stack) -> None:
    id_ = f"cara-{uuid4().hex[:8]}"
    url = f"{stack.ws_url}/api/v1/ws/customer?token={stack.token('customer', id_)}"
    with ExitStack() as opened:
        sockets = []
        for n in range(100):  # one by one: at once, most greetings would wait for one mailbox
            sockets.append(opened.enter_context(connect(url)))
            stack.await_listening(id_, n + 1)
        for n, socket in enumerate(sockets):
            if n != 42:
                socket.send("{}")
                assert json.loads(socket.recv(timeout=10))["event"] == "error"
        opened.enter_context(connect(url))
        told = json.loads(sockets[42].recv(timeout=15))
        assert "too many connections" in told["data"]["message"]
        with pytest.raises(ConnectionClosed):
            sockets[42].recv(timeout=10)
        sockets[0].send("{}")
        assert json.loads(sockets[0].recv(timeout=10))["event"] == "error"
