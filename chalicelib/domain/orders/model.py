"""An order: how far a job has come, and what has lately been told of it."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from chalicelib.domain.details import Contact, Offer, OrderDetails, Trip
from chalicelib.domain.events import Entry, Outbox, order_stream


class Status(str, Enum):
    """Where an order stands, in no contract's words."""

    PENDING = "pending"  # waits for its merchant
    CONFIRMED = "confirmed"
    PREPARING = "preparing"
    READY = "ready"  # open to a pool of couriers, or assigned to one of them
    SEARCHING = "searching"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    AT_PICKUP = "at_pickup"
    IN_TRANSIT = "in_transit"
    DONE = "done"
    CANCELLED = "cancelled"
    UNSERVED = "unserved"


WITH_COURIER = frozenset({Status.ACCEPTED, Status.AT_PICKUP, Status.IN_TRANSIT})
TERMINAL_STATUSES = frozenset({Status.DONE, Status.CANCELLED, Status.UNSERVED})


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of one order. `version` counts commits, from 1; `outbox` holds the events of the
    last of them, so that state and events are one write.

    `offered_to` is everybody it was ever offered to; `excluded` those not to be asked again in
    this search; `unheard` those of the called who may not have heard, and are called once more
    when they are seen. `next_search_at` and `search_until` are set while it waits for a courier: to
    be found, or to collect what is ready.
    """

    id: int
    details: OrderDetails = msgspec.field(name="job")
    status: Status
    updated_at: datetime
    version: int = 0
    courier_id: str | None = None
    courier: Contact | None = None
    offer: Offer | None = None
    offers_made: int = 0
    offered_to: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = msgspec.field(default=(), name="unheard")
    next_search_at: datetime | None = None
    search_until: datetime | None = None
    timeline: dict[str, datetime] = {}
    trip: Trip | None = None
    entries: tuple[Entry, ...] = msgspec.field(default=(), name="outbox")

    @property
    def is_terminal(self) -> bool:
        """No longer anybody's concern, unless its owner tries again."""
        return self.status in TERMINAL_STATUSES

    @property
    def occupied_courier_id(self) -> str | None:
        """The courier that this order occupies, by an offer or by work; else None."""
        return None if self.is_terminal else self.courier_id

    @property
    def is_open(self) -> bool:
        """Anybody's in its pool to take."""
        return self.status is Status.READY and self.courier_id is None

    @property
    def deadline_at(self) -> datetime | None:
        """When somebody must look at this order again, if ever."""
        if self.status is Status.OFFERED and self.offer:
            return self.offer.expires_at
        if self.status is Status.READY:
            return self.search_until
        return self.next_search_at if self.status is Status.SEARCHING else None

    @property
    def outbox(self) -> Outbox:
        """What has lately been told of this order."""
        return Outbox(order_stream(self.id), self.details, self.entries)


class OrderView(msgspec.Struct, frozen=True):
    """An order as those in it see it; `eta_minutes` is until the courier is where they drive to."""

    order: Order
    eta_minutes: int | None = None
