"""A courier's stops, as REST shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chalicelib.contracts.base import omit_none
from chalicelib.contracts.moments import format_iso
from chalicelib.domain.orders.stacking import RemainingStop


def render_stop(stop: RemainingStop, eta: datetime | None) -> dict[str, Any]:
    """Render a stop: {order_id, kind, lat, lng, address, eta?}. Degrees that nobody knows are null;
    `eta` is when its courier will be there, where that can be told."""
    place = stop.place
    return {
        "order_id": str(stop.order_id),
        "kind": stop.kind.value,
        "lat": place.lat,
        "lng": place.lng,
        "address": place.address,
        **omit_none(eta=format_iso(eta) if eta else None),
    }
