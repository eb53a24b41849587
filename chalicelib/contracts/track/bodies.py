"""An order as the bearer of its tracking link is shown it, as JSON."""

from __future__ import annotations

from typing import Any

from chalicelib.contracts.base import omit_none
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.money import to_major_units
from chalicelib.contracts.track.drawing import draw_way
from chalicelib.domain.geo import Point
from chalicelib.domain.money.payments import CURRENCY
from chalicelib.domain.orders.tracked import SeenCourier, TrackedOrder
from chalicelib.domain.orders.windows import Windows
from chalicelib.domain.people import Fix

_PICTURES = "https://"  # as the page's Content-Security-Policy has it


def render_tracked(order: TrackedOrder) -> dict[str, Any]:
    """Render {order_id, version, status, stage, changed_at, is_over, window?, eta_minutes?,
    courier?, position?, map?, dropoff?, pin?, tip?, note?}; what is not to be seen is left out."""
    return {
        "order_id": str(order.order_id),
        "version": order.version,
        "status": order.status.value,
        "stage": order.stage,
        "changed_at": format_iso(order.changed_at),
        "is_over": order.is_over,
        **omit_none(
            window=_render_window(order.windows),
            eta_minutes=order.eta_minutes,
            courier=_render_courier(order.courier) if order.courier else None,
            dropoff=_render_point(order.dropoff) if order.dropoff else None,
            pin=order.pin,
            tip=_render_tip(order.tipped_minor) if order.tipped_minor else None,
            note=order.note,
        ),
        **(render_position(order.position, order.dropoff) if order.position else {}),
    }


def render_position(fix: Fix, dropoff: Point | None) -> dict[str, Any]:
    """Render {position: {lat, lng, at}, map}: where a courier is, and how that is drawn."""
    return {
        "position": {**_render_point(fix.point), "at": format_iso(fix.at)},
        "map": draw_way(fix.point, dropoff),
    }


def _render_point(point: Point) -> dict[str, float]:
    """Render degrees to five places: a metre."""
    return {"lat": round(point[0], 5), "lng": round(point[1], 5)}


def _render_window(windows: Windows) -> dict[str, str] | None:
    times = {
        "pickup_from": windows.pickup_from,
        "pickup_by": windows.pickup_by,
        "dropoff_by": windows.dropoff_by,
    }
    return {name: format_iso(at) for name, at in times.items() if at} or None


def _render_courier(courier: SeenCourier) -> dict[str, str]:
    """Render {first_name?, vehicle?, picture?}: a picture only where a browser would fetch it."""
    picture = courier.picture if (courier.picture or "").startswith(_PICTURES) else None
    return omit_none(first_name=courier.first_name, vehicle=courier.vehicle, picture=picture)


def _render_tip(amount_minor: int) -> dict[str, Any]:
    return {"amount": to_major_units(amount_minor), "currency": CURRENCY}
