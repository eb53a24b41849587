"""Traces: W3C Trace Context, taken from who calls and passed on with what follows.

A trace is a text in `traceparent`: version, trace id, the id of the span that calls, flags. We keep
no spans: each invocation and each webhook has the id of one, so that the traces of others join up.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
MAX_STATE = 512  # characters, all of it: the least that who passes it on must take
_PARENT = r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
_STATE = r"[\x20-\x7e]{1,512}"
_SAMPLED = 1  # the one flag of version 00 that we know


class Trace(NamedTuple):
    """A trace and the span of it that is under way. `state` is its senders' own, passed on."""

    trace_id: str
    span_id: str
    flags: int = _SAMPLED
    state: str = ""

    @property
    def parent(self) -> str:
        """The value of `traceparent` for what this span calls."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    def begin_span(self) -> Trace:
        """Return the same trace with a new span."""
        return self._replace(span_id=os.urandom(8).hex())

    def make_headers(self) -> dict[str, str]:
        """Make the headers that pass the trace on."""
        return {TRACEPARENT: self.parent, **({TRACESTATE: self.state} if self.state else {})}


class Invocation(NamedTuple):
    """What is known of the work that is under way, as its logs tell it."""

    trace: Trace
    request_id: str = ""
    connection_id: str = ""
    order_id: str = ""


def begin_trace() -> Trace:
    """Return a trace that nobody began before."""
    return Trace(os.urandom(16).hex(), os.urandom(8).hex())


def read_trace(parent: str | None, state: str | None = None) -> Trace | None:
    """Read a trace from the texts of others; None where `traceparent` is none.

    A version to come is read as this one (the spec's rule); a `tracestate` that is too long, or no
    printable ASCII, is dropped alone.
    """
    found = re.fullmatch(_PARENT, parent.strip(" \t")) if parent else None
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
        return None
    if not int(found[2], 16) or not int(found[3], 16):
        return None
    kept = (state or "").strip(" \t")
    kept = kept if re.fullmatch(_STATE, kept) else ""
    return Trace(found[2], found[3], int(found[4], 16) & _SAMPLED, kept)


def read_headers(headers: Mapping[str, list[str]]) -> Trace | None:
    """Read a trace from a request's headers, by name; two `traceparent` are as good as none."""
    named: dict[str, list[str]] = {}
    for name, values in headers.items():
        named.setdefault(name.lower(), []).extend(values)
    parents = named.get(TRACEPARENT, [])
    return (
        read_trace(parents[0], ",".join(named.get(TRACESTATE, []))) if len(parents) == 1 else None
    )


def read_attributes(attributes: Mapping[str, Mapping[str, str]]) -> Trace | None:
    """Read a trace from the attributes of a queue's message, as a Lambda event has them."""
    texts = [attributes.get(name, {}).get("stringValue") for name in (TRACEPARENT, TRACESTATE)]
    return read_trace(*texts)


_current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


def get_invocation() -> Invocation | None:
    """Return the work that is under way in this thread; None outside of any."""
    return _current.get()


def get_trace() -> Trace | None:
    """Return the trace that is under way in this thread, if any."""
    invocation = _current.get()
    return invocation.trace if invocation else None


@contextmanager
def enter_invocation(invocation: Invocation) -> Iterator[None]:
    """Let a block be the work of an invocation."""
    token = _current.set(invocation)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def enter_message(record: Mapping[str, Any]) -> Iterator[None]:
    """Let a block be the handling of a queue's message, a record of a Lambda event: of the trace
    that it was sent in, or, where it names none, as an older version's, of a new one."""
    sent = read_attributes(record.get("messageAttributes", {}))
    trace = sent.begin_span() if sent else begin_trace()
    work = _current.get() or Invocation(trace)
    with enter_invocation(work._replace(trace=trace)):
        yield


def note_connection(connection_id: str | None) -> None:
    """Note which connection the work that is under way is about."""
    invocation = _current.get()
    if invocation and connection_id:
        _current.set(invocation._replace(connection_id=connection_id))


def note_order(order_id: object) -> None:
    """Note which order the work that is under way is about: its logs say so from now on."""
    invocation = _current.get()
    if invocation and order_id is not None:
        _current.set(invocation._replace(order_id=str(order_id)))
