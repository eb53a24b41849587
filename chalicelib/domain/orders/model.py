"""An order: what it is about, how far it has come, and its outbox."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec
from msgspec.structs import replace

from chalicelib.domain.courier_changes import CourierChange
from chalicelib.domain.details import Contact, Offer, OrderDetails, Trip
from chalicelib.domain.events import Entry, Outbox, name_order_stream
from chalicelib.domain.orders.changes import Change
from chalicelib.domain.orders.options import NO_OPTIONS, OrderOptions
from chalicelib.domain.orders.proof import NOTHING_PROVEN, OrderProof
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.refund import Refund
from chalicelib.domain.orders.search_plan import SearchPlan
from chalicelib.domain.orders.tip import Tip
from chalicelib.domain.orders.tracking_link import TrackingLink
from chalicelib.domain.orders.waves import OpenWave
from chalicelib.domain.price_lines import PriceLine
from chalicelib.domain.request_keys import RequestKey


class Status(str, Enum):
    """Where an order stands, in no contract's words."""

    SCHEDULED = "scheduled"  # waits for the time when it becomes active: see `windows`
    PENDING = "pending"  # waits for its merchant
    CONFIRMED = "confirmed"
    PREPARING = "preparing"
    READY = "ready"  # open to a pool of couriers, or assigned to one of them
    SEARCHING = "searching"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    AT_PICKUP = "at_pickup"
    IN_TRANSIT = "in_transit"
    RETURNING = "returning"  # could not be handed over: its courier brings it back
    DONE = "done"
    CANCELLED = "cancelled"
    UNSERVED = "unserved"
    NO_SHOW = "no_show"  # nobody was at the pickup
    # Picked up, and not handed over:
    RETURNED = "returned"  # at the pickup again
    LEFT = "left"  # at the drop-off, with nobody who took it
    DISCARDED = "discarded"


