"""What all REST routes share: reading a request, wording an answer, wording an error."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from chalice.app import Request, Response

from chalicelib.contracts.courier import transition_details
from chalicelib.domain.ids import parse_id
from chalicelib.domain.people import Actor, Role
from chalicelib.edge.bearer import bearer
from chalicelib.edge.waybill import Waybill
from chalicelib.errors import (
    CourierTaken,
    Forbidden,
    InvalidInput,
    InvalidTransition,
    NotFound,
    RateLimited,
    Stale,
    Unavailable,
    WaybillError,
)

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
JSON = {"Content-Type": "application/json"}


def answering(view: Callable[..., Any]) -> Callable[..., Response]:
    """Turn what a view returns (a body, or (status, body)) or raises into a response."""

    @functools.wraps(view)
    def answer(*args: Any, **kwargs: Any) -> Response:
        try:
            found = view(*args, **kwargs)
        except (Stale, CourierTaken):
            return error_response(Unavailable("This is changing too fast; try again."))
        except WaybillError as error:
            return error_response(error)
        status, body = found if isinstance(found, tuple) else (200, found)
        return json_response(status, body)

    return answer


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
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(retry_after)))
    return response


def reword(response: Response) -> Response:
    """Chalice's own refusals (`{"Code", "Message"}`) in our form."""
    body = response.body
    if not isinstance(body, dict) or "Code" not in body:
        return response
    code = {405: "method_not_allowed", 415: "unsupported_media_type", 400: "invalid_input"}.get(
        response.status_code, "internal_error"
    )
    worded = json_response(response.status_code, {"error": code, "message": body.get("Message")})
    worded.headers.update({k: v for k, v in response.headers.items() if k not in worded.headers})
    return worded


def actor_of(waybill: Waybill, request: Request, *roles: Role) -> Actor:
    """Who asks. Raises Unauthenticated; Forbidden unless the token's role is one of `roles`."""
    actor = waybill.authenticate(bearer(request.headers.get("authorization")))
    if roles and actor.role not in roles:
        allowed = " or ".join(role.value for role in roles)
        raise Forbidden(f"This is for a token whose role is {allowed}.")
    return actor


def body_of(request: Request) -> dict[str, Any]:
    """The JSON object in the body; an absent body is an empty one. Raises InvalidInput."""
    raw = request.raw_body
    if len(raw) > MAX_BODY:
        raise PayloadTooLarge(f"A body has at most {MAX_BODY} bytes.")
    if not raw.strip():
        return {}
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidInput("The body is not valid JSON.") from None
    if not isinstance(found, dict):
        raise InvalidInput("The body must be a JSON object.")
    return found


def order_id_of(value: Any, name: str = "order_id") -> int:
    """An order's id in a body. Raises InvalidInput if absent, NotFound if it can't be one."""
    if value is None:
        raise InvalidInput(f"{name} is required.", field=name)
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InvalidInput(f"{name} must be a text.", field=name)
    id_ = parse_id(value)
    if id_ is None:
        raise NotFound("There is no such order.")
    return id_


class PayloadTooLarge(InvalidInput):
    """413: more than anything here needs."""

    code = "payload_too_large"
    http_status = 413
