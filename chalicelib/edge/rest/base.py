"""What all REST routes share: reading a request, wording an answer, wording an error."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec
from chalice.app import Request, Response

from chalicelib.contracts import json_text
from chalicelib.contracts.base import text
from chalicelib.contracts.courier.socket import transition_details
from chalicelib.contracts.json_text import MAX_BYTES
from chalicelib.domain.ids import parse_id
from chalicelib.domain.people import Actor, Role
from chalicelib.edge.app_services import Waybill
from chalicelib.edge.bearer import bearer
from chalicelib.errors import (
    CourierTaken,
    Forbidden,
    InvalidInput,
    InvalidTransition,
    NotFound,
    PostFailed,
    RateLimited,
    Stale,
    Unavailable,
    WaybillError,
)

log = logging.getLogger(__name__)

# What is answered is one person's: no proxy and no browser may keep it.
JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}


def answering(view: Callable[..., Any]) -> Callable[..., Response]:
    """Turn what a view returns (a body, (status, body) or a response) or raises into a response.

    A view's path parameters are decoded here, and nowhere else.
    """

    @functools.wraps(view)
    def answer(**captured: str) -> Response:
        try:
            found = view(**{name: path_text(sent) for name, sent in captured.items()})
        except (Stale, CourierTaken):
            return error_response(Unavailable("This is changing too fast; try again."))
        except PostFailed:
            return error_response(Unavailable("Somebody can't be told of this now; try again."))
        except WaybillError as error:
            return error_response(error)
        if isinstance(found, Response):
            return found
        status, body = found if isinstance(found, tuple) else (200, found)
        return json_response(status, body)

    return answer


def path_text(sent: str) -> str:
    """Decode a path parameter: API Gateway hands it on percent-encoded, as the client sent it.

    `+` is a plus, as in every path. Raises InvalidInput for what is no UTF-8.
    """
    try:
        return unquote(sent, errors="strict")
    except UnicodeDecodeError:
        raise InvalidInput("The path is not UTF-8.") from None


def json_response(status: int, body: Any) -> Response:
    """A JSON answer."""
    text = msgspec.json.encode(body).decode()
    return Response(body=text, status_code=status, headers=dict(JSON))


def error_response(error: WaybillError) -> Response:
    """An error as `{"error", "message", "details"?}`."""
    details = (
        transition_details(error) if isinstance(error, InvalidTransition) else dict(error.details)
    )
    retry_after = details.pop("retry_after_s", None) if isinstance(error, RateLimited) else None
    body: dict[str, Any] = {"error": error.code, "message": error.message}
    if details:
        body["details"] = details
    response = json_response(error.http_status, body)
    response.headers.update(error.headers if isinstance(error, HttpRefusal) else {})
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(retry_after)))
    return response


def reword(request: Request, response: Response) -> Response:
    """Word Chalice's own refusals (`{"Code", "Message"}`) in our form."""
    body = response.body
    if not isinstance(body, dict) or "Code" not in body:
        return response
    if response.status_code == 405:
        allowed = str(response.headers.get("Allow", "")).split(", ")
        return error_response(MethodNotAllowed(request.method, allowed))
    if response.status_code == 415:
        return error_response(UnsupportedMediaType(request.headers.get("content-type", "")))
    code = "invalid_input" if response.status_code == 400 else "internal_error"
    worded = json_response(response.status_code, {"error": code, "message": body.get("Message")})
    worded.headers.update({k: v for k, v in response.headers.items() if k not in worded.headers})
    return worded


def refuse_encoding(request: Request) -> Response | None:
    """Refuse a compressed body, which no gateway unpacks; None for any other request."""
    given = request.headers.get("content-encoding", "").strip()
    if given.lower() in ("", "identity"):
        return None
    return error_response(UnsupportedEncoding(given))


def actor_of(waybill: Waybill, request: Request, *roles: Role) -> Actor:
    """Who asks. Raises Unauthenticated; Forbidden unless the token's role is one of `roles`."""
    actor = waybill.authenticate(bearer(request.headers.get("authorization")))
    if roles and actor.role not in roles:
        allowed = " or ".join(role.value for role in roles)
        raise Forbidden(f"This is for a token whose role is {allowed}.")
    return actor


def body_of(request: Request) -> dict[str, Any]:
    """The JSON object in the body; an absent body is an empty one. Raises InvalidInput,
    PayloadTooLarge."""
    raw = request.raw_body
    if not raw.strip() and len(raw) <= MAX_BYTES:
        return {}
    found = json_text.decode(raw, "The body")
    if not isinstance(found, dict):
        raise InvalidInput("The body must be a JSON object.")
    return found


def query_of(request: Request, *names: str) -> dict[str, str]:
    """Return the query's values of these names, where they are given. Raises InvalidInput for an
    empty one: it asks for nothing, and what is meant by it is a guess."""
    query: Mapping[str, Any] = request.query_params or {}
    given = {name: str(query[name]) for name in names if name in query}
    for name, value in given.items():
        if not value.strip():
            raise InvalidInput(f"{name} must not be empty; leave it out.", field=name)
    return given


def order_id_of(value: Any, name: str = "order_id") -> int:
    """An order's id. Raises InvalidInput if absent or empty, NotFound if it can't be one."""
    if value is None:
        raise InvalidInput(f"{name} is required.", field=name)
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InvalidInput(f"{name} must be a text.", field=name)
    if isinstance(value, str):
        value = text(value, name)
    id_ = parse_id(value)
    if id_ is None:
        raise NotFound("There is no such order.")
    return id_


class HttpRefusal(WaybillError):
    """What HTTP itself refuses, and the headers that say what would do."""

    headers: dict[str, str] = {}


class MethodNotAllowed(HttpRefusal):
    """405: the path has other methods."""

    code = "method_not_allowed"
    http_status = 405

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        listed = ", ".join(allowed)
        super().__init__(f"{method} is not possible here; {listed} is.")
        self.headers = {"Allow": listed}


class UnsupportedMediaType(HttpRefusal):
    """415: bodies are JSON."""

    code = "unsupported_media_type"
    http_status = 415
    headers = {"Accept": "application/json"}

    def __init__(self, given: str) -> None:
        super().__init__(f"Send application/json; {given[:100]!r} is not taken.")


class UnsupportedEncoding(HttpRefusal):
    """415: bodies come as they are."""

    code = "unsupported_media_type"
    http_status = 415
    headers = {"Accept-Encoding": "identity"}

    def __init__(self, given: str) -> None:
        super().__init__(
            f"Send application/json as it is; the content encoding {given[:100]!r} is not taken."
        )
