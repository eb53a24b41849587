"""REST: one's own log, as a read-only Durable Stream.

https://github.com/durable-streams/durable-streams/blob/main/PROTOCOL.md: 5.5 to 5.7, 8 and 9.1. A
message is an event in the feed's envelope. Not here: ETags and 304 (10.1: an answer is one
person's and never stored), server-sent events (a gateway that answers in one piece can't send
them), and all that writes.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from secrets import randbelow

from chalice.app import Response

from chalicelib.contracts.feed.events import is_feed_event, render_envelope
from chalicelib.domain.messaging.positions import LogPlace, encode_offset
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.responses import Reply, error_response, make_json_response
from chalicelib.edge.rest.routes import Route
from chalicelib.errors import InvalidInput, WaybillError
from chalicelib.services.messaging.event_stream import BEGINNING

LONG_POLL = "long-poll"
POLL_TIME = timedelta(seconds=25)  # API Gateway gives up after 29 s
NEXT_OFFSET, UP_TO_DATE = "Stream-Next-Offset", "Stream-Up-To-Date"
CURSOR = "Stream-Cursor"

# PROTOCOL.md 10.1: time in intervals of 20 s, and up to an hour more where a cursor comes back.
_CURSORS_SINCE = datetime(2024, 10, 9, tzinfo=timezone.utc)
_CURSOR_INTERVAL = timedelta(seconds=20)
_MAX_JITTER = 180
_MAX_CURSOR_DIGITS = 15
# PROTOCOL.md 12.7
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def read_events(call: Call) -> Reply:
    """Show what came after an offset of one's own log, or wait for it."""
    try:
        response = _read_end(call) if call.request.method == "HEAD" else _read_page(call)
    except WaybillError as error:
        response = error_response(error)
    response.headers.update(_HEADERS)
    return response


def _read_end(call: Call) -> Response:
    """Tell where the log ends."""
    response = _respond([], call.services.event_stream.get_end(call.actor.id))
    response.headers[UP_TO_DATE] = "true"
    return response


def _read_page(call: Call) -> Response:
    query = call.read_query("offset", "live", "cursor")
    live = query.get("live")
    if live not in (None, LONG_POLL):
        raise InvalidInput(f"live must be {LONG_POLL}.", field="live")
    if live and "offset" not in query:
        raise InvalidInput(f"offset is required for {LONG_POLL}.", field="offset")
    given = call.request.query_params
    if given and "offset" in query and len(given.getlist("offset")) > 1:
        raise InvalidInput("offset must be given once.", field="offset")
    page = call.services.event_stream.read_page(
        call.actor.id,
        query.get("offset", BEGINNING),
        is_feed_event,
        POLL_TIME if live else timedelta(0),
    )
    response = _respond([render_envelope(event) for event in page.events], page.end)
    if page.is_up_to_date:
        response.headers[UP_TO_DATE] = "true"
    if live:
        response.headers[CURSOR] = _make_cursor(query.get("cursor", ""), call.now)
        if not page.events and page.is_up_to_date:
            response.status_code, response.body = 204, ""
    return response


def _respond(messages: list[object], end: LogPlace) -> Response:
    response = make_json_response(200, messages)
    response.headers[NEXT_OFFSET] = encode_offset(end)
    return response


def _make_cursor(sent: str, now: datetime) -> str:
    """Make a cursor: the interval that it is, or one after what the client had."""
    interval = (now - _CURSORS_SINCE) // _CURSOR_INTERVAL
    is_number = sent.isascii() and sent.isdigit() and len(sent) <= _MAX_CURSOR_DIGITS
    if is_number and int(sent) >= interval:
        return str(int(sent) + 1 + randbelow(_MAX_JITTER))
    return str(interval)


ROUTES = (Route("GET", "/v1/me/events", read_events),)
