"""What a client asks over its socket, in no contract's words."""

from __future__ import annotations

import msgspec

from chalicelib.domain.details import Wish
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.people import Fix


class Authenticate(msgspec.Struct, frozen=True):
    """Who this is, where a contract lets that be said after connecting. What else is said of it
    must be as the token has it."""

    token: str
    person_id: str | None = None
    role_word: str | None = None


class Refresh(msgspec.Struct, frozen=True):
    """A newer token of the same person: the connection ends with this one."""

    token: str


class ReportFix(msgspec.Struct, frozen=True):
    """The courier is here now. `at_work`: that only counts on duty or with an order."""

    fix: Fix
    at_work: bool = False


class SetAvailable(msgspec.Struct, frozen=True):
    """Go on duty, or off. `drives`: for rides, which take a vehicle of a type with a tariff."""

    available: bool
    drives: bool = False


class RequestRide(msgspec.Struct, frozen=True):
    """I want to be driven."""

    wish: Wish


class SeeRide(msgspec.Struct, frozen=True):
    """How does it stand?"""

    order_id: int


class CancelRide(msgspec.Struct, frozen=True):
    """Call it off, as either side."""

    order_id: int
    reason: str | None = None


class Rate(msgspec.Struct, frozen=True):
    """What I thought of the courier: 1 to 5 stars."""

    order_id: int
    stars: int
    comment: str | None = None


class SendMessage(msgspec.Struct, frozen=True):
    """Write to the other side of an order."""

    order_id: int
    text: str


class ReadMessages(msgspec.Struct, frozen=True):
    """What has been written, before one message if it is named?"""

    order_id: int
    before: int | None = None


class Listen(msgspec.Struct, frozen=True):
    """Hear more types of event, or fewer, from now on."""

    more: tuple[str, ...] = ()
    fewer: tuple[str, ...] = ()

    def after(self, hears: tuple[str, ...]) -> tuple[str, ...]:
        """What is heard after it, in the order it was asked for."""
        heard = dict.fromkeys((*hears, *self.more))
        return tuple(type_ for type_ in heard if type_ not in self.fewer)


class StayAwake(msgspec.Struct, frozen=True):
    """The client is still there."""


class TakeStep(msgspec.Struct, frozen=True):
    """Take one step with an order."""

    order_id: int
    command: Command


class AcceptOrder(msgspec.Struct, frozen=True):
    """I will have this order."""

    order_id: int


class ListOpen(msgspec.Struct, frozen=True):
    """What is anybody's to take, in one pool?"""

    pool: str


class ListOwn(msgspec.Struct, frozen=True):
    """Which unfinished orders do my restaurants have?"""


class Leave(msgspec.Struct, frozen=True):
    """That was all: close this connection."""


Ask = (
    Authenticate
    | Refresh
    | ReportFix
    | Listen
    | StayAwake
    | TakeStep
    | AcceptOrder
    | ListOpen
    | ListOwn
    | Leave
    | SetAvailable
    | RequestRide
    | SeeRide
    | CancelRide
    | Rate
    | SendMessage
    | ReadMessages
)
