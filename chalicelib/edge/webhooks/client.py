"""Posts webhooks to addresses of others, in such a way that none of them is a way in.

 1. The URL is read, and refused unless it is written the one way (urls.py).
 2. Its host is resolved once. Every address must be public (addresses.py), or none is used.
 3. One of these very addresses is connected to. The name is resolved no second time, which might
    give another answer: it is only said, as SNI and Host, and the certificate must be for it.
 4. Redirects are not followed, proxies of the environment not used, and of the answer a little is
    read, by a deadline that holds for all of this.

http.client and ssl do the rest. Clients with more to them (httpx, urllib3) resolve as they connect:
the address would have to be smuggled past them, and they bring what is not wanted here, redirects,
proxies, cookies and pools.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address
from threading import Lock
from typing import Any, cast

from chalicelib.domain.webhooks.delivery import Answer
from chalicelib.edge.tracing import get_trace
from chalicelib.edge.webhooks.addresses import is_public
from chalicelib.edge.webhooks.deadline_socket import (
    DeadlineSocket,
    TooLong,
    compute_time_left,
)
from chalicelib.edge.webhooks.urls import Target, parse_url
from chalicelib.errors import InvalidInput

TIME_LIMIT_S = 15.0  # Standard Webhooks: 15 to 30 s
_RESOLVE_LIMIT_S = 5.0
_CONNECT_LIMIT_S = 5.0  # to one address; there may be another
_MAX_ADDRESSES = 4  # that are tried
_MAX_BODY_BYTES = 4096
_KEPT_BYTES = 1024
_MAX_HEADER_BYTES = 16 * 1024
# Threads: getaddrinfo has no time limit of its own. A name that hangs has one of them, an owner has
# twenty names at most, and others must find one free.
_RESOLVERS = 64

Resolve = Callable[[str], Sequence[str]]
"""Resolves a name into addresses. Raises OSError where there are none."""

Connect = Callable[[tuple[str, int], float], socket.socket]
"""Connects to an address and port, within seconds. Raises OSError."""


class _Refused(Exception):
    """Raised where nothing is sent; the text is the error of the attempt."""


def resolve_by_system(host: str) -> Sequence[str]:
    """Resolve a name as the system does, IPv4 first, as a function has no other way out."""
    found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)
    return sorted(addresses, key=lambda address: ":" in address)


class WebhookClient:
    """Checks URLs of endpoints, and posts to them. Safe under threads.

    `to_loopback` also takes plain http to this machine, for trying things out.
    """

    def __init__(
        self,
        to_loopback: bool = False,
        resolve: Resolve = resolve_by_system,
        connect: Connect = socket.create_connection,
        tls: ssl.SSLContext | None = None,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self._to_loopback = to_loopback
        self._resolve = resolve
        self._connect = connect
        self._tls = tls
        self._time_limit_s = time_limit_s
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolve")
        self._look_ups: dict[str, Future[Sequence[str]]] = {}  # under way, by name
        self._look_ups_lock = Lock()

    def check_url(self, url: str) -> None:
        """Raise InvalidInput for a URL that would not be posted to now."""
        target = parse_url(url, self._to_loopback)
        try:
            self._find_addresses(target, _RESOLVE_LIMIT_S)
        except _Refused as error:
            raise InvalidInput(_EXPLANATIONS[str(error)], field="url") from error

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a body, as a span of the trace that is under way. Never raises what comes of the URL
        or of the other side: `error` says so."""
        began = time.monotonic()
        if trace := get_trace():
            headers = {**headers, **trace.begin_span().make_headers()}
        until = began + self._time_limit_s
        try:
            answer = self._post_until(parse_url(url, self._to_loopback), body, headers, until)
        except (_Refused, InvalidInput) as error:
            answer = Answer(error="url_refused" if isinstance(error, InvalidInput) else str(error))
        except TimeoutError:
            answer = Answer(error="timed_out")
        except ssl.SSLError:
            answer = Answer(error="tls_failed")
        except (HTTPException, ValueError, TooLong):
            answer = Answer(error="bad_answer")
        except OSError:
            answer = Answer(error="not_reachable")
        return answer.with_ms(round((time.monotonic() - began) * 1000))

    def _find_addresses(self, target: Target, within_s: float) -> Sequence[str]:
        """Find where to connect to. Raises _Refused unless all addresses may be."""
        if not target.is_tls:
            return target.addresses
        addresses = target.addresses or self._resolve_within(target.host, within_s)
        if not addresses:
            raise _Refused("not_resolved")
        if not all(is_public(address) for address in addresses):
            raise _Refused("address_refused")
        return addresses

    def _resolve_within(self, host: str, within_s: float) -> Sequence[str]:
        try:
            return self._look_up(host).result(within_s)
        except (OSError, UnicodeError, FutureTimeout) as error:
            raise _Refused("not_resolved") from error

    def _look_up(self, host: str) -> Future[Sequence[str]]:
        """Begin to resolve a name, or join who does: what is known by then is as new."""
        with self._look_ups_lock:
            look_up = self._look_ups.get(host)
            if look_up is None or look_up.done():
                look_up = self._resolvers.submit(self._resolve, host)
                self._look_ups[host] = look_up
        # Here, as it is called at once where all is done: the lock is taken by no thread twice.
        look_up.add_done_callback(lambda done: self._forget_look_up(host, done))
        return look_up

    def _forget_look_up(self, host: str, look_up: Future[Sequence[str]]) -> None:
        with self._look_ups_lock:
            if self._look_ups.get(host) is look_up:
                del self._look_ups[host]

    def _post_until(
        self, target: Target, body: bytes, headers: Mapping[str, str], until: float
    ) -> Answer:
        addresses = self._find_addresses(target, min(_RESOLVE_LIMIT_S, compute_time_left(until)))
        with closing(self._connect_to_any(addresses[:_MAX_ADDRESSES], target.port, until)) as plain:
            if not target.is_tls:
                return _exchange(plain, target, body, headers, until)
            plain.settimeout(compute_time_left(until))
            with closing(
                self._get_tls().wrap_socket(plain, server_hostname=target.host)
            ) as wrapped:
                return _exchange(wrapped, target, body, headers, until)

    def _connect_to_any(self, addresses: Sequence[str], port: int, until: float) -> socket.socket:
        failure: OSError = OSError("there is no address")
        for address in addresses:
            try:
                within_s = min(_CONNECT_LIMIT_S, compute_time_left(until))
                return self._connect((str(ip_address(address)), port), within_s)
            except OSError as error:
                failure = error
        raise failure

    def _get_tls(self) -> ssl.SSLContext:
        """Get the context that verifies against the system's authorities; two threads may each
        make one at first."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._tls


_EXPLANATIONS = {
    "not_resolved": "The URL's host can't be resolved.",
    "address_refused": "The URL's host has an address that is not public.",
}


def _exchange(
    connection: socket.socket, target: Target, body: bytes, headers: Mapping[str, str], until: float
) -> Answer:
    """Send the request and read the answer. Raises OSError, HTTPException, ValueError, TooLong."""
    # Without the port http.client looks for one in the host, and takes the end of an IPv6 address.
    http: Any = HTTPConnection(target.host, target.port)
    http.sock = DeadlineSocket(connection, until, _MAX_HEADER_BYTES + _MAX_BODY_BYTES)
    http.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
    own = {"Host": target.host_header, "Content-Length": str(len(body)), "Connection": "close"}
    for name, value in {**own, **headers}.items():
        http.putheader(name, value)
    http.endheaders(body)
    response = _read_final_head(http.sock)
    kept = b""
    # The status was said, so it counts, though the body may be cut off or of no known form.
    with suppress(HTTPException, ValueError, ConnectionError, TooLong):
        kept = response.read(_MAX_BODY_BYTES)[:_KEPT_BYTES]
    return Answer(
        status=response.status,
        text=kept.decode("utf-8", "replace"),
        retry_after=response.getheader("Retry-After"),
    )


def _read_final_head(connection: Any) -> HTTPResponse:
    """Read an answer up to its body. Interim answers (103 Early Hints) may come before it, and
    http.client passes over 100 alone. Raises as _exchange."""
    while True:
        response: Any = HTTPResponse(connection, method="POST")
        response.begin()
        is_interim = 100 <= response.status < 200
        if not is_interim or response.status == HTTPStatus.SWITCHING_PROTOCOLS:
            return cast(HTTPResponse, response)
        response.fp = None  # it would close what the next one reads from
