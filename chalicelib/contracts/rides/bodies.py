"""Spec 001's data: how rides, drivers and messages look, on the socket and over REST.

Distances are kilometres, `duration` is seconds, `eta` and `estimated_duration` are minutes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chalicelib.contracts.base import omit_none, read_number, read_optional_text
from chalicelib.domain.details import Contact, OrderDetails, Place
from chalicelib.domain.events import Event
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.model import Order, OrderView, Status
from chalicelib.domain.people import Role
from chalicelib.domain.travel import to_whole_minutes
from chalicelib.errors import InvalidInput

FINDING, ARRIVING, DRIVING, COMPLETED, CANCELED = (
    "findingDriver",
    "arrivingToPickup",
    "drivingToDestination",
    "completed",
    "canceled",
)
STATUS_WORDS: dict[Status, str] = {
    Status.SCHEDULED: "scheduled",  # only of orders that asked for it
    Status.PENDING: FINDING,
    Status.CONFIRMED: FINDING,
    Status.PREPARING: FINDING,
    Status.READY: FINDING,
    Status.SEARCHING: FINDING,
    Status.OFFERED: FINDING,
    Status.ACCEPTED: ARRIVING,
    Status.AT_PICKUP: ARRIVING,
    Status.IN_TRANSIT: DRIVING,
    Status.DONE: COMPLETED,
    Status.CANCELLED: CANCELED,
    Status.UNSERVED: CANCELED,
    Status.RETURNING: DRIVING,  # from here on, how orders of other flows read here
    Status.RETURNED: CANCELED,
    Status.LEFT: CANCELED,
    Status.DISCARDED: CANCELED,
    Status.NO_SHOW: CANCELED,
}
USER_TYPES: dict[Role, str] = {Role.CUSTOMER: "RIDER", Role.COURIER: "DRIVER"}

# What is said of each step; `{name}` is the driver's first name.
_MESSAGES: dict[Status, str] = {
    Status.SEARCHING: "Looking for another driver",
    Status.ACCEPTED: "Driver {name} is on the way!",
    Status.AT_PICKUP: "Driver {name} has arrived",
    Status.IN_TRANSIT: "Ride started",
    Status.DONE: "Ride completed",
    Status.UNSERVED: "No driver found",
}
_CANCELED_BY = {
    "customer": "Ride canceled by rider",
    "courier": "Ride canceled by driver",
    "admin": "Ride canceled by an admin",
    "merchant": "Ride canceled by a merchant",
}
_CLOSED_REASONS: dict[Status, str] = {Status.CANCELLED: "canceled", Status.UNSERVED: "expired"}


def render_driver(driver: Contact) -> dict[str, Any]:
    """Render the driver as the rider sees them: {id, name, rating, vehicle}."""
    return omit_none(
        id=driver.id, name=driver.name, rating=driver.rating or 5.0, vehicle=driver.vehicle
    )


def render_estimate(order: Order) -> dict[str, Any]:
    """Render a new ride for its rider, with the estimate."""
    estimate = order.details.estimate
    assert estimate is not None, "a ride is placed with its estimate"
    return {
        "ride_id": str(order.id),
        "estimated_fare": to_decimal(estimate.fare_minor),
        "estimated_duration": to_whole_minutes(estimate.duration_s),
    }


def render_ride(view: OrderView) -> dict[str, Any]:
    """Render a ride as those in it see it: the superset of what spec 001's two parts have."""
    order, eta = view.order, view.eta_minutes
    details, driver = order.details, order.courier
    info = render_driver(driver) if driver else None
    return omit_none(
        id=str(order.id),
        status=STATUS_WORDS[order.status],
        pickup=details.pickup.address,
        destination=details.dropoff.address,
        pickup_location=render_location(details.pickup),
        destination_location=render_location(details.dropoff),
        vehicle_type=details.vehicle_type,
        notes=details.notes,
        estimated_fare=to_decimal(details.estimate.fare_minor) if details.estimate else None,
        driver={**info, **omit_none(eta=eta)} if info else None,
        driver_info=info,
        eta_minutes=eta,
        **(_render_trip(order) if order.status is Status.DONE else {}),
    )


def render_ride_summary(view: OrderView) -> dict[str, Any]:
    """Render a ride as `join_ride_room` answers it: {id, status, pickup, destination}."""
    body = render_ride(view)
    return {name: body[name] for name in ("id", "status", "pickup", "destination")}


def render_completed_ride(order: Order) -> dict[str, Any]:
    """Render a ride as `complete_ride` answers it: {id, fare, distance, duration}."""
    return {"id": str(order.id), **_render_trip(order)}


