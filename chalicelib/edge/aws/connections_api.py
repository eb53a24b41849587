"""Posting to connections: the @connections API, signed, over pooled HTTP connections.

Not through the service client: a post is one POST to one path, and the client's model, serialiser
and endpoint rules cost ten times the rest of it.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import quote, urlsplit

from botocore.session import Session

from chalicelib.edge.aws.sigv4 import Signer
from chalicelib.edge.aws.volley import volley
from chalicelib.edge.aws.wire import NoAnswer, Wire, encoded, length_of
from chalicelib.errors import FrameTooLarge, Gone, PostFailed

_TRIES = 4
_FIRST_PAUSE_S = 0.05
# None begins later. Connecting (0.5 s; with TLS 1 s more), a stale connection found out (0.25 s)
# and the answer (2 s) come after it: a post takes under 5 s, as the lease of a
# mailbox assumes (services/messaging/mailboxes.py).
_LAST_TRY_S = 1.0
_AT_ONCE = 64  # as many connections wait for the next posts
_SERVICE = "execute-api"
_UNREACHABLE = "@connections can't be reached"
_AGENT = ("user-agent", "waybill")


class ConnectionsApi:
    """Implements services.ports.Gateway against `endpoint` (https://…/stage)."""

    def __init__(
        self,
        endpoint: str,
        session: Session,
        region: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._path = urlsplit(endpoint).path.rstrip("/") + "/@connections/"
        self._wire = Wire(endpoint, keep=_AT_ONCE)
        self._signer = Signer(session, _SERVICE, region, self._wire.host)

    def post_frame(self, connection_id: str, frame: str) -> None:
        """Send a text frame. 429 and 5xx are tried again with jitter.

        Raises Gone (410), FrameTooLarge (413), PostFailed (anything else, in the end).
        """
        failure = _failure(connection_id, self._request("POST", connection_id, frame.encode()))
        if failure:
            raise failure

    def post_frames(self, posts: Sequence[tuple[str, str]]) -> list[Exception | None]:
        """Send a text frame to each of many connections, side by side from this thread, as `post`
        does. Returns what that would have raised, for each."""
        if len(posts) == 1:
            [(id_, frame)] = posts
            return [_failure(id_, self._request("POST", id_, frame.encode()))]
        statuses, began = [0] * len(posts), time.monotonic()
        waiting = list(range(len(posts)))
        for n in range(_TRIES):
            if not waiting or not self._may_try(n, began):
                break
            messages = (self._message("POST", posts[i][0], posts[i][1].encode()) for i in waiting)
            for i, status in zip(waiting, volley(self._wire, messages, _AT_ONCE), strict=True):
                statuses[i] = status
            waiting = [i for i in waiting if _may_pass(statuses[i])]
        return [_failure(id_, status) for (id_, _), status in zip(posts, statuses, strict=True)]

    def is_connected(self, connection_id: str) -> bool:
        """Whether the connection is still there; where that can't be told, it counts as alive."""
        return self._request("GET", connection_id) != 410

    def get_last_active(self, connection_id: str) -> datetime | None:
        """When something last came from a connection or went to it; None where that can't be told.
        Asked once. Raises Gone."""
        try:
            answer = self._wire.ask(self._message("GET", connection_id, b""))
        except NoAnswer:
            return None
        if answer.status == 410:
            raise Gone(connection_id)
        try:
            told = json.loads(answer.body or b"")["lastActiveAt"]
            return datetime.fromisoformat(told.replace("Z", "+00:00"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def close_connection(self, connection_id: str) -> None:
        """Close a connection; harmless if it is gone. Raises PostFailed if it may still be open:
        403 or 429, 5xx, no answer."""
        status = self._request("DELETE", connection_id)
        if status != 410 and not 200 <= status < 300:
            raise PostFailed(f"@connections answered {status}" if status else _UNREACHABLE)

    def _request(self, method: str, connection_id: str, body: bytes = b"") -> int:
        """The status in the end; 0 where there was no answer."""
        status, began = 0, time.monotonic()
        for n in range(_TRIES):
            if not self._may_try(n, began):
                break
            status = self._once(method, connection_id, body)
            if not _may_pass(status):
                break
        return status

    def _may_try(self, n: int, began: float) -> bool:
        """Whether there is time for the n-th try, after a pause that grows."""
        if n:
            self._sleep(random.uniform(0.5, 1.0) * _FIRST_PAUSE_S * 4 ** (n - 1))
        return time.monotonic() - began <= _LAST_TRY_S

    def _once(self, method: str, connection_id: str, body: bytes) -> int:
        """One request; 0 where there was no answer."""
        try:
            return self._wire.ask(self._message(method, connection_id, body)).status
        except NoAnswer:
            return 0

    def _message(self, method: str, connection_id: str, body: bytes) -> bytes:
        path = self._path + quote(connection_id, safe="")
        headers = self._signer.sign(method, path, body)
        return encoded(method, path, [*headers, _AGENT, length_of(body)], body)


def _may_pass(status: int) -> bool:
    """Whether another try may go better."""
    return status in (0, 429) or status >= 500


def _failure(connection_id: str, status: int) -> Exception | None:
    if status == 410:
        return Gone(connection_id)
    if status == 413:
        return FrameTooLarge(connection_id)
    if status == 0:
        return PostFailed(_UNREACHABLE)
    return PostFailed(f"@connections answered {status}") if status >= 300 else None
