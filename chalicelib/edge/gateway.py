"""Posting to connections: the @connections API, SigV4-signed, over pooled HTTP connections.

botocore's signer and urllib3 without the service client: a post is one POST to one path, and the
client's model, serialiser and endpoint rules cost more than the rest of it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from urllib.parse import quote

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session

from chalicelib.errors import FrameTooLarge, Gone, PostFailed

_TIMEOUT = urllib3.Timeout(connect=0.5, read=2.0)
_TRIES = 4
_FIRST_PAUSE_S = 0.05
_LAST_TRY_S = 1.5  # none begins later: a post takes under 4 s, as services/mailbox.py assumes
_SERVICE = "execute-api"


class ConnectionsApi:
    """Implements services.ports.Gateway against `endpoint` (https://…/stage)."""

    def __init__(
        self,
        endpoint: str,
        session: Session,
        region: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._session = session
        self._region = region
        self._sleep = sleep
        self._http = urllib3.PoolManager(
            maxsize=50, timeout=_TIMEOUT, retries=False, headers={"user-agent": "waybill"}
        )

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
        url = f"{self._endpoint}/@connections/{quote(connection_id, safe='')}"
        request = AWSRequest(method=method, url=url, data=body)
        SigV4Auth(self._session.get_credentials(), _SERVICE, self._region).add_auth(request)
        try:
            answer = self._http.request(
                method, url, body=body, headers=dict(request.headers.items()), redirect=False
            )
        except urllib3.exceptions.HTTPError:
            return 0
        return int(answer.status)
