"""What a client asks over its socket, in no contract's words."""

from __future__ import annotations

import msgspec

from chalicelib.domain.details import TripRequest
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.people import Fix


class Authenticate(msgspec.Struct, frozen=True):
    """Who this is, where a contract lets that be said after connecting. What else is said of it
    must be as the token has it."""

    token: str
    person_id: str | None = None
    role_word: str | None = None


class RefreshToken(msgspec.Struct, frozen=True):
    """A newer token of the same person: the connection ends with this one."""

    token: str


class ReportFix(msgspec.Struct, frozen=True):
    """The courier is here now. `at_work`: that only counts on duty or with an order."""

    fix: Fix
    only_at_work: bool = False


class SetAvailability(msgspec.Struct, frozen=True):
    """Go on duty, or off. `drives`: for rides, which take a vehicle of a type with a tariff."""

    available: bool
    for_rides: bool = False


class PlaceOrder(msgspec.Struct, frozen=True):
    """I want to be driven."""

    wish: TripRequest


class GetOrder(msgspec.Struct, frozen=True):
    """How does it stand?"""

    order_id: int


class CancelOrder(msgspec.Struct, frozen=True):
    """Call it off, as either side."""

    order_id: int
    reason: str | None = None


class RateCourier(msgspec.Struct, frozen=True):
    """What I thought of the courier: 1 to 5 stars."""

    order_id: int
    stars: int
    comment: str | None = None


class SendMessage(msgspec.Struct, frozen=True):
    """Write to the other side of an order."""

    order_id: int
    text: str


class GetMessages(msgspec.Struct, frozen=True):
    """What has been written, before one message if it is named?"""

    order_id: int
    before: int | None = None


class ChangeSubscriptions(msgspec.Struct, frozen=True):
    """Hear more types of event, or fewer, from now on."""

    subscribe_to: tuple[str, ...] = ()
    unsubscribe_from: tuple[str, ...] = ()

    def apply_to(self, hears: tuple[str, ...]) -> tuple[str, ...]:
        """What is heard after it, in the order it was asked for."""
        heard = dict.fromkeys((*hears, *self.subscribe_to))
        return tuple(type_ for type_ in heard if type_ not in self.unsubscribe_from)


class KeepAlive(msgspec.Struct, frozen=True):
    """The client is still there."""


class TakeStep(msgspec.Struct, frozen=True):
    """Take one step with an order."""

    order_id: int
    command: Command


class AcceptOrder(msgspec.Struct, frozen=True):
    """I will have this order."""

    order_id: int


class ListOpenOrders(msgspec.Struct, frozen=True):
    """What is anybody's to take, in one pool?"""

    pool: str


class ListRestaurantOrders(msgspec.Struct, frozen=True):
    """Which unfinished orders do my restaurants have?"""


class Disconnect(msgspec.Struct, frozen=True):
    """That was all: close this connection."""


ClientRequest = (
    Authenticate
    | RefreshToken
    | ReportFix
    | ChangeSubscriptions
    | KeepAlive
    | TakeStep
    | AcceptOrder
    | ListOpenOrders
    | ListRestaurantOrders
    | Disconnect
    | SetAvailability
    | PlaceOrder
    | GetOrder
    | CancelOrder
    | RateCourier
    | SendMessage
    | GetMessages
)
