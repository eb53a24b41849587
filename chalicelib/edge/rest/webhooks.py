"""REST: webhook endpoints, for admins, and for merchants of their own restaurants' orders."""

from __future__ import annotations

import msgspec
from chalice.app import Response

from chalicelib.contracts.base import omit_none
from chalicelib.contracts.listing import read_limit
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.webhooks.endpoints import (
    read_change,
    read_endpoint,
    read_event_id,
    read_since,
    render_attempt,
    render_endpoint,
    render_with_secret,
)
from chalicelib.domain.ids import parse_id
from chalicelib.domain.people import Role
from chalicelib.domain.webhooks.deliveries import AttemptPosition
from chalicelib.domain.webhooks.event_types import PING
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.responses import Reply, reply_created
from chalicelib.edge.rest.routes import Route
from chalicelib.errors import NotFound


def create_endpoint(call: Call) -> Reply:
    """Create an endpoint, and show its secret. Who asks again by the same key is shown the same
    secret, until it is replaced."""
    form, key = read_endpoint(call.read_body()), call.read_key()
    endpoint, is_replay = call.services.webhooks.create_endpoint(call.actor, form, key)
    is_shown = endpoint.rotated_at is None
    body = render_with_secret(endpoint) if is_shown else render_endpoint(endpoint)
    return reply_created(body, is_replay)


def list_endpoints(call: Call) -> Reply:
    """List the caller's endpoints."""
    return {
        "webhooks": [render_endpoint(e) for e in call.services.webhooks.list_endpoints(call.actor)]
    }


def get_endpoint(call: Call, endpoint_id: str) -> Reply:
    """Show an endpoint to its owner."""
    id_ = _read_endpoint_id(endpoint_id)
    return render_endpoint(call.services.webhooks.get_endpoint(call.actor, id_))


def change_endpoint(call: Call, endpoint_id: str) -> Reply:
    """Change an endpoint, and enable or disable it."""
    patch, id_ = call.read_body(), _read_endpoint_id(endpoint_id)
    return render_endpoint(
        call.services.webhooks.change_endpoint(
            call.actor, id_, lambda stored: read_change(patch, stored)
        )
    )


def delete_endpoint(call: Call, endpoint_id: str) -> Reply:
    """Delete an endpoint."""
    call.services.webhooks.delete_endpoint(call.actor, _read_endpoint_id(endpoint_id))
    return Response("", headers={"Cache-Control": "no-store"}, status_code=204)


def rotate_secret(call: Call, endpoint_id: str) -> Reply:
    """Give an endpoint a new secret, and show it."""
    id_ = _read_endpoint_id(endpoint_id)
    return render_with_secret(call.services.webhooks.rotate_secret(call.actor, id_))


def send_ping(call: Call, endpoint_id: str) -> Reply:
    """Send an endpoint a ping."""
    id_ = _read_endpoint_id(endpoint_id)
    return 202, omit_none(type=PING, event_id=call.services.redelivery.send_ping(call.actor, id_))


def list_attempts(call: Call, endpoint_id: str) -> Reply:
    """List a page of the attempts to send to an endpoint, those of the newest event first."""
    query, id_ = call.read_query("limit", "cursor"), _read_endpoint_id(endpoint_id)
    limit, cursors = read_limit(query), call.services.cursors
    scope = msgspec.json.encode(("webhook attempts", call.actor.id, id_))
    after = None
    if "cursor" in query:
        after = cursors.read_cursor(query["cursor"], scope, AttemptPosition)
    page = call.services.webhook_attempts.list_attempts(call.actor, id_, limit, after)
    next_cursor = cursors.make_cursor(page.position, scope) if page.position else None
    attempts = [render_attempt(one) for one in page.attempts]
    return omit_none(attempts=attempts, next_cursor=next_cursor)


def resend_event(call: Call, endpoint_id: str) -> Reply:
    """Send an endpoint an event again."""
    event_id, id_ = read_event_id(call.read_body()), _read_endpoint_id(endpoint_id)
    call.services.redelivery.resend_event(call.actor, id_, event_id)
    return 202, {"event_id": event_id}


def replay_events(call: Call, endpoint_id: str) -> Reply:
    """Send an endpoint all events since a time again."""
    since, id_ = read_since(call.read_body(), call.now), _read_endpoint_id(endpoint_id)
    call.services.redelivery.replay_events(call.actor, id_, since)
    return 202, {"since": format_iso(since)}


def _read_endpoint_id(captured: str) -> str:
    """Read an endpoint's id off the path. Raises NotFound if no endpoint can have it."""
    id_ = parse_id(captured)
    if id_ is None:
        raise NotFound("There is no such webhook endpoint.")
    return str(id_)


_OWNERS = (Role.ADMIN, Role.MERCHANT)
_ONE = "/v1/webhooks/{endpoint_id}"
ROUTES = (
    Route("POST", "/v1/webhooks", create_endpoint, *_OWNERS),
    Route("GET", "/v1/webhooks", list_endpoints, *_OWNERS),
    Route("GET", _ONE, get_endpoint, *_OWNERS),
    Route("PATCH", _ONE, change_endpoint, *_OWNERS),
    Route("DELETE", _ONE, delete_endpoint, *_OWNERS),
    Route("POST", f"{_ONE}/rotate", rotate_secret, *_OWNERS),
    Route("POST", f"{_ONE}/test", send_ping, *_OWNERS),
    Route("GET", f"{_ONE}/attempts", list_attempts, *_OWNERS),
    Route("POST", f"{_ONE}/resend", resend_event, *_OWNERS),
    Route("POST", f"{_ONE}/replay", replay_events, *_OWNERS),
)
