"""Posting to connections: the @connections API, signed, over pooled HTTP connections.

Not through the service client: a post is one POST to one path, and the client's model, serialiser
and endpoint rules cost ten times the rest of it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from botocore.session import Session

from chalicelib.edge.sigv4 import Signer
from chalicelib.edge.wire import NoAnswer, Wire
from chalicelib.errors import FrameTooLarge, Gone, PostFailed

_TRIES = 4
_FIRST_PAUSE_S = 0.05
_LAST_TRY_S = 1.5  # none begins later: a post takes under 4 s, as services/mailbox.py assumes
_SERVICE = "execute-api"
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
        self._wire = Wire(endpoint)
        self._signer = Signer(session, _SERVICE, region, self._wire.host)

    def post(self, connection_id: str, frame: str) -> None:
        """Send a text frame. 429 and 5xx are tried again with jitter.

        Raises Gone (410), FrameTooLarge (413), PostFailed (anything else, in the end).
        """
        status = self._request("POST", connection_id, frame.encode())
        if status == 410:
            raise Gone(connection_id)
        if status == 413:
            raise FrameTooLarge(connection_id)
        if status >= 300:
            raise PostFailed(f"@connections answered {status}")

    def alive(self, connection_id: str) -> bool:
        """Whether the connection is still there; where that can't be told, it counts as alive."""
        try:
            return self._request("GET", connection_id) != 410
        except PostFailed:
            return True

    def close(self, connection_id: str) -> None:
        """Close a connection; harmless if it is gone."""
        self._request("DELETE", connection_id)

    def _request(self, method: str, connection_id: str, body: bytes = b"") -> int:
        status, began = 0, time.monotonic()
        for n in range(_TRIES):
            if n:
                self._sleep(random.uniform(0.5, 1.0) * _FIRST_PAUSE_S * 4 ** (n - 1))
            if time.monotonic() - began > _LAST_TRY_S:
                break
            status = self._once(method, connection_id, body)
            if status not in (0, 429) and status < 500:
                return status
        if status == 0:
            raise PostFailed("@connections can't be reached")
        return status

    def _once(self, method: str, connection_id: str, body: bytes) -> int:
        """One request; 0 where there was no answer."""
        path = self._path + quote(connection_id, safe="")
        headers = self._signer.sign(method, path, body)
        try:
            return self._wire.send(method, path, [*headers, _AGENT], body)
        except NoAnswer:
            return 0
