"""REST: proof at the stops of an order of any flow."""

from __future__ import annotations

from typing import Any

from chalicelib.contracts.proof import (
    read_content_type,
    read_file_kind,
    read_kind,
    read_override_reason,
    read_stop,
    render_file,
    render_proof,
)
from chalicelib.contracts.registry import render_order
from chalicelib.domain.orders.proof import Stop
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call, read_order_id
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route


def make_upload(call: Call, order_id: str) -> Reply:
    """Make the form by which its courier uploads a photo or a signature of an order."""
    body = call.read_body()
    stop, kind, content_type = read_stop(body), read_file_kind(body), read_content_type(body)
    id_ = read_order_id(order_id)
    form = call.services.proof.make_upload(call.actor, id_, stop, kind, content_type)
    return {"url": form.url, "fields": form.fields}


def get_proof(call: Call, order_id: str) -> Reply:
    """Show what is asked for at each stop of an order, and URLs of the files that are there."""
    proof = call.services.proof
    order = proof.get_order(call.actor, read_order_id(order_id))
    shown: dict[str, Any] = render_proof(order) or {}
    for name in shown:
        files = order.proof.get_stop(Stop(name)).files
        shown[name]["files"] = [render_file(one, proof.make_reading_url(one)) for one in files]
    return {"proof": shown}


def override_proof(call: Call, order_id: str) -> Reply:
    """Let one kind of proof go, for an admin who says why."""
    body = call.read_body()
    stop, kind, reason = read_stop(body), read_kind(body), read_override_reason(body)
    id_ = read_order_id(order_id)
    return render_order(call.services.proof.override_proof(call.actor, id_, stop, kind, reason))


ROUTES = (
    Route("POST", "/v1/orders/{order_id}/proof", make_upload, Role.COURIER),
    Route("GET", "/v1/orders/{order_id}/proof", get_proof),
    Route("POST", "/v1/admin/orders/{order_id}/proof/override", override_proof, Role.ADMIN),
)
