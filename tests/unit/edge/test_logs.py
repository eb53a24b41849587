"""Logs are JSON, a line each, with what is known of the work and without what nobody may know."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from chalicelib.edge.logs import JsonFormatter, hash_connection, scrub
from chalicelib.edge.tracing import Invocation, Trace, enter_invocation

TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


def written(message: str = "a %s", *arguments: Any, **more: Any) -> dict[str, Any]:
    record = logging.getLogger("x").makeRecord(
        "chalicelib.x", logging.WARNING, "x.py", 1, message, arguments, more.pop("exc_info", None)
    )
    vars(record).update(more)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_tells_whose_work_it_is() -> None:
    with enter_invocation(Invocation(TRACE, "r-1", "socket-1=", "1041")):
        line = written("a %s", "b")
    assert line["message"] == "a b"
    assert (line["level"], line["logger"]) == ("WARNING", "chalicelib.x")
    assert line["time"].endswith("Z")
    assert (line["request_id"], line["order_id"]) == ("r-1", "1041")
    assert line["trace_id"] == TRACE.trace_id
    assert line["connection"] == hash_connection("socket-1=")
    assert "socket-1=" not in json.dumps(line)


def test_a_line_outside_of_any_work_has_what_it_says_itself() -> None:
    assert set(written("a")) == {"time", "level", "message", "logger"}
    assert written("a", order_id=5)["order_id"] == "5"
    assert written("a", connection_id="c")["connection"] == hash_connection("c")


def test_an_exception_is_two_fields_of_one_line() -> None:
    try:
        raise ValueError("two\nlines\x00")
    except ValueError as error:
        line = written("it failed", exc_info=(ValueError, error, error.__traceback__))
    assert line["error"] == "ValueError"
    assert "test_logs.py" in line["exception"]
    assert "two\nlines" in line["exception"]


def test_half_a_character_loses_no_line() -> None:
    """Else `logging` writes several on standard error, with all that is taken out here."""
    try:
        raise ValueError("\udcff eyJhbGciOi.x.y")
    except ValueError as error:
        line = written("\ud800 %s", "b", exc_info=(ValueError, error, error.__traceback__))
    assert line["message"] == "\\ud800 b"
    assert line["exception"].endswith("\\udcff (token)")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("GET https://a.b/c?token=x&y=1 failed", "GET https://a.b/c?(query) failed"),
        ("at redis://ada:pass@a.b:1/c?d", "at redis://(user)@a.b:1/c?(query)"),
        ("Bearer abc.def", "Bearer (token)"),
        ("x eyJhbGciOi.eyJzdWIi.c2ln y", "x (token) y"),
        ("call +49 30 1234567 now", "call (phone) now"),
        ("to ana@example.com", "to (address)"),
        ("token=abc", "token=(secret)"),
        ("relay of order#4@5 is left", "relay of order#4@5 is left"),
        ("2031-05-06T07:08:09+00:00", "2031-05-06T07:08:09+00:00"),
        ("@connections answered 500", "@connections answered 500"),
    ],
)
def test_what_nobody_may_know_is_taken_out(text: str, kept: str) -> None:
    assert scrub(text) == kept
