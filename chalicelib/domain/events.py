"""What has happened: one frozen event a recipient, in the past tense, in no contract's words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from chalicelib.domain.details import Contact, Offer, OrderDetails
from chalicelib.domain.people import Role

ORDER_PLACED = "order_placed"  # to the customer
ORDER_ACTIVATED = "order_activated"  # its time has come: to those who hear only now that it is new
OFFER_MADE = "offer_made"  # to the courier it is offered to
ORDER_OFFERED = "order_offered"  # to the customer: a courier is being asked
OFFER_TIMED_OUT = "offer_timed_out"  # to the courier who let it lapse
# To the courier who no longer has it: `lapsed`, `taken` by another who was asked, or by hand.
OFFER_REASSIGNED = "offer_reassigned"
SEARCH_FAILED = "search_failed"  # to the courier whose lapse ended the search
ORDER_DECLINED = "order_declined"  # the rest, to the customer
ORDER_ACCEPTED = "order_accepted"
COURIER_ARRIVED = "courier_arrived"  # at the pickup
ORDER_PICKED_UP = "order_picked_up"
DROPOFF_REACHED = "dropoff_reached"
ORDER_DELIVERED = "order_delivered"
ORDER_UNSERVED = "order_unserved"
ORDER_CANCELLED = "order_cancelled"  # to the customer, and to the courier who had it
ORDER_TIPPED = "order_tipped"  # to the courier; in no contract's words: their wallet tells
ORDER_CHARGED = "order_charged"  # likewise: it ended with a fee
ORDER_AMENDED = "order_amended"  # to nobody: it was changed while it was scheduled
# To the customer, in no contract's words: it had a price, and was called off while it was scheduled
ORDER_CALLED_OFF = "order_called_off"
# To the customer and, of what a merchant has made, to the merchant:
ORDER_RELEASED = "order_released"  # its courier gave it back before the pickup
# It could not be picked up or handed over; the status says what follows.
DELIVERY_FAILED = "delivery_failed"
DELIVERY_RETURNED = "delivery_returned"  # it is at the pickup again

# Orders that a merchant makes ready for a pool of couriers: to the customer and the merchant, and
# to the courier who has it
ORDER_CONFIRMED = "order_confirmed"
ORDER_PREPARING = "order_preparing"
ORDER_READY = "order_ready"
ORDER_CLAIMED = "order_claimed"  # to the courier who took it from the pool
ORDER_ASSIGNED = "order_assigned"  # given to a courier by hand
ORDER_OPENED = "order_opened"  # to the pool: anybody's to take
ORDER_TAKEN = "order_taken"  # to the pool: no longer

# To both sides: the courier has waited long enough at a stop
NO_SHOW_AVAILABLE = "no_show_available"
# To both sides, by the courier's positions: they are near a stop; they have left one
COURIER_NEAR = "courier_near"
COURIER_LEFT = "courier_left"
# To the courier: by their positions they are at a stop
ARRIVAL_SUGGESTED = "arrival_suggested"

# Along the way, to the customer
DELIVERY_DEPARTED = "delivery_departed"  # the first fix after the pickup
POSITION_NOTED = "position_noted"  # every half minute, not kept
ETA_CHANGED = "eta_changed"  # not kept

# Money: to the courier whose wallet or payout it is, or to the customer who pays
EARNING_RECORDED = "earning_recorded"
BONUS_EARNED = "bonus_earned"
WALLET_UPDATED = "wallet_updated"
PAYOUT_APPROVED = "payout_approved"
PAYOUT_COMPLETED = "payout_completed"
PAYMENT_INITIATED = "payment_initiated"
PAYMENT_COMPLETED = "payment_completed"
PAYMENT_FAILED = "payment_failed"
# Of an order that has ended, to its customer:
REFUND_DUE = "refund_due"  # more was paid than it costs
PAYMENT_DUE = "payment_due"  # less was
REFUND_PAID = "refund_paid"  # to webhook endpoints alone: it was paid back
# To the owner of a webhook endpoint: it is sent to no more
WEBHOOK_DISABLED = "webhook_disabled"
# Orders that are called out to the couriers near by
ORDER_BROADCAST = "order_called"  # to each of them: who accepts first has it
BROADCAST_CLOSED = "order_closed"  # to each of them: too late
ORDER_REOPENED = "order_reopened"  # to the customer: its courier gave it back
COURIER_STEPPED = "courier_stepped"  # to the courier, of a step with the order
COURIER_MOVED = "courier_moved"  # to the customer: a fix
# To whoever has a tracking link of the order, not kept
TRACKED_CHANGED = "tracked_changed"
TRACKED_MOVED = "tracked_moved"
# To whoever watches the dispatcher's board, not kept
BOARD_SHOWN = "board_shown"  # all that they may see
BOARD_CHANGED = "board_changed"  # how it differs
BOARD_RESUMED = "board_resumed"  # they are told what came after their position
BOARD_GAP = "board_gap"  # that can't be told any more: they are shown all
MESSAGE_SENT = "message_sent"  # to both sides of a conversation
ANNOUNCEMENT = "announcement"  # to everybody

CRITICAL = frozenset({PAYMENT_FAILED})  # kept in an index of their own (spec 003)
# More follows: its courier is released, and earns; what it owes is booked; what was paid more or
# less than its price is noted.
FOLLOWED_UP = frozenset(
    {
        ORDER_DELIVERED,
        ORDER_TIPPED,
        ORDER_CHARGED,
        ORDER_CANCELLED,
        ORDER_CALLED_OFF,
        ORDER_UNSERVED,
        DELIVERY_FAILED,
        PAYMENT_COMPLETED,
    }
)

NOBODY = ""  # the recipient of an event of which webhook endpoints alone are told
_ORDER = "order#"

DELIVERABLE_FOR = timedelta(hours=24)  # how long an event waits for somebody who is offline
LOGGED_FOR = timedelta(days=8)  # and how long it can be looked up: spec 003 asks for 168 hours


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened to an order (or wallet, payment ...), for one recipient.

    (stream, version, ordinal) says which fact it is. `seq` is its place in the recipient's log, and
    (to, seq) its id on the wire. `details` are attached when it is appended to the log, so that the
    order's own copy of the event stays small. `audience` is the role it is meant for: somebody may
    be the customer and the courier of one order; None is whoever hears of it.
    """

    type: str
    to: str
    stream: str
    version: int
    ordinal: int
    at: datetime
    status: str = ""
    valid_until: datetime | None = None
    courier: Contact | None = None
    offer: Offer | None = None
    data: dict[str, Any] = {}
    details: OrderDetails | None = msgspec.field(default=None, name="job")
    seq: int = 0
    audience: Role | None = msgspec.field(default=None, name="for")

    @property
    def order_id(self) -> int:
        """The order that the event is about. Only for events whose stream is an order's."""
        return int(self.stream.partition("#")[2])

    @property
    def order_details(self) -> OrderDetails:
        """The details of the order this is about. Only for events that are delivered: the order's
        own copies have none."""
        assert self.details is not None, "events of orders are delivered with the order's details"
        return self.details

    def is_current(self, now: datetime) -> bool:
        """Tell whether the event is still worth delivering."""
        return now < (self.valid_until or self.at + DELIVERABLE_FOR)

    def is_open(self, now: datetime) -> bool:
        """Tell whether the event has not lapsed, as an offer does: only that keeps it from a client
        that asks for what came after its position."""
        return self.valid_until is None or now < self.valid_until


