"""The writing half of Durable Streams, which Waybill has not, for a judge who must write to read.

Each stream is the log of a person. What is written to it becomes an event of that person, with the
bytes in a field; what is read of it is Waybill's own answer: its status, its headers, its offsets,
its waiting. Of the body each message's bytes are taken out again, and the stream's content type is
put in the place of JSON's, as all of Waybill's streams are application/json.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from chalicelib.domain import events
from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.settings import Settings
from chalicelib.wiring.application import build_rooms
from chalicelib.wiring.parts import build_parts
from infra.local.tokens import mint_token

JSON = "application/json"
_PATH = "/api/v1/me/events"
_DROPPED = {"connection", "content-length", "content-type", "date", "server", "transfer-encoding"}
_SECURITY = {"X-Content-Type-Options": "nosniff"}
_POLL_S = 40


@dataclass
class Stream:
    """One stream: whose log it is, and what is written to it."""

    person_id: str
    content_type: str
    versions: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def is_json(self) -> bool:
        """True where a body is one message, or an array of them (PROTOCOL.md 9.1.2)."""
        return self.content_type.partition(";")[0].strip().lower() == JSON


class StreamWriter:
    """Writes to people's logs on an engine, and reads them at a URL."""

    def __init__(self, url: str, endpoint: str, secret: str) -> None:
        self._url = url
        self._secret = secret
        settings = Settings(jwt_secret=secret, aws_endpoint=endpoint)
        self._mailboxes = build_rooms(settings, build_parts(settings, {})).messaging.mailboxes
        self._streams: dict[str, Stream] = {}
        self._lock = threading.Lock()

    def create(self, path: str, content_type: str) -> tuple[Stream, bool]:
        """Create a stream; tell whether it is new."""
        with self._lock:
            found = self._streams.get(path)
            if found:
                return found, False
            person_id = f"stream-{len(self._streams)}"
            self._streams[path] = stream = Stream(person_id, content_type)
            return stream, True

    def find(self, path: str) -> Stream | None:
        """Find a stream."""
        return self._streams.get(path)

    def append(self, stream: Stream, body: bytes) -> None:
        """Write a body to a stream."""
        for payload in _split_messages(stream, body):
            version, now = next(stream.versions), datetime.now(timezone.utc)
            name = f"conformance#{stream.person_id}"
            data = {"endpoint_id": base64.b64encode(payload).decode(), "reason": "conformance"}
            event = Event(
                events.WEBHOOK_DISABLED, stream.person_id, name, version, 0, now, data=data
            )
            outbox = Outbox(name, None, (Entry(version, now, (event,)),))
            self._mailboxes.deliver_outbox(stream.person_id, outbox)

    def read(self, stream: Stream, method: str, query: str) -> tuple[int, Mapping[str, str], bytes]:
        """Read a stream as Waybill has it: the status, the headers and the body."""
        request = urllib.request.Request(
            f"{self._url}{_PATH}{'?' if query else ''}{query}",
            method=method,
            headers={"authorization": f"Bearer {self._mint_token(stream.person_id)}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_POLL_S) as answer:
                headers = _pass_headers(answer.headers, stream.content_type)
                return answer.status, headers, _join_messages(stream, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _pass_headers(error.headers, JSON), error.read()

    def _mint_token(self, person_id: str) -> str:
        return mint_token(self._secret, "customer", person_id)


def _pass_headers(headers: Message, content_type: str) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name.lower() not in _DROPPED}
    return {**kept, "Content-Type": content_type}


def _split_messages(stream: Stream, body: bytes) -> list[bytes]:
    if not stream.is_json:
        return [body]
    found = json.loads(body)
    messages = found if isinstance(found, list) else [found]
    return [json.dumps(message).encode() for message in messages]


def _join_messages(stream: Stream, body: bytes) -> bytes:
    if not body:
        return b""
    payloads = [base64.b64decode(event["data"]["endpoint_id"]) for event in json.loads(body)]
    if stream.is_json:
        return b"[" + b",".join(payloads) + b"]"
    return b"".join(payloads)


class StreamServer(ThreadingHTTPServer):
    """Serves a writer's streams on a free port."""

    def __init__(self, writer: StreamWriter) -> None:
        super().__init__(("127.0.0.1", 0), WriterHandler)
        self.writer = writer


class WriterHandler(BaseHTTPRequestHandler):
    """Answers for a StreamServer, by its writer."""

    server: StreamServer
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        content_type = self.headers.get("content-type") or "application/octet-stream"
        stream, is_new = self.server.writer.create(self._path, content_type)
        body = self._read_body()
        if body and is_new:
            self.server.writer.append(stream, body)
        status, headers, _ = self.server.writer.read(stream, "HEAD", "")
        self._answer((201 if is_new else 200) if status == 200 else status, headers, b"")

    def do_POST(self) -> None:
        stream, body = self.server.writer.find(self._path), self._read_body()
        if stream is None or not body or (stream.is_json and body.strip() == b"[]"):
            self._answer(404 if stream is None else 400, _SECURITY, b"")
            return
        self.server.writer.append(stream, body)
        _, headers, _ = self.server.writer.read(stream, "HEAD", "")
        self._answer(204, headers, b"")

    def do_GET(self) -> None:
        stream = self.server.writer.find(self._path)
        if stream is None:
            self._answer(404, _SECURITY, b"")
            return
        self._answer(*self.server.writer.read(stream, self.command, urlsplit(self.path).query))

    do_HEAD = do_GET

    @property
    def _path(self) -> str:
        return urlsplit(self.path).path

    def _read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def serve_streams(writer: StreamWriter) -> Iterator[str]:
    """Serve streams on a free port while a block runs; give their base URL."""
    server = StreamServer(writer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
