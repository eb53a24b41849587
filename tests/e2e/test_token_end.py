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
from tests.e2e.courier.town import hear

VALID_S, LEEWAY_S = 8, 1


def test_a_socket_ends_within_eight_seconds_of_its_token(run_stack: RunStack) -> None:
    """The courier's goes on with a newer token."""
    stack = run_stack(ENGINE="moto", JWT_LEEWAY_S=str(LEEWAY_S))
    courier, customer = f"dan-{uuid4().hex[:8]}", f"cara-{uuid4().hex[:8]}"
    short = {"courier": courier, "customer": customer}
    tokens = {role: stack.token(role, id_, valid_s=VALID_S) for role, id_ in short.items()}
    ends_at = time.time() + VALID_S + LEEWAY_S
    with ExitStack() as opened:
        sockets = {
            role: opened.enter_context(connect(f"{stack.ws_url}/api/v1/ws/{role}?token={token}"))
            for role, token in tokens.items()
        }
        newer = {"event": "refresh", "data": {"token": stack.token("courier", courier)}}
        sockets["courier"].send(json.dumps(newer))
        assert hear(sockets["courier"]) == {"event": "refreshed", "data": {}}
        told = hear(sockets["customer"])
        assert told == {"event": "error", "data": {"message": "The token has expired."}}
        with pytest.raises(ConnectionClosed):
            hear(sockets["customer"])
        assert -1 < time.time() - ends_at < 8
        sockets["courier"].send(json.dumps({"event": "dance"}))
        assert hear(sockets["courier"])["data"]["message"] != told["data"]


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
                assert hear(socket)["event"] == "error"
        opened.enter_context(connect(url))
        told = hear(sockets[42])
        assert "too many connections" in told["data"]["message"]
        with pytest.raises(ConnectionClosed):
            hear(sockets[42])
        sockets[0].send("{}")
        assert hear(sockets[0])["event"] == "error"
