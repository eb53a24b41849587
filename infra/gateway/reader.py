"""Read HTTP/1.1 requests from bytes, by httptools and within AWS's limits; do no I/O.

httptools parses; what is here counts sizes while it does, and refuses what API Gateway refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

from infra.gateway.config import GatewayConfig
from infra.gateway.http_messages import Headers, HttpRequest


@dataclass(frozen=True)
class Refusal:
    """A request that can't be read; the connection ends after the answer.

    `name` is a gateway response type; `status` and `message` say which 4xx.
    """

    name: str
    status: int | None = None
    message: str | None = None


MALFORMED = Refusal("BAD_REQUEST")
NO_HOST = Refusal("BAD_REQUEST", message="Host header is missing or repeated")
URL_TOO_LONG = Refusal("BAD_REQUEST", 414, "Request URI Too Long")
HEAD_TOO_LARGE = Refusal("BAD_REQUEST", 431, "Request Header Fields Too Large")
BODY_TOO_LARGE = Refusal("REQUEST_TOO_LARGE")
EXPECTATION = Refusal("BAD_REQUEST", 417, "Expectation Failed")


class RequestReader:
    """The reader of one connection.

    After an upgrade request `remainder` holds the bytes that follow it; after a Refusal nothing
    more is read.
    """

    def __init__(
        self, config: GatewayConfig, source_ip: str, send_continue: Callable[[], None]
    ) -> None:
        self._config = config
        self._source_ip = source_ip
        self._send_continue = send_continue
        self._parser = httptools.HttpRequestParser(self)
        self._complete: list[HttpRequest | Refusal] = []
        self._refusal: Refusal | None = None
        self._in_head = True
        self._fed = 0
        self._is_over = False
        self.has_upgraded = False
        self.remainder = b""
        self._start_message()

    def feed(self, data: bytes) -> list[HttpRequest | Refusal]:
        """Return what the bytes complete, in order; a Refusal comes last."""
        if self._is_over:
            return []
        # httptools calls back for complete headers only: without this count a client could send one
        # header for ever, and all of it would be kept.
        if self._in_head:
            self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._is_over = self.has_upgraded = True
            self.remainder = data[upgrade.args[0] :]
        except httptools.HttpParserError:
            self._refusal = self._refusal or MALFORMED
        if self._refusal is None and self._in_head:
            self._refusal = self._judge_size(self._fed)
        complete, self._complete = self._complete, []
        if self._refusal is not None:
            self._is_over = True
            complete.append(self._refusal)
        return complete

    def on_message_begin(self) -> None:
        self._start_message()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers of a chunked body are dropped: they must not pass for headers.
        if not self._in_head:
            return
        self._size += len(name) + len(value)
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._refusal = self._refusal or self._judge_head()
        if self._refusal is None and self._expects_continue:
            self._send_continue()

    def on_body(self, body: bytes) -> None:
        self._length += len(body)
        if self._length > self._config.body_limit_bytes:
            self._refusal = self._refusal or BODY_TOO_LARGE
        if self._refusal is None:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._refusal is not None:
            return
        version = self._parser.get_http_version()
        self._complete.append(
            HttpRequest(
                method=self._parser.get_method().decode("ascii"),
                target=_origin_form(self._target.decode("latin-1")),
                headers=self._headers,
                body=b"".join(self._body),
                keep_alive=self._parser.should_keep_alive(),
                is_upgrade=self._parser.should_upgrade(),
                source_ip=self._source_ip,
                version=version,
            )
        )
        self._in_head = True
        self._fed = 0

    def _judge_head(self) -> Refusal | None:
        refusal = self._judge_size(len(self._target) + self._size)
        if refusal is not None:
            return refusal
        hosts = 0
        length = "0"
        self._expects_continue = False
        for name, value in self._headers:
            lowered = name.lower()
            if lowered == "host":
                hosts += 1
            elif lowered == "content-length":
                length = value
            elif lowered == "expect":
                if value.lower() != "100-continue":
                    return EXPECTATION
                self._expects_continue = True
        if hosts > 1 or (hosts == 0 and self._parser.get_http_version() == "1.1"):
            return NO_HOST
        # Refused before a byte of the body is read; the first 19 digits say enough.
        if length.isdigit() and int(length[:19]) > self._config.body_limit_bytes:
            return BODY_TOO_LARGE
        return None

    def _judge_size(self, size: int) -> Refusal | None:
        if size <= self._config.head_limit_bytes:
            return None
        return URL_TOO_LONG if len(self._target) > self._config.url_limit else HEAD_TOO_LARGE

    def _start_message(self) -> None:
        self._target = b""
        self._headers: Headers = []
        self._size = 0
        self._body: list[bytes] = []
        self._length = 0
        self._expects_continue = False


def _origin_form(target: str) -> str:
    """Return the path and query of an absolute-form target; others as they are."""
    if target.startswith(("http://", "https://")):
        parts = urlsplit(target)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return target
