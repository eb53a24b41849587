"""Who acts (Actor), who they are (Person), and what a courier is doing (Courier)."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec
from msgspec.structs import replace

from chalicelib.domain.geo import Point
from chalicelib.domain.odometer import Odometer

_NOWHERE_DEG = 1e-5  # a metre


class Role(str, Enum):
    """What a token lets its bearer be. Every contract's own word for it maps here."""

    CUSTOMER = "customer"
    COURIER = "courier"
    MERCHANT = "merchant"
    ADMIN = "admin"
    RECIPIENT = "recipient"  # whoever has an order's tracking link; no token can have it
    SYSTEM = "system"  # Waybill itself; no token can have it


# Every contract's word for a role. Case does not count.
ROLE_WORDS: dict[str, Role] = {
    "customer": Role.CUSTOMER,
    "rider": Role.CUSTOMER,
    "user": Role.CUSTOMER,
    "courier": Role.COURIER,
    "driver": Role.COURIER,
    "delivery_boy": Role.COURIER,
    "merchant": Role.MERCHANT,
    "restaurant": Role.MERCHANT,
    "shop": Role.MERCHANT,
    "owner": Role.MERCHANT,
    "admin": Role.ADMIN,
}


class Actor(msgspec.Struct, frozen=True):
    """The one who asks, as their token says. `role` is None where the token names none; after
    `token_ends_at` nothing is done for its bearer."""

    id: str
    role: Role | None
    name: str | None = None
    phone: str | None = None
    restaurant_ids: tuple[str, ...] = ()
    token_ends_at: datetime | None = msgspec.field(default=None, name="until")


SYSTEM = Actor(id="", role=Role.SYSTEM)


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """A profile. `rating_sum / rating_count` is the rating; unrated people count as 5.0."""

    id: str
    name: str | None = None
    phone: str | None = None
    profile_picture: str | None = None
    vehicle: str | None = None
    vehicle_type: str | None = None
    rating_sum: int = 0
    rating_count: int = 0

    @property
    def rating(self) -> float:
        """The average of all ratings, 5.0 while there is none."""
        return round(self.rating_sum / self.rating_count, 2) if self.rating_count else 5.0


class Rating(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer thought of the courier of one order: 1 to 5 stars."""

    order_id: int
    courier_id: str
    customer_id: str
    stars: int
    at: datetime
    comment: str | None = None


class Restaurant(msgspec.Struct, frozen=True, omit_defaults=True):
    """A restaurant's profile: where its orders are picked up (both degrees or neither)."""

    id: str
    name: str
    address: str
    lat: float | None = None
    lng: float | None = None


class Fix(msgspec.Struct, frozen=True, omit_defaults=True):
    """One position of a courier: degrees, metres per second, metres."""

    lat: float
    lng: float
    at: datetime
    heading: float | None = None
    speed: float | None = None
    accuracy: float | None = None
    altitude: float | None = None

    @property
    def point(self) -> Point:
        """The position as (latitude, longitude)."""
        return self.lat, self.lng

    @property
    def is_real_place(self) -> bool:
        """False for 0/0, which is what receivers tell before they know where they are."""
        return abs(self.lat) > _NOWHERE_DEG or abs(self.lng) > _NOWHERE_DEG

    def is_vague(self, most_m: float) -> bool:
        """Say whether the receiver may be more than `most_m` metres off. An unknown accuracy is
        taken for a good one: most phones send none."""
        return self.accuracy is not None and self.accuracy > most_m


class LastShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """When the customer of an order was last shown its courier, and the minutes then left; and
    whether the order had tracking links then, whose bearers are shown every fix. `others` are the
    same of the courier's other orders."""

    order_id: int
    at: datetime
    minutes: int
    is_tracked: bool = False
    others: tuple[LastShown, ...] = ()

    def find(self, order_id: int) -> LastShown | None:
        """Find what is noted of an order; None where nothing is."""
        return next((one for one in (self, *self.others) if one.order_id == order_id), None)

    def add(self, shown: LastShown, held: tuple[HeldOrder, ...]) -> LastShown:
        """Note anew that an order was shown; what is no longer held is forgotten."""
        held_ids = {one.order_id for one in held} - {shown.order_id}
        others = (replace(one, others=()) for one in (self, *self.others))
        return replace(shown, others=tuple(one for one in others if one.order_id in held_ids))


class HeldOrder(msgspec.Struct, frozen=True):
    """An order that occupies a courier, by an offer or by work; `visible_to` is the customer who
    may follow the fixes live meanwhile."""

    order_id: int
    visible_to: str | None = None


class Courier(msgspec.Struct, frozen=True):
    """A courier as dispatch sees one. Free means available and holding fewer than `max_orders`.

    `order_id` is the first of their orders, which `visible_to` is of; `others` are those beside it,
    in the order in which they came. `fix_received_at` is when the fix reached us, `alive_at` when
    the courier last gave another sign of life: both by our own clock. `is_indexed` says whether
    the index of free couriers has this one. Who `is_paused` is asked for no order until a
    dispatcher resumes them. With DISPATCH_RANK=time `asked_at` is when the last offer was made to
    them, and `answers` how they answered the last ones (domain/orders/acceptance.py).
    """

    id: str
    available: bool = False
    connected: bool = False
    order_id: int | None = None
    fix: Fix | None = None
    fix_received_at: datetime | None = None
    alive_at: datetime | None = None
    is_indexed: bool = True
    idle_since: datetime | None = None
    vehicle_type: str | None = None
    odometer: Odometer = Odometer()
    visible_to: str | None = None
    last_shown: LastShown | None = None
    is_paused: bool = False
    others: tuple[HeldOrder, ...] = ()
    max_orders: int = 1
    asked_at: datetime | None = None
    answers: int = 1

    @property
    def held(self) -> tuple[HeldOrder, ...]:
        """The orders that occupy the courier, the first one first."""
        if self.order_id is None:
            return self.others
        return HeldOrder(self.order_id, self.visible_to), *self.others

    def holds(self, order_id: int) -> bool:
        """Say whether an order occupies the courier."""
        return self.order_id == order_id or any(one.order_id == order_id for one in self.others)

    @property
    def has_room(self) -> bool:
        """True while one more order may occupy the courier."""
        return (self.order_id is not None) + len(self.others) < self.max_orders

    def list_by_order(self) -> list[Courier]:
        """List the courier as each of their orders sees them: with that one as the first."""
        return [
            replace(
                self,
                order_id=one.order_id,
                visible_to=one.visible_to,
                others=tuple(other for other in self.held if other != one),
            )
            for one in self.held
        ]

    @property
    def point(self) -> Point | None:
        """The last position as (latitude, longitude); None where there was none."""
        return self.fix.point if self.fix else None

    @property
    def is_free(self) -> bool:
        """True while the courier is on duty and has room for an order."""
        return self.available and self.has_room

    @property
    def may_be_asked(self) -> bool:
        """True while the courier may be asked for an order: free, and not paused."""
        return self.is_free and not self.is_paused

    @property
    def located_at(self) -> datetime | None:
        """The time at which the position was known, by our clock: phones' differ."""
        return self.fix_received_at or (self.fix.at if self.fix else None)
