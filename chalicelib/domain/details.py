"""What an order is about: where from, where to, for whom. And its offers."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somewhere: an address, and degrees where they are known (both or neither)."""

    address: str
    lat: float | None = None
    lng: float | None = None

    @property
    def point(self) -> tuple[float, float] | None:
        """(latitude, longitude), or None where they are unknown."""
        return None if self.lat is None or self.lng is None else (self.lat, self.lng)


class Contact(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the other side is shown of a person."""

    id: str
    name: str | None = None
    phone: str | None = None
    picture: str | None = None
    vehicle: str | None = None
    vehicle_type: str | None = None
    rating: float | None = None


class OrderItem(msgspec.Struct, frozen=True):
    """Some of one thing, at a price each."""

    name: str
    quantity: int
    price_minor: int


class Estimate(msgspec.Struct, frozen=True):
    """The distance, time and price of a trip, as far as they can be told before it."""

    distance_m: float
    duration_s: int
    fare_minor: int


class Trip(msgspec.Struct, frozen=True, omit_defaults=True):
    """A measured trip: where it began, at which reading of the courier's odometer, and, once it is
    over, its distance, time and price."""

    odometer_m: float = 0.0
    distance_m: float = 0.0
    duration_s: int = 0
    fare_minor: int = 0
    start: tuple[float, float] | None = None


class OrderDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer ordered. It never changes once the order is active: events copy it.

    `flow` names the transition table and the dispatch policy; `kind` is the customer's own word for
    what is wanted (spec 004: order_type). `customer` is what couriers are shown of the one who
    asks, `vehicle_type` what they must drive. Money is in minor units.
    """

    flow: str
    customer_id: str
    pickup: Place
    dropoff: Place
    created_at: datetime
    receiver_phone: str | None = None
    notes: str | None = None
    merchant_id: str | None = None
    kind: str | None = None
    customer: Contact | None = None
    vehicle_type: str | None = None
    estimate: Estimate | None = None
    items: tuple[OrderItem, ...] = ()

    @property
    def items_minor(self) -> int:
        """What the items cost together."""
        return sum(item.quantity * item.price_minor for item in self.items)


class TripRequest(msgspec.Struct, frozen=True):
    """A trip as a customer asks for it, before it is an order."""

    pickup: Place
    dropoff: Place
    vehicle_type: str
    notes: str | None = None


class Offer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One offer of an order: the `seq`-th, open until `expires_at`.

    `distance_m` is from the courier to the pickup, None where either is unknown.
    """

    seq: int
    courier_id: str
    expires_at: datetime
    distance_m: float | None = None

    def has_expired(self, now: datetime) -> bool:
        """Say whether the offer is over: it is good until its deadline and not a moment longer."""
        return now >= self.expires_at
