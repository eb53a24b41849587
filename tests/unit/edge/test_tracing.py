"""W3C Trace Context: what is taken, what is ignored, and that it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.edge.threads import ContextPool
from chalicelib.edge.tracing import (
    Invocation,
    Trace,
    begin_trace,
    enter_invocation,
    enter_message,
    get_trace,
    read_headers,
    read_trace,
)

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{ID}-{SPAN}-01"


def test_a_good_parent_is_taken() -> None:
    trace = read_trace(GOOD, "vendor=a, other=b")
    assert trace == Trace(ID, SPAN, 1, "vendor=a, other=b")
    assert trace.parent == GOOD
    child = trace.begin_span()
    assert (child.trace_id, child.state) == (ID, trace.state)
    assert child.span_id != SPAN
    assert read_trace(child.parent) == child._replace(state="")


@pytest.mark.parametrize(
    "parent",
    [
        None,
        "",
        "00",
        GOOD.upper(),
        GOOD + "-00",
        GOOD + "\n",
        f"ff-{ID}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID[:-1]}-{SPAN}-01",
        f"00-{ID}-{SPAN}-1",
        f"00-{ID}-{SPAN}-0x",
        f"00_{ID}_{SPAN}_01",
        f"00-{ID[:-1]}\u0661-{SPAN}-01",
        GOOD * 1000,
    ],
)
def test_a_malformed_parent_is_ignored(parent: str | None) -> None:
    assert read_trace(parent) is None


def test_a_version_to_come_is_read_as_this_one() -> None:
    trace = read_trace(f"cc-{ID}-{SPAN}-ff-what-there-will-be")
    assert trace is not None
    assert trace.parent == GOOD  # of its flags we know one


@pytest.mark.parametrize("state", ["a" * 513, "a=\u00e9", "a=b\r\nx: y", "a\x00"])
def test_a_state_that_can_not_be_passed_on_is_dropped_alone(state: str) -> None:
    trace = read_trace(GOOD, state)
    assert trace is not None
    assert trace.make_headers() == {"traceparent": GOOD}


def test_headers_are_read_by_any_case_and_two_parents_are_none() -> None:
    sent = {"TraceParent": [GOOD], "Tracestate": ["a=1", "b=2"]}
    assert read_headers(sent) == Trace(ID, SPAN, 1, "a=1,b=2")
    assert read_headers({"traceparent": [GOOD, GOOD]}) is None
    assert read_headers({}) is None


def test_a_message_is_of_the_trace_that_it_was_sent_in() -> None:
    attributes = {"traceparent": {"stringValue": GOOD, "dataType": "String"}}
    with enter_message({"messageAttributes": attributes}):
        trace = get_trace()
        assert trace is not None
        assert (trace.trace_id, trace.span_id != SPAN) == (ID, True)
    olds: list[dict[str, Any]] = [{}, {"messageAttributes": {}}]
    for older in [*olds, {"messageAttributes": {"traceparent": {}}}]:
        with enter_message(older):
            assert get_trace() is not None
    assert get_trace() is None


def test_threads_do_the_work_of_who_submits_it() -> None:
    ours, theirs = begin_trace(), begin_trace()
    with ContextPool(2) as pool:
        with enter_invocation(Invocation(ours)):
            found = [pool.submit(get_trace), *[pool.submit(get_trace) for _ in range(3)]]
            mapped = list(pool.map(lambda _: get_trace(), range(4)))
        with enter_invocation(Invocation(theirs)):
            other = pool.submit(get_trace)
        outside = pool.submit(get_trace)
    assert {one.result() for one in found} == {ours} == set(mapped)
    assert other.result() == theirs
    assert outside.result() is None
