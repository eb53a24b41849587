"""Errors of HTTP itself: the method, the media type or the encoding is not one that is served."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.errors import WaybillError


class HttpError(WaybillError):
    """An error with headers, which say what would have been accepted."""

    headers: dict[str, str] = {}


class MethodNotAllowed(HttpError):
    """405: the path has other methods."""

    code = "method_not_allowed"
    http_status = 405

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        listed = ", ".join(allowed)
        super().__init__(f"{method} is not possible here; {listed} is.")
        self.headers = {"Allow": listed}


class UnsupportedMediaType(HttpError):
    """415: the body is not sent as JSON."""

    code = "unsupported_media_type"
    http_status = 415
    headers = {"Accept": "application/json"}

    def __init__(self, content_type: str) -> None:
        super().__init__(f"Send application/json; {content_type[:100]!r} is not taken.")


class UnsupportedEncoding(HttpError):
    """415: the body is compressed."""

    code = "unsupported_media_type"
    http_status = 415
    headers = {"Accept-Encoding": "identity"}

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"Send application/json as it is; the content encoding {encoding[:100]!r} is not taken."
        )