def draft_event(type_: str, to: str, stream: str, now: datetime, **fields: Any) -> Event:
    """Make an event that has no number yet: it gets its version and ordinal as its aggregate is
    written, or none where it is posted at once and kept nowhere. `fields` are others of Event."""
    return Event(type=type_, to=to, stream=stream, version=0, ordinal=0, at=now, **fields)


class Entry(msgspec.Struct, frozen=True):
    """The events of one version of an aggregate, kept in its row until every log has them."""

    version: int
    at: datetime
    events: tuple[Event, ...]


class Outbox(msgspec.Struct, frozen=True):
    """The newest entries of an aggregate, with its stream's name and, of an order, its details.

    `aggregate` is whose outbox it is, where webhook endpoints may hear of it: they are told more
    than the events say. It is as of its own version, maybe a later one than an event's.
    """

    stream: str
    details: OrderDetails | None
    entries: tuple[Entry, ...]
    aggregate: object = None

    @property
    def newest_version(self) -> int:
        """The newest version that has events, 0 where none has."""
        return max((entry.version for entry in self.entries), default=0)

    @property
    def pending_id(self) -> str:
        """The outbox as a mailbox lists it as pending. It names the version, so that a later one
        is pending by itself."""
        return f"{self.stream}@{self.newest_version}"

    def find_newest_version(self, person_id: str) -> int:
        """Return the newest version that has an event for a person, 0 where none has."""
        mine = (e.version for e in self.entries if any(one.to == person_id for one in e.events))
        return max(mine, default=0)

    def find_event(self, type_: str) -> Event | None:
        """Find an event of some type, the oldest first; None if there is none."""
        events = (event for entry in self.entries for event in entry.events)
        return next((event for event in events if event.type == type_), None)

    def list_recipients(self) -> tuple[str, ...]:
        """List everybody who has an event here, once each, in order of first mention."""
        found = dict.fromkeys(e.to for entry in self.entries for e in entry.events)
        return tuple(to for to in found if to != NOBODY)


def name_order_stream(order_id: int) -> str:
    """Name the stream of an order's events."""
    return f"{_ORDER}{order_id}"


def parse_order_id(stream: str) -> int | None:
    """Read which order a stream is of; None for the streams of other things."""
    return int(stream.removeprefix(_ORDER)) if stream.startswith(_ORDER) else None


def is_loss_to_another(event: Event) -> bool:
    """Say whether an event tells a courier that another, who was asked as well, has the order."""
    return event.type == OFFER_REASSIGNED and "taken" in event.data
