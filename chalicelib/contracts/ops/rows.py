"""Rows of the dispatcher's board, as JSON: orders, couriers, figures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from chalicelib.contracts.moments import format_iso
from chalicelib.domain.details import Place
from chalicelib.domain.ops.board import BoardCourier, BoardOrder
from chalicelib.domain.ops.current import CurrentFigures


def render_order_row(row: BoardOrder, at: datetime) -> dict[str, Any]:
    """Render an order's row; ages are as of `at`. What is not known is null."""
    return {
        "id": str(row.id),
        "flow": row.flow,
        "state": row.state.value,
        "since": format_iso(row.since),
        "created_at": format_iso(row.created_at),
        "age_s": _count_seconds(row.created_at, at),
        "offers": row.offers,
        "customer_id": row.customer_id,
        "courier_id": row.courier_id,
        "courier_name": row.courier_name,
        "offered_to": row.offered_to,
        "merchant_id": row.merchant_id,
        "external_id": row.external_id,
        "eta": _format_optional(row.eta),
        "due": _format_optional(row.due),
        "late": row.is_late,
        "zone": row.zone,
        "lat": row.pickup.lat,
        "lng": row.pickup.lng,
        "pickup": _render_place(row.pickup),
        "dropoff": _render_place(row.dropoff),
        "reason": row.reason,
    }


def render_courier_row(row: BoardCourier, at: datetime) -> dict[str, Any]:
    """Render a courier's row; ages are as of `at`. What is not known is null."""
    fix = row.fix
    return {
        "id": row.id,
        "name": row.name,
        "lat": fix.lat if fix else None,
        "lng": fix.lng if fix else None,
        "zone": row.zone,
        "fix_at": _format_optional(row.located_at),
        "fix_age_s": _count_seconds(row.located_at, at) if row.located_at else None,
        "on_duty": row.is_on_duty,
        "paused": row.is_paused,
        "order_id": None if row.order_id is None else str(row.order_id),
        "idle_since": _format_optional(row.idle_since),
        "vehicle_type": row.vehicle_type,
    }


def render_figures(figures: CurrentFigures) -> dict[str, Any]:
    """Render how many of what there are, under the names that they have inside."""
    return msgspec.structs.asdict(figures)


def _render_place(place: Place) -> dict[str, Any]:
    return {"lat": place.lat, "lng": place.lng, "address": place.address}


def _format_optional(at: datetime | None) -> str | None:
    return None if at is None else format_iso(at)


def _count_seconds(since: datetime, at: datetime) -> int:
    """Count full seconds; none where the clock of whoever told `since` is ahead."""
    return max(0, int((at - since).total_seconds()))
