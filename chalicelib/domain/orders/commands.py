"""Commands: what can be asked of an order. `verb` is the step of the flow's transition table."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from chalicelib.domain.details import Contact, OrderDetails, Trip
from chalicelib.domain.geo import Point
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.orders.proof import NO_EVIDENCE, Evidence
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.search_plan import SearchPlan
from chalicelib.domain.price_lines import PriceLine


class _Command(msgspec.Struct, frozen=True):
    verb: ClassVar[str] = ""


class MakeOffer(_Command, frozen=True):
    """Offer the order to `courier_id`, until `expires_at`. `expired_courier_id` is who let the last
    offer pass, if anybody, and `also_expired` the others of that wave. `distance_m` is from the
    courier to the pickup. In the `wave` of this number `others` are asked as well, each with their
    distance."""

    verb: ClassVar[str] = "offer"
    courier_id: str
    expires_at: datetime
    expired_courier_id: str | None = None
    distance_m: float | None = None
    also_expired: tuple[str, ...] = ()
    others: tuple[tuple[str, float | None], ...] = ()
    wave: int | None = None


class AssignCourier(_Command, frozen=True):
    """Give the order to `courier_id` by hand, whoever has it now. `courier` is shown to others."""

    verb: ClassVar[str] = "assign"
    courier_id: str
    expires_at: datetime
    distance_m: float | None = None
    courier: Contact | None = None
    reason: Reason | None = None


class Accept(_Command, frozen=True):
    """Take the order. `courier` is what the customer is shown of the courier, `eta_minutes` the way
    to the pickup, where a flow tells it. `position` is where they are, if that is known."""

    verb: ClassVar[str] = "accept"
    courier: Contact
    eta_minutes: int | None = None
    position: Point | None = None


class Decline(_Command, frozen=True):
    """Refuse the offer."""

    verb: ClassVar[str] = "decline"
    reason: Reason | None = None


class ExpireOffer(_Command, frozen=True):
    """End the `seq`-th offer, whose time is up."""

    verb: ClassVar[str] = "expire"
    seq: int


class GiveUp(_Command, frozen=True):
    """End the search: nobody is left to ask, or nobody came in time."""

    verb: ClassVar[str] = "give_up"
    expired_courier_id: str | None = None
    also_expired: tuple[str, ...] = ()


class WaitForCourier(_Command, frozen=True):
    """Search on, though nobody is free right now: look again at `next_search_at`."""

    verb: ClassVar[str] = "wait"
    next_search_at: datetime
    expired_courier_id: str | None = None


class Activate(_Command, frozen=True):
    """Let a scheduled order begin as any new one of its flow does. `search_until` and `plan` are
    those of its search, where it begins with one."""

    verb: ClassVar[str] = "activate"
    search_until: datetime | None = None
    plan: SearchPlan | None = None


class Amend(_Command, frozen=True):
    """Change what a scheduled order is about; it becomes active at `active_at`, and costs `price`
    where that was quoted."""

    verb: ClassVar[str] = "amend"
    details: OrderDetails
    options: OrderOptions
    active_at: datetime | None = None
    price: tuple[PriceLine, ...] = ()


class SearchAnew(_Command, frozen=True):
    """Begin the next search of an order's plan, until `search_until` if the flow waits. `plan` has
    those after it."""

    verb: ClassVar[str] = "search_anew"
    plan: SearchPlan
    search_until: datetime | None = None


class Arrive(_Command, frozen=True):
    """Be at the pickup. The service sets from when a no-show can be said there."""

    verb: ClassVar[str] = "arrive"
    no_show_at: datetime | None = None


class PickUp(_Command, frozen=True):
    """Set off to the drop-off. `trip` is how it begins, where a flow measures trips. `pin` is what
    the courier was told, of which the service makes `evidence`."""

    verb: ClassVar[str] = "pick_up"
    trip: Trip | None = None
    eta_minutes: int | None = None
    pin: str | None = None
    evidence: Evidence = NO_EVIDENCE
    position: Point | None = None


class ReachDropoff(_Command, frozen=True):
    """Be at the drop-off. The order stays in transit until it is handed over. `no_show_at` is as
    Arrive has it."""

    verb: ClassVar[str] = "reach"
    no_show_at: datetime | None = None


class Deliver(_Command, frozen=True):
    """Hand the order over. `trip` is how it ended, where a flow measures trips. `pin` and
    `evidence` are as PickUp has them."""

    verb: ClassVar[str] = "deliver"
    trip: Trip | None = None
    pin: str | None = None
    evidence: Evidence = NO_EVIDENCE
    position: Point | None = None


class Cancel(_Command, frozen=True):
    """Call the order off. `by` is the role of the one who does: its customer, an admin, or its
    merchant by hand."""

    verb: ClassVar[str] = "cancel"
    reason: Reason | None = None
    by: str = "customer"


class OpenToNearby(_Command, frozen=True):
    """Let more couriers take the order, whoever is first; look again at `next_search_at`.

    `unconfirmed` are all couriers to whom it is open and who may not have heard of it;
    `distances_m` has, for each who is added, the way to the pickup.
    """

    verb: ClassVar[str] = "open"
    courier_ids: tuple[str, ...]
    next_search_at: datetime
    unconfirmed: tuple[str, ...] = ()
    distances_m: tuple[float | None, ...] = ()


class Withdraw(_Command, frozen=True):
    """Call the order off as its courier: nobody else shall finish it. `before_pickup` only, where
    that is what the courier asks for."""

    verb: ClassVar[str] = "withdraw"
    reason: Reason | None = None
    before_pickup: bool = False


class HandBack(_Command, frozen=True):
    """Give a broadcast order back as its courier: another is looked for until `search_until`.
    `by_hand` it is taken from them."""

    verb: ClassVar[str] = "hand_back"
    search_until: datetime | None = None
    reason: Reason | None = None
    by_hand: bool = False


class Release(_Command, frozen=True):
    """Give the order back before its pickup, as its courier, who says why; `by_hand` it is taken
    from them, or from `only_from` while others are asked as well. The service sets until when
    another is looked for, or may take it from the pool."""

    verb: ClassVar[str] = "release"
    reason: Reason | None
    search_until: datetime | None = None
    by_hand: bool = False
    only_from: str | None = None


class NoShow(_Command, frozen=True):
    """End an order at whose pickup nobody is, once its courier has waited (waiting.py); at once
    without `is_no_show`, by hand. `by` is the role of the one who does."""

    verb: ClassVar[str] = "no_show"
    reason: Reason
    is_no_show: bool = True
    by: str = "courier"


class TakeBack(_Command, frozen=True):
    """Bring back to the pickup what could not be handed over. With `is_no_show` it could not as
    nobody is there: only once its courier has waited (waiting.py)."""

    verb: ClassVar[str] = "take_back"
    reason: Reason
    is_no_show: bool = False


class FinishReturn(_Command, frozen=True):
    """Hand over at the pickup what was brought back."""

    verb: ClassVar[str] = "finish_return"


class LeaveBehind(_Command, frozen=True):
    """Leave at the drop-off what could not be handed over. An order that asks for proof there
    wants a photo of this, whatever the proof is that it asks for: that is the `evidence`.
    `is_no_show` is as TakeBack has it."""

    verb: ClassVar[str] = "leave"
    reason: Reason
    evidence: Evidence = NO_EVIDENCE
    is_no_show: bool = False


class Discard(_Command, frozen=True):
    """Throw away what could not be handed over. `is_no_show` is as TakeBack has it."""

    verb: ClassVar[str] = "discard"
    reason: Reason
    is_no_show: bool = False


class Confirm(_Command, frozen=True):
    """Take the order as its merchant."""

    verb: ClassVar[str] = "confirm"


class Prepare(_Command, frozen=True):
    """Begin to prepare the order as its merchant."""

    verb: ClassVar[str] = "prepare"


class MakeReady(_Command, frozen=True):
    """Open the order to be collected until `collect_until`: nobody may ever come. The service sets
    that time (services/dispatch/open_pool.py)."""

    verb: ClassVar[str] = "make_ready"
    collect_until: datetime | None = None


class Reject(_Command, frozen=True):
    """Refuse the order as its merchant."""

    verb: ClassVar[str] = "reject"
    reason: Reason | None = None


class RetrySearch(_Command, frozen=True):
    """Search anew, until `search_until` if the flow waits, as the customer of an unserved order, or
    by hand, for a `reason`."""

    verb: ClassVar[str] = "retry"
    search_until: datetime | None = None
    reason: Reason | None = None


Command = (
    MakeOffer
    | AssignCourier
    | Accept
    | Decline
    | ExpireOffer
    | GiveUp
    | WaitForCourier
    | Activate
    | Amend
    | SearchAnew
    | Arrive
    | PickUp
    | ReachDropoff
    | Deliver
    | Cancel
    | OpenToNearby
    | Withdraw
    | HandBack
    | Release
    | NoShow
    | TakeBack
    | FinishReturn
    | LeaveBehind
    | Discard
    | Confirm
    | Prepare
    | MakeReady
    | Reject
    | RetrySearch
)


def add_pin(command: Command, pin: str | None) -> Command:
    """Add the PIN that a courier was told to a step at a stop; other steps take none."""
    is_at_stop = isinstance(command, PickUp | Deliver)
    return replace(command, pin=pin) if pin is not None and is_at_stop else command


def is_internal(command: Command) -> bool:
    """Say whether the reason of a command is a dispatcher's own: it is in the order's history, for
    dispatchers, and the order does not show it."""
    is_taken = isinstance(command, Release | HandBack) and command.by_hand
    return is_taken or isinstance(command, AssignCourier | RetrySearch)
