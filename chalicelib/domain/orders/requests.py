"""The requests that clients make over a socket, in no contract's words.

Each says what the client asks for, and what its contract gets to make an answer of: nothing where
that is not said. Requests are refused by WaybillErrors (edge/socket_requests.py).
"""

from __future__ import annotations

import msgspec

from chalicelib.domain.details import OrderDetails, TripRequest
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.placing import NO_EXTRAS, PlacingExtras
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.people import Fix
from chalicelib.domain.request_keys import RequestKey


class Authenticate(msgspec.Struct, frozen=True):
    """Ask to be taken for the person of a token, where a contract lets a message say that.

    `person_id` and `role_word` are what the client says of itself beside it, and must be as the
    token has it. An empty token stands for the one of the handshake. `position` is the one that the
    client holds, if it does (messaging/positions.py), and comes before the handshake's. Answered
    with the Actor where the connection was authenticated before, else with the admitted connection
    alone.
    """

    token: str
    person_id: str | None = None
    role_word: str | None = None
    position: str | None = None


class RefreshToken(msgspec.Struct, frozen=True):
    """Ask to stay connected until a newer token of the same person ends.

    Answered with the Actor where the token changes nothing, or the connection is not greeted yet,
    else with the prolonged connection alone.
    """

    token: str


class ReportFix(msgspec.Struct, frozen=True):
    """Ask to note where the courier is. `only_at_work` refuses it off duty and without an order.

    Answered with True, or False where a newer position is known.
    """

    fix: Fix
    only_at_work: bool = False


class SetAvailability(msgspec.Struct, frozen=True):
    """Ask to go on duty, or off. `for_rides` refuses a vehicle whose type has no tariff. Answered
    with the Courier."""

    available: bool
    for_rides: bool = False


class PlaceOrder(msgspec.Struct, frozen=True):
    """Ask for a trip, whose details the tariffs complete, or place an order that is complete.
    Answered with the Order, new or placed before by the same request."""

    order: TripRequest | OrderDetails
    extras: PlacingExtras = NO_EXTRAS


class GetOrder(msgspec.Struct, frozen=True):
    """Ask how an order stands. Answered with an OrderView."""

    order_id: int


class CancelOrder(msgspec.Struct, frozen=True):
    """Ask to call an order off, as its customer or its courier. Answered with the Order."""

    order_id: int
    reason: Reason | None = None


class RateCourier(msgspec.Struct, frozen=True):
    """Ask to rate the courier of a finished order, with 1 to 5 stars."""

    order_id: int
    stars: int
    comment: str | None = None


class SendMessage(msgspec.Struct, frozen=True):
    """Ask to send a text to the other side of an order. Answered with the ChatMessage, new or sent
    before by the same request, which `key` tells."""

    order_id: int
    text: str
    key: RequestKey | None = None


class GetMessages(msgspec.Struct, frozen=True):
    """Ask for the newest messages of an order: the newest before the message `before`, if given.

    Answered with a page of ChatMessages, in order of time.
    """

    order_id: int
    before: int | None = None


class ChangeSubscriptions(msgspec.Struct, frozen=True):
    """Ask to hear more types of event, or fewer, from now on.

    Answered with the changed connection alone.
    """

    subscribe_to: tuple[str, ...] = ()
    unsubscribe_from: tuple[str, ...] = ()

    def apply_to(self, subscriptions: tuple[str, ...]) -> tuple[str, ...]:
        """Return the subscriptions after this change, without repetition, in the order asked for.

        A type that is in both lists is not heard.
        """
        joined = dict.fromkeys((*subscriptions, *self.subscribe_to))
        return tuple(type_ for type_ in joined if type_ not in self.unsubscribe_from)


class KeepAlive(msgspec.Struct, frozen=True):
    """Ask for nothing but not to be closed for silence."""


class TakeStep(msgspec.Struct, frozen=True):
    """Ask to take one step with an order, as its courier or its restaurant. Answered with the Order
    after it."""

    order_id: int
    command: Command


class AcceptOrder(msgspec.Struct, frozen=True):
    """Ask to have an order, as a courier. Answered with the Order after it."""

    order_id: int


class ListOpenOrders(msgspec.Struct, frozen=True):
    """Ask for the orders of a pool that any courier may take. Answered with a list of Orders, the
    newest last."""

    pool: str


class ListRestaurantOrders(msgspec.Struct, frozen=True):
    """Ask for the unfinished orders of the owner's restaurants. Answered with a list of Orders, the
    newest last."""


class Disconnect(msgspec.Struct, frozen=True):
    """Ask to have this connection closed."""


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
