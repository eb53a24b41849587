"""REST: what every view that places an order does alike."""

from __future__ import annotations

from typing import Any

from chalice.app import Response

from chalicelib.contracts.placing import read_order_options
from chalicelib.domain.orders.placing import PlacedOrder, PlacingExtras, Repeat
from chalicelib.domain.request_keys import make_external_id_key
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.responses import Reply, json_response

REPLAYED_HEADER = "Idempotent-Replayed"


def read_extras(call: Call, merchant_id: str | None = None) -> PlacingExtras:
    """Read what comes with an order: its options and its keys. Raises InvalidInput."""
    options = read_order_options(call.read_body())
    external_key = None
    if options.external_id is not None:
        external_key = make_external_id_key(
            merchant_id, call.actor.id, options.external_id, call.hash_request()
        )
    return PlacingExtras(options, call.read_key(), external_key)


def reply_placed(placed: PlacedOrder, body: dict[str, Any]) -> Reply:
    """Answer with an order that was placed: 201, also to the same request under the same key; 200
    where it was known by its external id alone."""
    if placed.repeat is Repeat.KEY:
        return replay(201, body)
    return (200 if placed.repeat else 201), body


def replay(status: int, body: dict[str, Any]) -> Response:
    """Answer a request that was made before by the same key."""
    response = json_response(status, body)
    response.headers[REPLAYED_HEADER] = "true"
    return response
