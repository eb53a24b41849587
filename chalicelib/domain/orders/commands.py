"""What can be asked of an order, imperative. `verb` is the row of the transition table."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from chalicelib.domain.details import Contact, Trip


class _Command(msgspec.Struct, frozen=True):
    verb: ClassVar[str] = ""


class MakeOffer(_Command, frozen=True):
    """Ask `courier_id`. `lapsed_courier_id` is who let the previous offer pass, if anybody."""

    verb: ClassVar[str] = "offer"
    courier_id: str
    expires_at: datetime
    expired_courier_id: str | None = None
    distance_m: float | None = None


class AssignCourier(_Command, frozen=True):
    """Give it to `courier_id` by hand, whoever has it now."""

    verb: ClassVar[str] = "assign"
    courier_id: str
    expires_at: datetime
    distance_m: float | None = None
    courier: Contact | None = None


class Accept(_Command, frozen=True):
    """Take the offer; `courier` is what the customer will see of the one who does."""

    verb: ClassVar[str] = "accept"
    courier: Contact
    eta_minutes: int | None = None


class Decline(_Command, frozen=True):
    verb: ClassVar[str] = "decline"


class ExpireOffer(_Command, frozen=True):
    """The `seq`-th offer has lapsed."""

    verb: ClassVar[str] = "expire"
    seq: int


class GiveUp(_Command, frozen=True):
    """Nobody is left to ask."""

    verb: ClassVar[str] = "give_up"
    expired_courier_id: str | None = None


class WaitForCourier(_Command, frozen=True):
    """Nobody to ask right now: look again at `next_search_at`."""

    verb: ClassVar[str] = "wait"
    next_search_at: datetime
    expired_courier_id: str | None = None


class Arrive(_Command, frozen=True):
    verb: ClassVar[str] = "arrive"


class PickUp(_Command, frozen=True):
    """Set off to the drop-off; what is known of the trip by then, where a flow measures trips."""

    verb: ClassVar[str] = "pick_up"
    trip: Trip | None = None
    eta_minutes: int | None = None


class ReachDropoff(_Command, frozen=True):
    """At the drop-off; the order stays in transit until it is handed over."""

    verb: ClassVar[str] = "reach"


class Deliver(_Command, frozen=True):
    """Done; with what the trip came to, where a flow measures trips."""

    verb: ClassVar[str] = "deliver"
    trip: Trip | None = None


class Cancel(_Command, frozen=True):
    """Call it off. `by` is the role of whoever does: its customer, or an admin."""

    verb: ClassVar[str] = "cancel"
    reason: str | None = None
    by: str = "customer"


class OpenToNearby(_Command, frozen=True):
    """Let these couriers take it too, whoever is first; look for more at `next_search_at`.

    `unheard` are those of whoever was called that may not have heard of it.
    """

    verb: ClassVar[str] = "open"
    courier_ids: tuple[str, ...]
    next_search_at: datetime
    unconfirmed: tuple[str, ...] = ()


class Withdraw(_Command, frozen=True):
    """The courier will not finish it, and nobody else shall."""

    verb: ClassVar[str] = "withdraw"
    reason: str | None = None


class HandBack(_Command, frozen=True):
    """The courier will not do it: look for another until `search_until`."""

    verb: ClassVar[str] = "hand_back"
    search_until: datetime | None = None
    reason: str | None = None


class Confirm(_Command, frozen=True):
    """The merchant takes the order."""

    verb: ClassVar[str] = "confirm"


class Prepare(_Command, frozen=True):
    verb: ClassVar[str] = "prepare"


class MakeReady(_Command, frozen=True):
    """It can be picked up, until the time that is set as it is done: nobody may ever come."""

    verb: ClassVar[str] = "make_ready"
    collect_until: datetime | None = None


class Reject(_Command, frozen=True):
    """The merchant will not have it."""

    verb: ClassVar[str] = "reject"


class RetrySearch(_Command, frozen=True):
    verb: ClassVar[str] = "retry"
    search_until: datetime | None = None


Command = (
    MakeOffer
    | AssignCourier
    | Accept
    | Decline
    | ExpireOffer
    | GiveUp
    | WaitForCourier
    | Arrive
    | PickUp
    | ReachDropoff
    | Deliver
    | Cancel
    | OpenToNearby
    | Withdraw
    | HandBack
    | Confirm
    | Prepare
    | MakeReady
    | Reject
    | RetrySearch
)
