"""The pooled HTTP client, against peers that behave and peers that do not."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chalicelib.edge.aws.wire import MAX_IDLE_S, TRUSTED_S, NoAnswer, Wire
from tests.unit.edge.scripted import OK, Answer, a_peer, hangs_up, says, then_hangs_up

BODY = b"hello"


def send(wire: Wire, body: bytes = BODY) -> int:
    return wire.send_wakeups("POST", "/x", [("host", wire.host)], body)


class HandClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_requests_are_sent_over_one_connection_and_arrive_whole() -> None:
    with a_peer() as peer:
        wire = Wire(peer.url)
        large = b"x" * 200_000
        assert [send(wire), send(wire, large), send(wire, b"")] == [200, 200, 200]
        [seen] = peer.requests
        assert (
            seen[0]
            == (
                f"POST /x HTTP/1.1\r\nhost: {peer.authority}\r\ncontent-length: 5\r\n\r\nhello"
            ).encode()
        )
        assert seen[1].endswith(large)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{}", 410),
        (b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH:0\r\n\r\n", 200),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", 429),
    ],
)
def test_an_answer_with_an_end_leaves_the_connection_for_the_next_request(
    answer: bytes, status: int
) -> None:
    pieces = [answer[i : i + 1] for i in range(len(answer))]
    with a_peer([says(answer), says(*pieces), says(OK)]) as peer:
        wire = Wire(peer.url)
        assert [send(wire), send(wire), send(wire)] == [status, status, 200]
        assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        says(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        says(b"HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        says(b"HTTP/1.0 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
        says(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\nand more"),
        says(b"HTTP/1.1 413 Too Large\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 200_000),
        then_hangs_up(b"HTTP/1.1 413 Too Large\r\n\r\nuntil the end"),
        then_hangs_up(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\nbroken"),
    ],
)
def test_an_answer_without_a_plain_end_counts_and_its_connection_is_not_used_again(
    answer: Answer,
) -> None:
    with a_peer([answer]) as peer:
        wire = Wire(peer.url)
        assert [send(wire), send(wire)] == [413, 200]
        assert len(peer.requests) == 2


def test_a_request_that_finds_its_connection_ended_is_sent_again_on_a_new_one() -> None:
    with a_peer([says(OK), hangs_up]) as peer:
        wire = Wire(peer.url)
        assert [send(wire), send(wire)] == [200, 200]
        assert [len(seen) for seen in peer.requests] == [2, 1]


def test_a_request_is_sent_again_once_only() -> None:
    with a_peer([says(OK), hangs_up], [hangs_up]) as peer:
        wire = Wire(peer.url)
        assert send(wire) == 200
        with pytest.raises(NoAnswer):
            send(wire)
        assert [len(seen) for seen in peer.requests] == [2, 1]


def test_what_was_answered_in_part_is_not_sent_again() -> None:
    with a_peer([says(OK), then_hangs_up(b"HTTP/1.1 2")]) as peer:
        wire = Wire(peer.url)
        assert send(wire) == 200
        with pytest.raises(NoAnswer):
            send(wire)
        assert [len(seen) for seen in peer.requests] == [2]


def test_an_answer_in_pieces_has_no_more_time_than_one_in_one() -> None:
    """The holder of a lease counts on it: services/messaging/mailboxes.py."""

    def dribble(client: socket.socket) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\n", b"content-length: 0\r\n\r\n"):
            threading.Event().wait(0.4)
            client.sendall(piece)

    with a_peer([dribble]) as peer:
        wire = Wire(peer.url, read_timeout_s=0.5)
        with pytest.raises(NoAnswer):
            send(wire)


def test_an_answer_that_does_not_come_in_time_is_not_asked_for_again() -> None:
    over = threading.Event()
    slow = [says(OK), lambda client: over.wait(5)]
    halting = [says(b"HTTP/1.1 200")]
    with a_peer(slow, halting) as peer:
        wire = Wire(peer.url, read_timeout_s=0.05)
        assert send(wire) == 200
        for _ in range(2):
            with pytest.raises(NoAnswer):
                send(wire)
        over.set()
        assert [len(seen) for seen in peer.requests] == [2, 1]


@pytest.mark.parametrize("answer", [hangs_up, says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")])
def test_a_peer_that_does_not_speak_http_is_no_answer(answer: Answer) -> None:
    with a_peer([answer]) as peer, pytest.raises(NoAnswer):
        send(Wire(peer.url))


def test_nobody_there_and_no_endpoint_are_no_answer() -> None:
    with a_peer() as peer:
        url = peer.url
    for wire in (Wire(url), Wire("")):
        with pytest.raises(NoAnswer):
            send(wire)


def test_after_a_while_a_connection_that_said_something_unasked_is_not_used() -> None:
    timeout = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    clock, unasked = HandClock(), threading.Event()

    def answer_twice(client: socket.socket) -> None:
        says(OK)(client)
        unasked.wait(5)
        says(timeout)(client)

    with a_peer([answer_twice]) as peer:
        wire = Wire(peer.url, clock=clock)
        assert send(wire) == 200
        unasked.set()
        peer.ended[0].wait(5)
        clock.now_s += TRUSTED_S
        assert send(wire) == 200
        assert [len(seen) for seen in peer.requests] == [1, 1]


def test_a_connection_that_waited_for_long_is_not_used_and_neither_are_older_ones() -> None:
    clock = HandClock()
    both = threading.Barrier(2)

    def answer_together(client: socket.socket) -> None:
        both.wait(5)
        says(OK)(client)

    with a_peer([answer_together], [answer_together]) as peer:
        wire = Wire(peer.url, clock=clock)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda _: send(wire), range(2)))
        clock.now_s += MAX_IDLE_S
        assert [send(wire), send(wire)] == [200, 200]
        assert [len(seen) for seen in peer.requests] == [1, 1, 2]


def test_threads_share_connections_and_never_one_at_the_same_time() -> None:
    with a_peer() as peer:
        wire = Wire(peer.url)
        with ThreadPoolExecutor(8) as threads:
            bodies = [str(n).encode() * 40 for n in range(400)]
            assert set(threads.map(lambda body: send(wire, body), bodies)) == {200}
        assert len(peer.requests) <= 8
        seen = [request for requests in peer.requests for request in requests]
        assert sorted(r.partition(b"\r\n\r\n")[2] for r in seen) == sorted(bodies)


def test_no_more_connections_wait_than_are_to_be_kept() -> None:
    both = threading.Barrier(2)

    def answer_together(client: socket.socket) -> None:
        both.wait(5)
        says(OK)(client)

    with a_peer([answer_together, says(OK)], [answer_together, says(OK)]) as peer:
        wire = Wire(peer.url, keep=0)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda _: send(wire), range(2)))
        assert all(ended.wait(5) for ended in peer.ended)


def test_a_certificate_is_verified_by_default(tmp_path: Path) -> None:
    served = a_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    with a_peer(tls=served) as peer:
        url = f"https://{peer.authority}/api"
        with pytest.raises(NoAnswer, match="CERTIFICATE_VERIFY_FAILED"):
            send(Wire(url))
        wire = Wire(url, tls=trusting)
        assert [send(wire), send(wire)] == [200, 200]
        assert len(peer.requests[-1]) == 2


def test_a_tls_connection_that_ended_is_replaced(tmp_path: Path) -> None:
    served = a_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    with a_peer([says(OK), hangs_up], tls=served) as peer:
        wire = Wire(f"https://{peer.authority}", tls=trusting)
        assert [send(wire), send(wire)] == [200, 200]
        assert [len(seen) for seen in peer.requests] == [2, 1]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (
            "https://a.execute-api.eu-west-1.amazonaws.com/api",
            "a.execute-api.eu-west-1.amazonaws.com",
        ),
        ("https://h:443", "h"),
        ("https://h:80", "h:80"),
        ("http://h:80/api", "h"),
        ("http://[::1]:8000/api", "[::1]:8000"),
    ],
)
def test_the_host_is_named_as_http_names_it(url: str, host: str) -> None:
    assert Wire(url).host == host


def a_certificate(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1, also written to cert.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
