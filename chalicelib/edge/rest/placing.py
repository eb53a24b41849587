"""REST: what every view that places an order does alike."""

from __future__ import annotations

from typing import Any

from chalicelib.contracts.placing import read_order_options, read_quote_id
from chalicelib.contracts.proof import add_pins
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.placing import PlacedOrder, PlacingExtras, Repeat
from chalicelib.domain.request_keys import make_external_id_key
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.responses import Reply, reply_created


def read_extras(call: Call, merchant_id: str | None = None) -> PlacingExtras:
    """Read what comes with an order: its options, its keys and its quote. Raises InvalidInput."""
    body = call.read_body()
    options = read_order_options(body)
    external_key = None
    if options.external_id is not None:
        external_key = make_external_id_key(
            merchant_id, call.actor.id, options.external_id, call.hash_request()
        )
    return PlacingExtras(options, call.read_key(), external_key, read_quote_id(body))


def show_pins(call: Call, order: Order, body: dict[str, Any]) -> dict[str, Any]:
    """Add to an order's body the PINs that are the caller's to know."""
    return add_pins(body, call.services.proof.show_pins(call.actor, order))


def reply_placed(call: Call, placed: PlacedOrder, body: dict[str, Any]) -> Reply:
    """Answer with an order that was placed: 201, also to the same request under the same key; 200
    where it was known by its external id alone."""
    body = show_pins(call, placed.order, body)
    if placed.repeat is Repeat.EXTERNAL_ID:
        return body
    return reply_created(body, is_replay=placed.repeat is Repeat.KEY)
