"""The data of spec 003's events about orders and their deliveries, and of our own beside them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from chalicelib.contracts.base import Data, omit_none
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.money import to_major_units
from chalicelib.domain import travel
from chalicelib.domain.details import Contact
from chalicelib.domain.events import Event
from chalicelib.domain.money.payouts import mask_account
from chalicelib.domain.money.pricing import estimate_price
from chalicelib.domain.orders.reasons import MAX_NOTE
from chalicelib.domain.price_lines import PriceLine

_DEFAULT_RATING = 5.0


def _find_contact(event: Event) -> Contact:
    return event.courier or Contact("")


def render_order_created(event: Event) -> Data:
    """Render that an order was placed."""
    details = event.order_details
    quoted = msgspec.convert(event.data.get("price", ()), tuple[PriceLine, ...])
    cost = estimate_price(details, quoted)
    return {
        "order_id": str(event.order_id),
        "items": [
            {
                "name": item.name,
                "quantity": item.quantity,
                "price": to_major_units(item.quantity * item.price_minor),  # the sample's add up so
            }
            for item in details.items
        ],
        "total_amount": to_major_units(cost.goods_minor),
        "delivery_fee": to_major_units(cost.fee_minor),
        "total_with_fee": to_major_units(cost.total_minor),
        "delivery_address": details.dropoff.address,
        "estimated_delivery_time": f"{travel.PROMISED_MIN} minutes",
        "created_at": format_iso(details.created_at),
    }


def render_delivery_accepted(event: Event) -> Data:
    """Render that a courier has accepted an order."""
    details, courier = event.order_details, _find_contact(event)
    to_pickup = event.data.get("pickup_minutes", travel.TO_PICKUP_MIN)
    way = travel.measure_way_m(details.pickup.point, details.dropoff.point)
    return {
        "delivery_id": str(event.order_id),
        "delivery_boy_id": courier.id,
        "delivery_boy_name": courier.name or "",
        "delivery_boy_rating": _DEFAULT_RATING if courier.rating is None else courier.rating,
        "vehicle_type": courier.vehicle_type or "",
        "accepted_at": format_iso(event.at),
        "estimated_pickup_time": to_pickup,
        "estimated_delivery_time": to_pickup
        + travel.estimate_minutes_or(way, travel.TO_DROPOFF_MIN),
    }


def render_in_transit(event: Event) -> Data:
    """Render the first position after the pickup."""
    fix = event.data["fix"]
    return {
        "delivery_id": str(event.order_id),
        "location": {
            "latitude": fix["lat"],
            "longitude": fix["lng"],
            "address": event.data["address"],
        },
        **omit_none(accuracy=fix.get("accuracy")),
        **_render_remaining_trip(event),
        "updated_at": format_iso(event.at),
    }


def render_arrived(event: Event) -> Data:
    """Render that the courier is at the drop-off."""
    courier, at = (
        _find_contact(event),
        event.data.get("at") or event.order_details.dropoff.point,
    )
    return {
        "delivery_id": str(event.order_id),
        "delivery_boy_id": courier.id,
        "delivery_boy_name": courier.name or "",
        **({"location": {"latitude": at[0], "longitude": at[1]}} if at else {}),
        "phone_number": mask_account(courier.phone or ""),
        "arrived_at": format_iso(event.at),
    }


def render_location(event: Event) -> Data:
    """Render a position on the way."""
    fix = event.data["fix"]
    optional = ("accuracy", "altitude", "speed", "heading")
    return {
        "delivery_id": str(event.order_id),
        "latitude": fix["lat"],
        "longitude": fix["lng"],
        **{name: fix[name] for name in optional if name in fix},
        "timestamp": format_iso(datetime.fromisoformat(fix["at"].replace("Z", "+00:00"))),
    }


def render_eta(event: Event) -> Data:
    """Render that an order comes sooner or later than was said."""
    minutes = event.data["minutes"]
    return {
        "delivery_id": str(event.order_id),
        **_render_remaining_trip(event),
        "eta_timestamp": format_iso(event.at + timedelta(minutes=minutes)),
        "previous_eta_minutes": event.data["previous_minutes"],
        "updated_at": format_iso(event.at),
    }


def _render_remaining_trip(event: Event) -> Data:
    way_m = event.data.get("way_m")
    far = None if way_m is None else round(way_m / 1000, 2)
    return omit_none(eta_minutes=event.data["minutes"], distance_remaining_km=far)


def render_order_confirmed(event: Event) -> Data:
    """Render that the restaurant has confirmed an order."""
    return {
        "order_id": str(event.order_id),
        "confirmation_time": format_iso(event.at),
        "shop_name": event.data.get("shop_name") or event.order_details.merchant_id or "",
        "estimated_ready_time": format_iso(event.at + timedelta(minutes=travel.TO_READY_MIN)),
    }


def render_order_ready(event: Event) -> Data:
    """Render that an order is ready for its courier."""
    return {
        "order_id": str(event.order_id),
        "ready_at": format_iso(event.at),
        "pickup_by": format_iso(event.at + timedelta(minutes=travel.TO_PICKUP_MIN)),
    }


def render_delivery_completed(event: Event) -> Data:
    """Render that an order was handed over."""
    took = event.at - event.order_details.created_at
    return {
        "delivery_id": str(event.order_id),
        "order_id": str(event.order_id),
        "completed_at": format_iso(event.at),
        "total_time_minutes": round(took.total_seconds() / 60),
        "delivery_rating": None,
        "payment_status": event.data.get("payment_status", "pending"),
    }


def render_order_released(event: Event) -> Data:
    """Render that the courier gave an order back before its pickup."""
    return {
        "order_id": str(event.order_id),
        **_render_reason(event),
        "released_at": format_iso(event.at),
    }


def render_delivery_failed(event: Event) -> Data:
    """Render that an order could not be picked up, or handed over."""
    return {
        "delivery_id": str(event.order_id),
        "order_id": str(event.order_id),
        "state": event.status,  # what follows: returning, left, discarded or no_show
        **_render_reason(event),
        "failed_at": format_iso(event.at),
    }


def render_no_show_available(event: Event) -> Data:
    """Render that the courier has waited long enough for a no-show."""
    return {
        "delivery_id": str(event.order_id),
        "order_id": str(event.order_id),
        "state": event.status,  # at_pickup or in_transit, which is: at the drop-off
        "available_at": format_iso(event.at),
    }


def render_at_stop(time_name: str) -> Callable[[Event], Data]:
    """Make what renders which stop a courier is at, or was, and when that was so."""

    def render(event: Event) -> Data:
        order_id = str(event.order_id)
        return {
            "delivery_id": order_id,
            "order_id": order_id,
            "stop": event.data["stop"],
            time_name: format_iso(event.at),
        }

    return render


def render_delivery_returned(event: Event) -> Data:
    """Render that an order is at its pickup again."""
    return {
        "delivery_id": str(event.order_id),
        "order_id": str(event.order_id),
        "returned_at": format_iso(event.at),
    }


def _render_reason(event: Event) -> Data:
    note = event.data.get("note")
    return omit_none(reason=event.data.get("reason_code"), note=note[:MAX_NOTE] if note else None)
