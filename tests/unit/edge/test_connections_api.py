"""Posting to connections: what each answer of @connections means, and what is tried again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.session import Session

from chalicelib.edge.aws.connections_api import ConnectionsApi
from chalicelib.errors import FrameTooLarge, Gone, PostFailed
from tests.unit.edge.scripted import OK, Answer, Peer, a_peer, hangs_up, says

ID = "BFaT_fALIAMCKug="


def answers(status: int) -> Answer:
    return says(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())


def an_api(peer: Peer, sleep: Callable[[float], None] = lambda _: None) -> ConnectionsApi:
    session = Session()
    session.set_credentials("AKID", "secret")
    return ConnectionsApi(peer.url + "/", session, "us-east-1", sleep)


def test_a_post_is_signed_and_names_its_connection_in_the_path() -> None:
    with a_peer() as peer:
        an_api(peer).post_frame(ID, "héllo")
        [[request]] = peer.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /api/@connections/BFaT_fALIAMCKug%3D HTTP/1.1"
    assert any(
        line.startswith("authorization: AWS4-HMAC-SHA256 Credential=AKID/") for line in lines
    )
    assert body.decode() == "héllo"


@pytest.mark.parametrize(
    ("status", "error"),
    [(410, Gone), (413, FrameTooLarge), (403, PostFailed), (302, PostFailed)],
)
def test_a_refusal_is_raised_and_not_tried_again(status: int, error: type[Exception]) -> None:
    with a_peer([answers(status)]) as peer:
        with pytest.raises(error):
            an_api(peer).post_frame(ID, "x")
        assert len(peer.requests[0]) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_throttle_and_a_server_error_are_tried_again_after_growing_pauses(status: int) -> None:
    pauses: list[float] = []
    with a_peer([answers(status), answers(status), says(OK)]) as peer:
        an_api(peer, pauses.append).post_frame(ID, "x")
        assert len(peer.requests[0]) == 3
    assert 0.025 <= pauses[0] <= 0.05 < 0.1 <= pauses[1] <= 0.2


def test_after_four_tries_a_post_has_failed() -> None:
    with a_peer([answers(503)] * 5) as peer:
        with pytest.raises(PostFailed, match="503"):
            an_api(peer).post_frame(ID, "x")
        assert len(peer.requests[0]) == 4


def test_a_peer_that_keeps_hanging_up_has_not_been_reached() -> None:
    with a_peer(*[[hangs_up]] * 4) as peer:
        with pytest.raises(PostFailed, match="reached"):
            an_api(peer).post_frame(ID, "x")
        assert len(peer.requests) == 4


def test_a_connection_is_alive_unless_it_is_gone() -> None:
    with a_peer([says(OK), answers(410), answers(403)]) as peer:
        api = an_api(peer)
        assert [api.is_connected(ID), api.is_connected(ID), api.is_connected(ID)] == [
            True,
            False,
            True,
        ]
        assert peer.requests[0][0].startswith(b"GET /api/@connections/")
    assert api.is_connected(ID)  # nobody answers: that can't be told


def test_closing_a_connection_that_is_gone_is_harmless() -> None:
    closed = says(b"HTTP/1.1 204 No Content\r\n\r\n")
    with a_peer([closed, answers(410)]) as peer:
        api = an_api(peer)
        api.close_connection(ID)
        api.close_connection(ID)
        assert [r.split(b" ")[0] for r in peer.requests[0]] == [b"DELETE", b"DELETE"]