def render_status_update(event: Event) -> dict[str, Any]:
    """Render `ride_status_update`: in both forms of spec 001, and with the ride's id."""
    status = Status(event.status)
    info = render_driver(event.courier) if event.courier else None
    eta = event.data.get("eta_minutes")
    name = (event.courier.name if event.courier else None) or ""
    words = _MESSAGES.get(status) or _CANCELED_BY.get(event.data.get("by", ""), "Ride canceled")
    data = omit_none(
        driver=info,
        driver_info=info,
        message=" ".join(words.format(name=name.partition(" ")[0]).split()),
        reason=event.data.get("reason"),
        eta_minutes=eta,
    )
    return {
        "ride_id": str(event.order_id),
        "status": STATUS_WORDS[status],
        "data": data,
        **omit_none(eta_minutes=eta),
    }


def render_taken_away(event: Event) -> dict[str, Any]:
    """Render `ride_status_update` to the driver who has a ride no longer, though it goes on."""
    return {
        "ride_id": str(event.order_id),
        "status": STATUS_WORDS[Status.CANCELLED],
        "data": {"message": "This ride was taken from you by a dispatcher"},
    }


def render_ride_request(event: Event) -> dict[str, Any]:
    """Render `new_ride_request`, to drivers near by."""
    details = event.details
    assert details is not None, "a broadcast carries its order's details"
    assert details.estimate is not None, "a ride is placed with its estimate"
    return {
        "ride_id": str(event.order_id),
        "pickup": render_location(details.pickup),
        "destination": render_location(details.dropoff),
        "vehicle_type": details.vehicle_type,
        "fare_estimate": to_decimal(details.estimate.fare_minor),
        "rider_info": _render_rider(details),
        **omit_none(notes=details.notes),
    }


def render_request_closed(event: Event) -> dict[str, Any]:
    """Render `ride_request_closed`: it is no longer to be had, and why."""
    reason = _CLOSED_REASONS.get(Status(event.status), "taken")
    return {"ride_id": str(event.order_id), "reason": reason}


def render_location_update(event: Event) -> dict[str, Any]:
    """Render `driver_location_update`, to the rider."""
    data = event.data
    return {
        "ride_id": str(event.order_id),
        "driver_id": data["courier_id"],
        "latitude": data["lat"],
        "longitude": data["lng"],
        "heading": data["heading"],
    }


def render_chat_message(message: ChatMessage) -> dict[str, Any]:
    """Render `chat_message`, as it is pushed."""
    return {
        "id": str(message.id),
        "ride_id": str(message.order_id),
        "sender_id": message.sender_id,
        "sender_type": USER_TYPES[message.sender_role],
        "message": message.text,
        "timestamp": int(message.at.timestamp()),
    }


def render_chat_entry(message: ChatMessage) -> dict[str, Any]:
    """Render a message as `get_ride_chats` lists it: in camel case, as spec 001 has it."""
    pushed = render_chat_message(message)
    return {
        "id": pushed["id"],
        "rideId": pushed["ride_id"],
        "userId": pushed["sender_id"],
        "userType": pushed["sender_type"],
        "message": pushed["message"],
        "timestamp": pushed["timestamp"],
    }


def read_ride_place(data: Any, name: str) -> Place:
    """Read {latitude, longitude, address?} as a place. Raises InvalidInput."""
    if not isinstance(data, dict):
        raise InvalidInput(f"{name} must have latitude and longitude.", field=name)
    lat = read_number(data.get("latitude"), f"{name}.latitude", -90, 90)
    lng = read_number(data.get("longitude"), f"{name}.longitude", -180, 180)
    address = read_optional_text(data.get("address"), f"{name}.address")
    return Place(address or _format_coordinates(lat, lng), lat, lng)


def to_decimal(minor: int) -> float:
    """Minor units as a decimal number."""
    return minor / 100


def _render_trip(order: Order) -> dict[str, Any]:
    trip = order.trip
    if trip is None:
        return {}
    return {
        "fare": to_decimal(trip.fare_minor),
        "distance": round(trip.distance_m / 1000, 2),
        "duration": trip.duration_s,
    }


def render_location(place: Place) -> dict[str, Any]:
    """Render a place; its address only where it has one of its own."""
    own = (
        None
        if place.point and place.address == _format_coordinates(*place.point)
        else place.address
    )
    return omit_none(latitude=place.lat, longitude=place.lng, address=own)


def _render_rider(details: OrderDetails) -> dict[str, Any]:
    rider = details.customer
    first = (rider.name or "").partition(" ")[0] if rider else ""
    return omit_none(name=first or None, rating=(rider.rating if rider else None) or 5.0)


def _format_coordinates(lat: float, lng: float) -> str:
    return f"{lat},{lng}"


def render_sent_message(event: Event) -> dict[str, Any]:
    """Render the chat message that an event tells of."""
    return render_chat_message(msgspec.convert(event.data["message"], ChatMessage))
