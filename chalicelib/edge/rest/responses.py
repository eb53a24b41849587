"""REST answers: JSON, and errors as `{"error", "message", "details"?}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from chalice.app import Request, Response

from chalicelib.contracts.courier.socket import render_transition
from chalicelib.contracts.moments import format_iso
from chalicelib.domain.orders.hands import Hand
from chalicelib.edge.rest.http_errors import (
    HttpError,
    MethodNotAllowed,
    UnsupportedEncoding,
    UnsupportedMediaType,
)
from chalicelib.errors import (
    CourierTaken,
    HandRefused,
    InvalidTransition,
    PostFailed,
    RateLimited,
    Stale,
    TooEarly,
    Unavailable,
    WaybillError,
)

Body = Mapping[str, Any] | Sequence[Any]
"""What JSON is made of."""
Reply = Response | tuple[int, Body] | Body
"""What a view returns: a body (200), a status with a body, or a whole response."""

REPLAYED_HEADER = "Idempotent-Replayed"
# An answer is one person's: no proxy and no browser may keep it.
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}


def run_view(view: Callable[..., Reply], *arguments: Any) -> Response:
    """Call a view and make a response of what it returns or raises.

    The errors that are no WaybillError say that two requests met, or that the gateway could not be
    reached: asking again may help, so each is a 503.
    """
    try:
        reply = view(*arguments)
    except (Stale, CourierTaken):
        return error_response(Unavailable("This is changing too fast; try again."))
    except PostFailed:
        return error_response(Unavailable("Somebody can't be told of this now; try again."))
    except WaybillError as error:
        return error_response(error)
    if isinstance(reply, Response):
        return reply
    status, body = reply if isinstance(reply, tuple) else (200, reply)
    return make_json_response(status, body)


def make_json_response(status: int, body: Body) -> Response:
    """Make a response whose body is JSON."""
    text = msgspec.json.encode(body).decode()
    return Response(body=text, status_code=status, headers=dict(_HEADERS))


def reply_created(body: Body, is_replay: bool) -> Reply:
    """Answer with what was created: now, or before by the same request, which is said in a header
    (draft-ietf-httpapi-idempotency-key-header-07 leaves it open how)."""
    response = make_json_response(201, body)
    if is_replay:
        response.headers[REPLAYED_HEADER] = "true"
    return response


def error_response(error: WaybillError) -> Response:
    """Make the response of an error; how long to wait, in seconds, goes into `Retry-After`."""
    details = _render_details(error)
    retry_after = details.pop("retry_after_s", None) if isinstance(error, RateLimited) else None
    body: dict[str, Any] = {"error": error.code, "message": error.message}
    if details:
        body["details"] = details
    response = make_json_response(error.http_status, body)
    response.headers.update(error.headers if isinstance(error, HttpError) else {})
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(retry_after)))
    return response


def _render_details(error: WaybillError) -> dict[str, Any]:
    # The route of an assignment was there before there were hands: its answers are as they were.
    if isinstance(error, HandRefused) and error.step != Hand.ASSIGN.value:
        return {**render_transition(error), "hands": list(error.hands)}
    if isinstance(error, InvalidTransition):
        return render_transition(error)
    if isinstance(error, TooEarly):
        return {"no_show_at": format_iso(error.no_show_at)}
    return dict(error.details)


def reword_chalice_error(request: Request, response: Response) -> Response:
    """Give an error of Chalice's own (`{"Code", "Message"}`) the form of ours.

    Any other response is returned as it is.
    """
    body = response.body
    if not isinstance(body, dict) or "Code" not in body:
        return response
    if response.status_code == 405:
        allowed = str(response.headers.get("Allow", "")).split(", ")
        return error_response(MethodNotAllowed(request.method, allowed))
    if response.status_code == 415:
        return error_response(UnsupportedMediaType(request.headers.get("content-type", "")))
    code = "invalid_input" if response.status_code == 400 else "internal_error"
    reworded = make_json_response(
        response.status_code, {"error": code, "message": body.get("Message")}
    )
    ours = reworded.headers
    ours.update({name: value for name, value in response.headers.items() if name not in ours})
    return reworded


def refuse_encoding(request: Request) -> Response | None:
    """Refuse a compressed body, which no gateway unpacks; return None for any other request."""
    encoding = request.headers.get("content-encoding", "").strip()
    if encoding.lower() in ("", "identity"):
        return None
    return error_response(UnsupportedEncoding(encoding))
