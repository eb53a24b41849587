"""P-15: no token is ever in a log, however things go; nor in an answer or a row."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from pynamodb.models import Model

from chalicelib.edge.logs import JsonFormatter
from chalicelib.errors import FrameTooLarge, PostFailed
from chalicelib.store.compression import unpack_json
from chalicelib.store.tables import MODELS
from infra.local.tokens import mint_token
from tests.conftest import SECRET
from tests.fakes import Clock, RecordingQueue
from tests.functional.conftest import MakeWorld
from tests.functional.test_bad_input import WRONG_BODIES, filled
from tests.functional.world import World, routes

LATE = mint_token(SECRET, "courier", "late", valid_s=-20)
FORGED = mint_token("another-secret-that-is-long-enough-0123456789", "courier", "forged")


def secrets_in(*tokens: str) -> list[str]:
    """The tokens, the claims and the signature of each apart, and the key."""
    return [*tokens, *(part for token in tokens for part in token.split(".")[1:]), SECRET]


def written(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines that are written of what was logged; each is an object, and names no connection."""
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert all(set(json.loads(line)) >= {"time", "level", "message"} for line in lines)
    ours = [line for line in lines if '"chalicelib.' in line]
    assert not [line for line in ours if "socket-" in line or "\n" in line]
    return lines


def readable(row: Model) -> str:
    """All that a row holds, what is packed unpacked."""
    values = [value for typed in row.serialize().values() for value in typed.values()]
    return " ".join(
        unpack_json(value).decode() if isinstance(value, bytes) else repr(value) for value in values
    )


def test_tokens_are_in_no_log_no_answer_and_no_row(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "botocore")  # what the SDK signs is no token of ours
    cara, dan = world.customer(), world.courier()
    answers: list[Any] = []
    hers, his = world.connect(cara), world.connect(None, "courier", query={"token": dan.token})
    for token in (LATE, FORGED, "x"):
        assert world.connect(None, "courier", query={"token": token}).status == 401
        answers.append(world.call("GET", "/v1/me", headers={"authorization": f"Bearer {token}"}))
        assert answers[-1].status == 401
    for contract in world.waybill.contracts:
        for token in (dan.token, LATE):
            world.connect(None, contract, query={"token": token})
    his.say({"event": "authenticate", "data": {"token": dan.token}, "token": dan.token})
    world.gateway.fail(hers.id, PostFailed(), FrameTooLarge())
    order = world.place(cara)
    for verb in ("accept", "accept", "delivered", "arrived", "picked", "delivered"):
        answers.append(world.step(verb, order["id"], dan))
    for method, path in routes():
        for body in WRONG_BODIES.values():
            answers.append(world.call(method, filled(path, "1"), body, cara))
    world.queue.down = True
    answers.append(world.call("POST", "/v1/orders", {"pickup_address": cara.token}, cara))
    world.queue.down = False
    his.lose()
    world.pass_time(60)
    world.sweep()
    printed = capsys.readouterr().out
    assert '"_aws"' in printed
    rows = [readable(row) for model in MODELS for row in model.scan()]
    said = [answer.text for answer in answers] + [frame for _, frame in world.gateway.posted]
    assert caplog.records
    assert [row for row in rows if "1 Depot Road" in row]
    for secret in secrets_in(cara.token, dan.token, LATE, FORGED):
        for text in (caplog.text, printed, *written(caplog), *rows, *said):
            assert secret not in text


class Broken(RecordingQueue):
    """A queue with a fault that nobody thought of."""

    def send_wakeups(self, wakeups: Any) -> None:
        raise RuntimeError("broken")


def test_what_breaks_is_logged_without_the_request(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours is a 500 in the form of all errors; its log has no header in it."""
    world = make_world(queue=Broken(Clock()))
    world.is_sound = False
    cara = world.customer()
    body = {"pickup_address": "a", "dropoff_address": "b", "receiver_phone": "1"}
    answer = world.post("/v1/orders", body, cara)
    assert answer.status == 500
    assert set(answer.body) == {"error", "message"}
    assert "RuntimeError" not in answer.text
    assert "RuntimeError: broken" in caplog.text
    for secret in secrets_in(cara.token):
        assert secret not in caplog.text
