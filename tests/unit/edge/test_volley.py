"""Many requests from one thread, against peers that behave and peers that do not."""

from __future__ import annotations

import threading
import time

import pytest

from chalicelib.edge.aws.volley import volley
from chalicelib.edge.aws.wire import Wire, encoded, length_of
from tests.unit.edge.scripted import OK, a_peer, hangs_up, says, then_hangs_up

GONE = says(b"HTTP/1.1 410 Gone\r\ncontent-length: 2\r\n\r\n{}")
LAST = says(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")


def requests(wire: Wire, count: int) -> list[bytes]:
    bodies = [f"request {n}".encode() for n in range(count)]
    return [encoded("POST", "/x", [("host", wire.host), length_of(b)], b) for b in bodies]


def test_each_request_is_sent_once_and_its_answer_has_its_place() -> None:
    with a_peer([says(OK), GONE] * 50) as peer:
        wire = Wire(peer.url)
        statuses = volley(wire, requests(wire, 60), at_once=1)
        assert statuses == [200, 410] * 30
        assert peer.requests == [requests(wire, 60)]
    assert volley(wire, [], at_once=1) == []


def test_as_many_wait_for_their_answers_as_may_and_no_more() -> None:
    all_there = threading.Barrier(4)

    def together(client: object) -> None:
        all_there.wait(5)
        says(OK)(client)  # type: ignore[arg-type]

    with a_peer(*[[together] * 3] * 4) as peer:
        wire = Wire(peer.url)
        assert volley(wire, requests(wire, 12), at_once=4) == [200] * 12
        assert [len(seen) for seen in peer.requests] == [3] * 4


def test_connections_are_left_to_the_next() -> None:
    with a_peer() as peer:
        wire = Wire(peer.url)
        for _ in range(3):
            assert volley(wire, requests(wire, 20), at_once=4) == [200] * 20
        assert len(peer.requests) <= 4


def test_a_connection_that_ends_takes_one_answer_with_it() -> None:
    with a_peer([says(OK), hangs_up], [then_hangs_up(b"HTTP/1.1 2")], [LAST]) as peer:
        wire = Wire(peer.url)
        assert volley(wire, requests(wire, 5), at_once=1) == [200, 0, 0, 413, 200]


def test_nobody_there_is_found_out_once() -> None:
    with a_peer() as peer:
        url = peer.url
    for wire in (Wire(url), Wire("")):
        assert volley(wire, requests(wire, 5), at_once=4) == [0] * 5


def test_those_that_answer_in_time_count() -> None:
    over = threading.Event()
    with a_peer([says(OK), lambda client: over.wait(5)]) as peer:
        wire = Wire(peer.url, read_timeout_s=0.05)
        began = time.monotonic()
        assert volley(wire, requests(wire, 3), at_once=1) == [200, 0, 200]
        assert time.monotonic() - began < 2
        over.set()


def test_what_can_not_be_made_does_not_leave_connections_behind() -> None:
    def failing() -> object:
        yield requests(wire, 1)[0]
        raise LookupError

    with a_peer() as peer:
        wire = Wire(peer.url)
        with pytest.raises(LookupError):
            volley(wire, failing(), at_once=4)  # type: ignore[arg-type]
        assert all(ended.wait(5) for ended in peer.ended)
