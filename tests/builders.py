"""Things as tests need them: a default for everything, and only what matters is said."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from chalicelib.domain.details import Contact, Offer, OrderDetails, Place
from chalicelib.domain.orders import lifecycle
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Actor, Courier, Fix, Role

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=timezone.utc)  # to come: no engine's expiry reaches it
DEPOT = (12.9716, 77.5946)  # where tests happen


def north_of(point: tuple[float, float], metres: float) -> tuple[float, float]:
    """A point that many metres further north."""
    return point[0] + metres / 111_195, point[1]


def a_job(**changes: Any) -> OrderDetails:
    """A parcel from the depot to a door some 2 km away."""
    defaults: dict[str, Any] = {
        "flow": "delivery",
        "customer_id": "cara",
        "pickup": Place("1 Depot Road", *DEPOT),
        "dropoff": Place("2 Door Street", *north_of(DEPOT, 2000)),
        "receiver_phone": "+911234567890",
        "created_at": NOW,
    }
    return OrderDetails(**{**defaults, **changes})


def an_offer(courier_id: str = "dan", **changes: Any) -> Offer:
    """The first offer, open for 15 s from NOW."""
    defaults = {"seq": 1, "courier_id": courier_id, "expires_at": NOW + timedelta(seconds=15)}
    return Offer(**{**defaults, **changes})


def an_order(status: Status = Status.SEARCHING, **changes: Any) -> Order:
    """An order as it is in a status: held by dan wherever somebody holds it."""
    defaults: dict[str, Any] = {
        "id": 4711,
        "details": a_job(),
        "status": status,
        "updated_at": NOW,
        "version": 1,
        "timeline": {"placed": NOW},
    }
    if status is Status.SCHEDULED:
        defaults["timeline"] = {"placed": NOW, "scheduled": NOW}
        defaults["next_search_at"] = NOW + timedelta(hours=1)
    elif status not in (Status.SEARCHING, Status.UNSERVED, Status.CANCELLED):
        defaults |= {"courier_id": "dan", "offers_made": 1, "offered_to": ("dan",)}
        defaults |= {"excluded": ("dan",)}
    if status is Status.AT_PICKUP:  # for long enough
        defaults["timeline"] = {"placed": NOW, "at_pickup": NOW}
        defaults["no_show_at"] = NOW
    if status is Status.OFFERED:
        defaults["offer"] = an_offer()
    elif "courier_id" in defaults:
        defaults["courier"] = a_contact()
    return Order(**{**defaults, **changes})


def a_placed_order(**changes: Any) -> Order:
    """An order as lifecycle.create_order() makes it."""
    order, _ = lifecycle.create_order(4711, a_job(**changes), NOW)
    return order


def a_contact(id_: str = "dan", **changes: Any) -> Contact:
    """What a customer is shown of a courier."""
    return Contact(**{"id": id_, "name": "Dan", "phone": "+919876543210", **changes})


def a_fix(point: tuple[float, float] = DEPOT, **changes: Any) -> Fix:
    """A position, from NOW."""
    return Fix(**{"lat": point[0], "lng": point[1], "at": NOW, **changes})


def a_courier(id_: str = "dan", **changes: Any) -> Courier:
    """A free courier at the depot, connected, idle since NOW."""
    defaults: dict[str, Any] = {
        "available": True,
        "connected": True,
        "fix": a_fix(),
        "idle_since": NOW,
    }
    return Courier(id_, **{**defaults, **changes})


def an_actor(id_: str, role: Role | None, **changes: Any) -> Actor:
    """Somebody with a token."""
    return Actor(id_, role, **changes)
