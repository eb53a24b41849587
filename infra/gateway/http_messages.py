"""HTTP requests and responses as plain data, and the bytes of a response."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs

Headers = list[tuple[str, str]]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_REASONS = {status.value: status.phrase for status in HTTPStatus}
# The gateway frames the message itself.
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})


class HeaderError(ValueError):
    """Raised for a response header that can't be sent: it would end or split the message."""


@dataclass
class HttpRequest:
    """One HTTP request. Header names are as the client sent them."""

    method: str
    target: str
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    keep_alive: bool = True
    is_upgrade: bool = False
    source_ip: str = ""
    version: str = "1.1"
    # What the access log calls this request, if not its path: a path may hold a token.
    label: str | None = None

    @property
    def path(self) -> str:
        """The raw path, without the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, list[str]]:
        """Query values by name, decoded, in order."""
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    def find_header(self, name: str) -> str | None:
        """Return the last value of a header, looked up by its lower-case name."""
        found = None
        for key, value in self.headers:
            if key.lower() == name:
                found = value
        return found


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP response."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def serialize(self, *, keep_alive: bool, head_only: bool = False) -> bytes:
        """Return the bytes to send. Raises HeaderError for an unsafe header."""
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unknown')}"]
        lines += _header_lines(self.headers)
        # RFC 9110: no Content-Length with 204.
        if self.status != 204:
            lines.append(f"Content-Length: {len(self.body)}")
        lines.append("Connection: keep-alive" if keep_alive else "Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        return head if head_only or self.status in (204, 304) else head + self.body


def json_response(status: int, body: str, headers: Iterable[tuple[str, str]] = ()) -> HttpResponse:
    """Return a response whose body is JSON text."""
    return HttpResponse(status, body.encode(), (("Content-Type", "application/json"), *headers))


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Raise HeaderError if a header's name or value could break out of its line."""
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or _BAD_VALUE.search(value):
            raise HeaderError(f"response header {name!r} is not safe to send")


def _header_lines(headers: Iterable[tuple[str, str]]) -> Iterable[str]:
    kept = [(name, value) for name, value in headers if name.lower() not in _OWN_HEADERS]
    check_headers(kept)
    return (f"{name}: {value}" for name, value in kept)
