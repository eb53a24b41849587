"""Waybill's own handlers on an engine of their own, with a meter on what they do.

The clock is set, the queue and the gateway only count: what is measured is the application.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from chalice.test import Client

from chalicelib import wiring
from chalicelib.domain.messaging.wakeups import Wakeup, encode_wakeup
from chalicelib.domain.webhooks.registry import EndpointRegistry
from chalicelib.errors import Gone
from chalicelib.settings import Settings
from chalicelib.store.database import bind_tables
from chalicelib.store.webhooks import EndpointTable
from infra.bench.meter import Meter
from infra.local.engine import Ministack
from infra.local.ports import find_free_port
from infra.local.tokens import mint_token
from infra.resources.aws_clients import REGION, make_client
from infra.resources.tables import create_tables

SECRET = "a-secret-of-the-bench-and-nobody-else"
PREFIX = "bench"
HEARTBEAT = timedelta(minutes=8)  # as a stage is deployed

Later = list[tuple[datetime, int, str]]
"""Wakeups: when they are due, in which order they were sent, their bodies."""


class CallRefused(Exception):
    """Raised when a call that was to succeed did not; the text says how it was answered."""


class Stage:
    """People call REST and speak over sockets; time passes when it is told to. `parts` replace
    others of wiring.build()."""

    def __init__(self, endpoint: str, **parts: Any) -> None:
        self.now = datetime.now(timezone.utc)
        self.endpoint = endpoint
        create_tables(make_client("dynamodb", endpoint), PREFIX)
        self.database = bind_tables(PREFIX, REGION, endpoint)
        self.meter = Meter(self.database.client)
        self._later: Later = []
        self._frames: dict[str, list[str]] = {}  # of each open socket
        self._sent = 0
        self._lock = threading.Lock()
        settings = Settings(
            jwt_secret=SECRET, table_prefix=PREFIX, aws_endpoint=endpoint, heartbeat=HEARTBEAT
        )
        self.waybill = wiring.build(
            settings,
            clock=lambda: self.now,
            gateway=self,
            queue=self,
            database=self.database,
            **{"endpoints": NeverAnEndpoint(), **parts},
        )
        wiring.use(self.waybill)
        from app import app  # it reads the environment when it is imported

        self._client = Client(app)

    # People

    def call_rest(
        self,
        method: str,
        path: str,
        token: str,
        body: Any = None,
        more: Mapping[str, str] | None = None,
    ) -> Any:
        """Make a REST call, with `more` headers; return the answer's JSON. Raises CallRefused."""
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        headers |= more or {}
        raw = json.dumps(body or {}).encode() if method != "GET" else b""
        answer = self._client.http.request(method, f"/v1/{path}", headers, raw)
        if answer.status_code >= 400:
            raise CallRefused(f"{method} {path}: {answer.status_code} {answer.body!r}")
        return answer.json_body

    def connect(self, id_: str, contract: str, token: str = "", **query: str) -> None:
        """Open a socket and greet it."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        event = _make_event("CONNECT", id_, int(self.now.timestamp() * 1000))
        event |= {"headers": headers, "queryStringParameters": {"contract": contract, **query}}
        answer = self._client.lambda_.invoke("websocket_connect", event).payload
        if answer["statusCode"] >= 300:
            raise CallRefused(f"{contract}: {answer}")
        self._frames[id_] = []
        self.pass_time(0)

    def send_frame(self, id_: str, message: Mapping[str, Any]) -> list[str]:
        """Send a frame; return the frames that came to the same socket."""
        before = len(self._frames[id_])
        event = {**_make_event("MESSAGE", id_, 0), "body": json.dumps(message)}
        self._client.lambda_.invoke("websocket_message", event)
        return self._frames[id_][before:]

    # Time

    def pass_time(self, seconds: float) -> None:
        """Let time pass; wakeups come when they are due."""
        until = self.now + timedelta(seconds=seconds)
        while due := [message for message in self._later if message[0] <= until]:
            first = min(due)
            self._later.remove(first)
            self.now = max(self.now, first[0])
            self._client.lambda_.invoke("wake", self._client.events.generate_sqs_event([first[2]]))
        self.now = until

    # services.ports.WakeupSender and FrameSender

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        """Keep wakeups until time has passed."""
        sent = list(wakeups)
        self.meter.count_wakeups(len(sent))
        with self._lock:
            for wakeup, delay in sent:
                self._sent += 1
                self._later.append((self.now + delay, self._sent, encode_wakeup(wakeup)))

    def post_frame(self, connection_id: str, frame: str) -> None:
        """Count a post."""
        if connection_id not in self._frames:
            raise Gone(connection_id)
        self._frames[connection_id].append(frame)
        self.meter.count_post()

    def post_frames(self, posts: Sequence[tuple[str, str]]) -> list[Exception | None]:
        """Count posts."""
        open_ = [(id_, frame) for id_, frame in posts if id_ in self._frames]
        for id_, frame in open_:
            self.post_frame(id_, frame)
        return [None if id_ in self._frames else Gone(id_) for id_, _ in posts]

    def is_connected(self, connection_id: str) -> bool:
        """Look whether a socket is open."""
        return connection_id in self._frames

    def get_last_active(self, connection_id: str) -> None:
        """Tell nothing: it is not known here."""

    def close_connection(self, connection_id: str) -> None:
        """End a socket."""
        self._frames.pop(connection_id, None)


class NeverAnEndpoint(EndpointTable):
    """The registry of a stage that never had an endpoint. A process reads it twice a minute, which
    is no order's cost."""

    def __init__(self) -> None:
        """Need no table."""

    def get_registry(self) -> EndpointRegistry:
        """Return the empty registry."""
        return EndpointRegistry()


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Make a stage on a ministack that is started for it and thrown away."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)  # Chalice wants one
    with (
        tempfile.TemporaryDirectory(prefix="waybill-bench-", ignore_cleanup_errors=True) as folder,
        Ministack(find_free_port(), Path(folder)) as engine,
    ):
        try:
            yield Stage(engine.endpoint)
        finally:
            wiring.use(None)


def mint_stage_token(role: str, id_: str, **claims: Any) -> str:
    """Mint a token for the stage."""
    return mint_token(SECRET, role, id_, **claims)


def _make_event(kind: str, id_: str, connected_at: int) -> dict[str, Any]:
    route = {"CONNECT": "$connect", "MESSAGE": "$default"}[kind]
    context: Mapping[str, Any] = {
        "routeKey": route,
        "eventType": kind,
        "connectionId": id_,
        "connectedAt": connected_at,
        "domainName": "127.0.0.1",
        "stage": "api",
        "apiId": "local",
    }
    return {"requestContext": context, "isBase64Encoded": False}