# In the timeline of an order that was scheduled.
SCHEDULED, ACTIVATED = Status.SCHEDULED.value, "activated"
# A courier has accepted the order and is not done with it.
WITH_COURIER = frozenset({Status.ACCEPTED, Status.AT_PICKUP, Status.IN_TRANSIT})
# It was picked up, could not be handed over, and is out of its courier's hands.
UNDELIVERED_STATUSES = frozenset({Status.RETURNED, Status.LEFT, Status.DISCARDED})
TERMINAL_STATUSES = UNDELIVERED_STATUSES | {
    Status.DONE,
    Status.CANCELLED,
    Status.UNSERVED,
    Status.NO_SHOW,
}


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of one order. `version` counts commits, from 1; `entries` holds the events of the
    newest of them, so that state and events are one write.

    What it is: `options` are what its customer added. `price` is what was agreed before, by a
    quote: without it the order costs what its flow says. `parent_id` is the order that this one
    tries again. `proof` is how far the proof that the options ask for has been given.

    Its search: `next_search_at` and `search_until` are set while the order waits for a courier: to
    be found, or to collect what is ready. A scheduled order becomes active at its `next_search_at`.
    `plan` has the searches that are to come where there may be several, until somebody has the
    order. `offered_to` names all couriers to whom the order was ever offered, in this search or
    before; `excluded` those who are not to be asked again in this search; `unconfirmed` those of a
    broadcast order who may not have heard of it, and are told again once they are seen. `wave` is
    the one that was asked last in this search, where its flow asks in waves; `more_offers` are open
    beside `offer`, while several couriers are asked at once.

    What has happened: `timeline` has the time of each status, and of what has no status of its own:
    placed, activated, reached, departed, handed_back, released, no_show_available; and of each stop
    what losing_couriers.py names. `changes` are the newest of its history; those before them, if
    any, are in the row that `history_token` names.
    `reason` is the last that was given for a step, unless the order ended otherwise since.
    `releases` counts the couriers who gave it back; `released_by` are those of them who are not
    asked again in this search. `no_show_at` is set while its courier waits at a stop: from then on
    a no-show can be said.

    Money: `tips` are only added to: the place of a tip among them is a part of the key under which
    it is booked. `fees` came with its end, and are its courier's; `refund` is what was paid beyond
    its price, `due_minor` what is still to be paid of it where less was.

    For recipients: `links` are its tracking links, the newest last; `recipient_note` was left by
    one of them after its end.

    Of this version alone, and written as rows of their own: `keys` are of the request that makes
    it, `courier_changes` what a hand does with couriers by it. `unpaid_attempt` is the attempt to
    pay that must not have begun when it is written: its price is another.
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
    plan: SearchPlan | None = None
    timeline: dict[str, datetime] = {}
    trip: Trip | None = None
    entries: tuple[Entry, ...] = msgspec.field(default=(), name="outbox")
    options: OrderOptions = NO_OPTIONS
    keys: tuple[RequestKey, ...] = ()
    price: tuple[PriceLine, ...] = ()
    proof: OrderProof = NOTHING_PROVEN
    changes: tuple[Change, ...] = ()
    history_token: str | None = None
    reason: Reason | None = None
    releases: int = 0
    released_by: tuple[str, ...] = ()
    parent_id: int | None = None
    no_show_at: datetime | None = None
    tips: tuple[Tip, ...] = ()
    fees: tuple[PriceLine, ...] = ()
    refund: Refund | None = None
    due_minor: int = 0
    unpaid_attempt: int | None = None
    courier_changes: tuple[CourierChange, ...] = ()
    links: tuple[TrackingLink, ...] = ()
    recipient_note: str | None = None
    more_offers: tuple[Offer, ...] = ()
    wave: OpenWave | None = None

    @property
    def is_terminal(self) -> bool:
        """True once no more steps are left, but for a retry of an unserved order."""
        return self.status in TERMINAL_STATUSES

    @property
    def occupied_courier_id(self) -> str | None:
        """The courier who may take no other order because of this one, by an offer or by work."""
        return None if self.is_terminal else self.courier_id

    @property
    def occupied_ids(self) -> tuple[str, ...]:
        """All couriers who may take no other order because of this one."""
        if self.is_terminal or self.courier_id is None:
            return ()
        return (self.courier_id, *(offer.courier_id for offer in self.more_offers))

    @property
    def open_offers(self) -> tuple[Offer, ...]:
        """The offers that wait for an answer."""
        return (self.offer, *self.more_offers) if self.offer else ()

    @property
    def open_seq(self) -> int | None:
        """The offer for which the timer of those that are open was set."""
        if self.offer is None:
            return None
        return self.wave.first_seq if self.wave else self.offer.seq

    def put_first(self, courier_id: str) -> Order:
        """Return the order as the one of several couriers who are asked sees it: as an offer to
        them. For anybody else it is as it is."""
        own = next((offer for offer in self.more_offers if offer.courier_id == courier_id), None)
        if own is None:
            return self
        others = tuple(offer for offer in self.open_offers if offer is not own)
        return replace(self, courier_id=courier_id, offer=own, more_offers=others)

    @property
    def placed_at(self) -> datetime:
        """The time from which its history counts."""
        return self.timeline.get("placed", self.details.created_at)

    @property
    def is_open(self) -> bool:
        """True while every courier of the flow's pool may take the order."""
        return self.status is Status.READY and self.courier_id is None

    @property
    def is_sought(self) -> bool:
        """True while a courier is searched for the order, or asked."""
        return self.status in (Status.SEARCHING, Status.OFFERED)

    @property
    def is_dormant(self) -> bool:
        """True while nobody but its customer knows of the order: it is scheduled, or was until it
        ended."""
        return SCHEDULED in self.timeline and ACTIVATED not in self.timeline

    def is_due_to_activate(self, now: datetime) -> bool:
        """Say whether the order is scheduled and its time has come."""
        due_at = self.next_search_at
        return self.status is Status.SCHEDULED and due_at is not None and due_at <= now

    @property
    def deadline_at(self) -> datetime | None:
        """The time at which the system must act on this order; None if it need not."""
        if self.status is Status.OFFERED and self.offer:
            return self.offer.expires_at
        if self.status is Status.READY:
            return self.search_until
        is_waiting = self.status in (Status.SCHEDULED, Status.SEARCHING)
        return self.next_search_at if is_waiting else None

    @property
    def outbox(self) -> Outbox:
        """The newest entries with what they need to be delivered."""
        return Outbox(name_order_stream(self.id), self.details, self.entries, self)


class OrderView(msgspec.Struct, frozen=True):
    """An order as those in it see it. After `eta_minutes` its courier is where they drive to."""

    order: Order
    eta_minutes: int | None = None
