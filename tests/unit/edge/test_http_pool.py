"""The pool of HTTP connections, against peers that behave and peers that do not."""

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

from chalicelib.edge.aws.http_pool import MAX_IDLE_S, HttpPool, NoAnswer
from tests.conftest import PATIENCE_S
from tests.unit.edge.scripted import OK, Answer, a_peer, hangs_up, says, then_hangs_up

BODY = b"hello"


def send(pool: HttpPool, body: bytes = BODY) -> int:
    """Send a request; the status of its answer."""
    status, _ = pool.exchange(("POST", "/x", body, {"host": pool.host}))
    return status


class HandClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_requests_are_sent_over_one_connection_and_arrive_whole() -> None:
    with a_peer() as peer:
        pool = HttpPool(peer.url)
        large = b"x" * 200_000
        assert [send(pool), send(pool, large), send(pool, b"")] == [200, 200, 200]
        [seen] = peer.requests
        head, _, body = seen[0].partition(b"\r\n\r\n")
        first, *lines = head.decode().lower().split("\r\n")
        assert (first, body) == ("post /x http/1.1", BODY)
        assert sorted(lines) == [
            "accept-encoding: identity",
            "content-length: 5",
            f"host: {peer.authority}",
        ]
        assert seen[1].endswith(large)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{}", 410),
        (b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH:0\r\n\r\n", 200),
        (b"HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 413),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", 429),
    ],
)
def test_an_answer_with_an_end_leaves_the_connection_for_the_next_request(
    answer: bytes, status: int
) -> None:
    pieces = [answer[i : i + 1] for i in range(len(answer))]
    with a_peer([says(answer), says(*pieces), says(OK)]) as peer:
        pool = HttpPool(peer.url)
        assert [send(pool), send(pool), send(pool)] == [status, status, 200]
        assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        says(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        then_hangs_up(b"HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nbroken"),
        says(b"HTTP/1.0 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
        says(b"HTTP/1.1 413 Too Large\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 200_000),
        then_hangs_up(b"HTTP/1.1 413 Too Large\r\n\r\nuntil the end"),
        then_hangs_up(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\nbroken"),
    ],
)
def test_an_answer_without_a_plain_end_counts_and_its_connection_is_not_used_again(
    answer: Answer,
) -> None:
    with a_peer([answer]) as peer:
        pool = HttpPool(peer.url)
        assert [send(pool), send(pool)] == [413, 200]
        assert len(peer.requests) == 2


def test_a_request_that_finds_its_connection_ended_is_sent_again_on_a_new_one() -> None:
    with a_peer([says(OK), hangs_up]) as peer:
        pool = HttpPool(peer.url)
        assert [send(pool), send(pool)] == [200, 200]
        assert [len(seen) for seen in peer.requests] == [2, 1]


def test_a_request_is_sent_again_once_only() -> None:
    with a_peer([says(OK), hangs_up], [hangs_up]) as peer:
        pool = HttpPool(peer.url)
        assert send(pool) == 200
        with pytest.raises(NoAnswer):
            send(pool)
        assert [len(seen) for seen in peer.requests] == [2, 1]


def test_what_was_answered_in_part_is_not_sent_again() -> None:
    with a_peer([says(OK), then_hangs_up(b"HTTP/1.1 2")]) as peer:
        pool = HttpPool(peer.url)
        assert send(pool) == 200
        with pytest.raises(NoAnswer):
            send(pool)
        assert [len(seen) for seen in peer.requests] == [2]


def test_an_answer_in_pieces_has_no_more_time_than_one_in_one() -> None:
    """The holder of a lease counts on it: services/messaging/mailboxes.py."""

    def dribble(client: socket.socket) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\n", b"content-length: 0\r\n\r\n"):
            threading.Event().wait(0.4)
            client.sendall(piece)

    with a_peer([dribble]) as peer:
        pool = HttpPool(peer.url, answer_timeout_s=0.5)
        with pytest.raises(NoAnswer):
            send(pool)


def test_an_answer_that_does_not_come_in_time_is_not_asked_for_again() -> None:
    over = threading.Event()
    slow = [says(OK), lambda client: over.wait(PATIENCE_S)]
    halting = [says(b"HTTP/1.1 200")]
    with a_peer(slow, halting) as peer:
        pool = HttpPool(peer.url, answer_timeout_s=0.5)
        assert send(pool) == 200
        for _ in range(2):
            with pytest.raises(NoAnswer):
                send(pool)
        over.set()
        assert [len(seen) for seen in peer.requests] == [2, 1]


@pytest.mark.parametrize("answer", [hangs_up, says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")])
def test_a_peer_that_does_not_speak_http_is_no_answer(answer: Answer) -> None:
    with a_peer([answer]) as peer, pytest.raises(NoAnswer):
        send(HttpPool(peer.url))


def test_nobody_there_and_no_endpoint_are_no_answer() -> None:
    with a_peer() as peer:
        url = peer.url
    for pool in (HttpPool(url), HttpPool("")):
        with pytest.raises(NoAnswer):
            send(pool)


def test_what_follows_an_answer_is_not_taken_for_the_next_one() -> None:
    more = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
    with a_peer([says(OK + more), says(OK)]) as peer:
        pool = HttpPool(peer.url)
        assert [send(pool), send(pool)] == [200, 200]


def test_a_connection_that_said_something_unasked_is_not_used() -> None:
    timeout = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    unasked = threading.Event()

    def answer_twice(client: socket.socket) -> None:
        says(OK)(client)
        unasked.wait(PATIENCE_S)
        says(timeout)(client)

    with a_peer([answer_twice]) as peer:
        pool = HttpPool(peer.url)
        assert send(pool) == 200
        unasked.set()
        peer.ended[0].wait(PATIENCE_S)
        assert send(pool) == 200
        assert [len(seen) for seen in peer.requests] == [1, 1]


def test_a_refusal_counts_that_came_before_all_of_a_large_body_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse_unread() -> None:
            client, _ = listener.accept()
            client.recv(1000)
            says(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")(
                client
            )
            client.close()  # with a reset, as most of the body was not read

        refusing = threading.Thread(target=refuse_unread)
        refusing.start()
        pool = HttpPool(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert send(pool, b"x" * 10_000_000) == 413
        refusing.join()


def test_a_connection_that_waited_for_long_is_not_used_and_neither_are_older_ones() -> None:
    clock = HandClock()
    both = threading.Barrier(2)

    def answer_together(client: socket.socket) -> None:
        both.wait(PATIENCE_S)
        says(OK)(client)

    with a_peer([answer_together], [answer_together]) as peer:
        pool = HttpPool(peer.url, clock=clock)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda _: send(pool), range(2)))
        clock.now_s += MAX_IDLE_S
        assert [send(pool), send(pool)] == [200, 200]
        assert [len(seen) for seen in peer.requests] == [1, 1, 2]


def test_threads_share_connections_and_never_one_at_the_same_time() -> None:
    with a_peer() as peer:
        pool = HttpPool(peer.url)
        with ThreadPoolExecutor(8) as threads:
            bodies = [str(n).encode() * 40 for n in range(400)]
            assert set(threads.map(lambda body: send(pool, body), bodies)) == {200}
        assert len(peer.requests) <= 8
        seen = [request for requests in peer.requests for request in requests]
        assert sorted(r.partition(b"\r\n\r\n")[2] for r in seen) == sorted(bodies)


def test_no_more_connections_wait_than_are_to_be_kept() -> None:
    both = threading.Barrier(2)

    def answer_together(client: socket.socket) -> None:
        both.wait(PATIENCE_S)
        says(OK)(client)

    with a_peer([answer_together, says(OK)], [answer_together, says(OK)]) as peer:
        pool = HttpPool(peer.url, keep=0)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda _: send(pool), range(2)))
        assert all(ended.wait(PATIENCE_S) for ended in peer.ended)


def test_a_certificate_is_verified_by_default(tmp_path: Path) -> None:
    served = a_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    with a_peer(tls=served) as peer:
        url = f"https://{peer.authority}/api"
        with pytest.raises(NoAnswer, match="CERTIFICATE_VERIFY_FAILED"):
            send(HttpPool(url))
        pool = HttpPool(url, tls=trusting)
        assert [send(pool), send(pool)] == [200, 200]
        assert len(peer.requests[-1]) == 2


def test_a_tls_connection_that_ended_is_replaced(tmp_path: Path) -> None:
    served = a_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    with a_peer([says(OK), hangs_up], tls=served) as peer:
        pool = HttpPool(f"https://{peer.authority}", tls=trusting)
        assert [send(pool), send(pool)] == [200, 200]
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
    assert HttpPool(url).host == host


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
