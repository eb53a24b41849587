"""Posting to connections: the @connections API, signed, over pooled HTTP connections.

Not through boto3's client, whose model, serialiser and endpoint rules cost seven times as much.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import quote, urlsplit

from botocore.session import Session

from chalicelib.edge.aws.http_pool import HttpPool, NoAnswer
from chalicelib.edge.aws.sigv4 import Signer
from chalicelib.errors import FrameTooLarge, Gone, PostFailed

_PAUSES_S = (0.05, 0.2, 0.8)  # before another try, at most: with jitter
# None begins later. Connecting (0.5 s; with TLS 1 s more), a stale connection found out (0.25 s)
# and the answer (2 s) come after it: a post takes under 5 s, as the lease of a mailbox assumes
# (services/messaging/mailboxes.py).
_LAST_TRY_S = 1.0
_AT_ONCE = 64  # posts of one fan-out; as many connections wait for the next


class ConnectionsApi:
    """Implement services.ports.FrameSender against a stage's `url` (https://…/stage)."""

    def __init__(
        self,
        url: str,
        session: Session,
        region: str,
        sleep: Callable[[float], None] = time.sleep,
        report_failure: Callable[[], object] = lambda: None,
    ) -> None:
        """Set up. `report_failure` hears of each post that raises PostFailed."""
        self._sleep = sleep
        self._report_failure = report_failure
        self._path = urlsplit(url).path.rstrip("/") + "/@connections/"
        self._pool = HttpPool(url, keep=_AT_ONCE)
        self._signer = Signer(session, region, self._pool.host)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="post")

    def post_frame(self, connection_id: str, frame: str) -> None:
        """Send a text frame. 429, 5xx and no answer are tried again with jitter.

        Raises Gone (410), FrameTooLarge (413), PostFailed (anything else, in the end).
        """
        [failure] = self.post_frames([(connection_id, frame)])
        if failure:
            raise failure

    def post_frames(self, posts: Sequence[tuple[str, str]]) -> list[Exception | None]:
        """Send a text frame to each of many connections, side by side. Returns what `post` would
        have raised, for each. The time for trying again is that of one post."""
        began = time.monotonic()

        def try_post(post: tuple[str, str]) -> Exception | None:
            connection_id, frame = post
            status = self._find_final_status("POST", connection_id, began, frame.encode())
            return _make_failure(connection_id, status)

        # One alone, as nearly always, goes without a thread.
        failures = list((map if len(posts) == 1 else self._threads.map)(try_post, posts))
        for failure in failures:
            if isinstance(failure, PostFailed):
                self._report_failure()
        return failures

    def is_connected(self, connection_id: str) -> bool:
        """Look whether a connection is still there; if that can't be told, it counts as alive."""
        return self._find_final_status("GET", connection_id, time.monotonic()) != 410

    def get_last_active(self, connection_id: str) -> datetime | None:
        """Read when something last came from a connection or went to it; None where that can't be
        told. Asked once. Raises Gone."""
        try:
            status, body = self._request("GET", connection_id)
            if status == 410:
                raise Gone(connection_id)
            return datetime.fromisoformat(json.loads(body)["lastActiveAt"].replace("Z", "+00:00"))
        except (NoAnswer, ValueError, KeyError, TypeError, AttributeError):
            return None

    def close_connection(self, connection_id: str) -> None:
        """Close a connection; harmless if it is gone. Raises PostFailed if it may still be open:
        403 or 429, 5xx, no answer."""
        status = self._find_final_status("DELETE", connection_id, time.monotonic())
        failure = _make_failure(connection_id, status)
        if failure and not isinstance(failure, Gone):
            raise failure

    def _find_final_status(
        self, method: str, connection_id: str, began: float, body: bytes = b""
    ) -> int:
        """Request until there is an answer that counts; return its status, 0 where there is none.
        Only the first try may begin later than _LAST_TRY_S after `began`."""
        for pause_s in (*_PAUSES_S, None):
            try:
                status, _ = self._request(method, connection_id, body)
            except NoAnswer:
                status = 0
            may_pass = status in (0, 429) or status >= 500
            if not may_pass or pause_s is None:
                break
            self._sleep(random.uniform(0.5, 1.0) * pause_s)
            if time.monotonic() - began > _LAST_TRY_S:
                break
        return status

    def _request(self, method: str, connection_id: str, body: bytes = b"") -> tuple[int, bytes]:
        path = self._path + quote(connection_id, safe="")
        headers = self._signer.sign(method, path, body) | {"user-agent": "waybill"}
        return self._pool.exchange((method, path, body, headers))


def _make_failure(connection_id: str, status: int) -> Exception | None:
    if 200 <= status < 300:
        return None
    if status == 410:
        return Gone(connection_id)
    if status == 413:
        return FrameTooLarge(connection_id)
    return PostFailed(f"@connections answered {status or 'nothing'}")
