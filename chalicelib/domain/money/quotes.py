"""Quotes: a price that is promised to one customer for one request, for some minutes.

A quote is no row. It is a token (domain/signed_tokens.py) that has the price and all that it
depends on: whoever places an order with it is held to the request that was priced, and the price to
what was said, whatever the tariffs have become since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from math import ceil

import msgspec
from msgspec.structs import replace

from chalicelib.domain.details import OrderDetails, OrderItem, Place
from chalicelib.domain.geo import Point
from chalicelib.domain.money.fares import normalize_vehicle_type
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.price_lines import PriceLine, sum_minor
from chalicelib.domain.request_keys import hash_request
from chalicelib.domain.signed_tokens import TokenSigner
from chalicelib.errors import InvalidInput, QuoteExpired, QuoteMismatch

# The number counts layouts of the payload: a token of another layout is no token.
PURPOSE = "quote 1"
NO_COURIERS_NEAR = "no_couriers_near"


class QuoteRequest(msgspec.Struct, frozen=True):
    """What a price is asked for. The pickup is None where a restaurant is it; `pickup_from` is when
    it shall be picked up, None for now."""

    flow: str
    dropoff: Place
    pickup: Place | None = None
    restaurant_id: str | None = None
    vehicle_type: str | None = None
    items: tuple[OrderItem, ...] = ()
    pickup_from: datetime | None = None


class QuotedRequest(msgspec.Struct, frozen=True, array_like=True):
    """All that a quote holds for, and nothing that makes no difference to it, such as addresses.

    `items` is a hash, `pickup_from` the text of an epoch second: a time is the same in every zone.
    The names of the fields are what clients are told of a mismatch.
    """

    flow: str
    caller: str
    restaurant_id: str | None
    pickup: Point | None
    dropoff: Point | None
    items: str
    vehicle_type: str | None
    pickup_from: str | None


class Quote(msgspec.Struct, frozen=True, array_like=True):
    """A promised price; good before the epoch second `expires_at_s`."""

    request: QuotedRequest
    lines: tuple[PriceLine, ...]
    expires_at_s: int

    @property
    def expires_at(self) -> datetime:
        """The time from which on the quote is good no longer."""
        return datetime.fromtimestamp(self.expires_at_s, timezone.utc)

    @property
    def total_minor(self) -> int:
        """What the order would cost, in minor units."""
        return sum_minor(self.lines)


class IssuedQuote(msgspec.Struct, frozen=True):
    """A quote with its id, which is its token, and what is known beside the price: the metres by
    road, the whole minutes from now to the pickup and to the drop-off, and, where no courier could
    be asked, the reason; the minutes are unknown then."""

    id: str
    quote: Quote
    distance_m: float
    pickup_eta_min: int | None = None
    dropoff_eta_min: int | None = None
    reason: str | None = None


def describe_request(caller_id: str, request: QuoteRequest, pickup: Point | None) -> QuotedRequest:
    """Describe what a quote is asked for; `pickup` is the restaurant's place where it is that."""
    return QuotedRequest(
        request.flow,
        caller_id,
        request.restaurant_id,
        pickup,
        request.dropoff.point,
        _hash_items(request.items),
        _describe_vehicle(request.flow, request.vehicle_type),
        describe_window(request.pickup_from),
    )


def describe_order(details: OrderDetails, pickup_from: datetime | None) -> QuotedRequest:
    """Describe an order that is to be placed as a quote has it. `pickup_from` is the start of its
    window, None where it has none."""
    return QuotedRequest(
        details.flow,
        details.customer_id,
        details.merchant_id,
        details.pickup.point,
        details.dropoff.point,
        _hash_items(details.items),
        _describe_vehicle(details.flow, details.vehicle_type),
        describe_window(pickup_from),
    )


def get_pickup_from(options: OrderOptions) -> datetime | None:
    """Get the start of an order's window, to which its quote must have been made."""
    return options.windows.pickup_from


def describe_window(pickup_from: datetime | None) -> str | None:
    """Describe the start of a window: the text of its epoch second, None for now."""
    return str(int(pickup_from.timestamp())) if pickup_from else None


def compute_expiry_s(now: datetime, ttl: timedelta) -> int:
    """Compute the epoch second at which a quote of now ends: it lives as long as it says, at
    least."""
    return ceil((now + ttl).timestamp())


def find_mismatch(quoted: QuotedRequest, asked: QuotedRequest) -> str | None:
    """Find the first field in which a request is not the one that was quoted; None: it is."""
    for name in QuotedRequest.__struct_fields__:
        if getattr(quoted, name) != getattr(asked, name):
            return name
    return None


def check_quote(quote: Quote, asked: QuotedRequest, now: datetime) -> None:
    """Check that a quote holds for a request, now. Raises QuoteExpired, QuoteMismatch."""
    if now >= quote.expires_at:
        raise QuoteExpired("This quote has expired; ask for another.")
    if field := find_mismatch(quote.request, asked):
        raise QuoteMismatch("This quote is for another request.", field=field)


def sign_quote(quote: Quote, signer: TokenSigner) -> str:
    """Make the id of a quote."""
    return signer.sign_payload(msgspec.json.encode(quote))


def read_quote(quote_id: str, signer: TokenSigner) -> Quote:
    """Read a quote off its id. Raises InvalidInput for what is no id of a quote made here."""
    payload = signer.verify_token(quote_id)
    try:
        if payload is not None:
            return msgspec.json.decode(payload, type=Quote)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # signed by a version with another layout
    raise InvalidInput("quote_id is not the id of a quote.", field="quote_id")


def with_quoted_fare(details: OrderDetails, lines: Sequence[PriceLine]) -> OrderDetails:
    """Return details whose estimate, if they have one, has the quoted fare: rider and drivers are
    told what will be billed."""
    if details.estimate is None:
        return details
    return replace(details, estimate=replace(details.estimate, fare_minor=sum_minor(lines)))


def _hash_items(items: Sequence[OrderItem]) -> str:
    """Hash what is ordered; the order in which it is listed makes no difference. "" for nothing."""
    listed = sorted([item.name, item.quantity, item.price_minor] for item in items)
    return hash_request(listed) if listed else ""


def _describe_vehicle(flow: str, vehicle_type: str | None) -> str | None:
    """Name a vehicle type as tariffs have it; None where the flow asks for none."""
    return normalize_vehicle_type(vehicle_type) if flow == "ride" else None
