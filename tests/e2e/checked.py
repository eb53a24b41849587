"""Stock clients whose every frame and answer is held against AsyncAPI and OpenAPI."""

from __future__ import annotations

import io
import urllib.request
from typing import Any
from urllib.parse import urlsplit
from urllib.response import addinfourl

import websockets.sync.client
from websockets.sync.client import ClientConnection

from tests.conftest import PATIENCE_S
from tests.documents import check_call, check_heard


class CheckedConnection(ClientConnection):
    """A socket: what it receives is in AsyncAPI."""

    def recv(self, *args: Any, **options: Any) -> Any:
        """Receive a frame."""
        frame = super().recv(*args, **options)
        assert self.request is not None
        check_heard(self.request.path, str(frame))
        return frame


def connect(url: str, **options: Any) -> ClientConnection:
    """Open a socket."""
    options["create_connection"] = CheckedConnection
    opened: ClientConnection = websockets.sync.client.connect(
        url, **{"open_timeout": PATIENCE_S, **options}
    )
    return opened


class _Checking(urllib.request.BaseHandler):
    """Holds each answer against OpenAPI, before an error is raised for it."""

    handler_order = 900  # HTTPErrorProcessor is at 1000

    def http_response(self, request: urllib.request.Request, response: Any) -> addinfourl:
        body, headers = response.read(), response.headers
        sent = request.data.decode() if isinstance(request.data, bytes) else None
        target = urlsplit(request.full_url)
        check_call(
            request.get_method(), target.path, response.code, dict(headers.items()), body, sent
        )
        checked = addinfourl(io.BytesIO(body), headers, request.full_url, response.code)
        checked.msg = response.msg  # type: ignore[attr-defined]
        return checked

    https_response = http_response


urlopen = urllib.request.build_opener(_Checking()).open
"""As urllib's own."""
