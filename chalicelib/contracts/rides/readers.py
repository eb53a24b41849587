"""Reads what clients of spec 001 send: the data of each message, and the same bodies by REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts.base import (
    MAX_TOKEN,
    Data,
    SocketMessage,
    read_optional_text,
    read_text,
)
from chalicelib.contracts.fixes import read_fix
from chalicelib.contracts.placing import read_order_options, read_quote_id
from chalicelib.contracts.rides import bodies
from chalicelib.domain.details import TripRequest
from chalicelib.domain.ids import parse_id
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.money.fares import STANDARD
from chalicelib.domain.orders.placing import PlacingExtras
from chalicelib.domain.orders.requests import (
    Authenticate,
    ClientRequest,
    PlaceOrder,
    RateCourier,
    ReportFix,
    SendMessage,
)
from chalicelib.domain.request_keys import (
    MIN_KEY,
    hash_request,
    make_connection_key,
    make_external_id_key,
    make_request_key,
)
from chalicelib.errors import InvalidInput, NotFound

NO_SUCH_RIDE = "There is no such ride."


def read_ride_id(data: Data) -> int:
    """Read which ride is meant. Raises InvalidInput if absent, NotFound if there can't be one."""
    value = data.get("ride_id")
    if value is None or isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidInput("ride_id is required.", field="ride_id")
    if isinstance(value, str):
        value = read_text(value, "ride_id")
    found = parse_id(value)
    if found is None:
        raise NotFound(NO_SUCH_RIDE)
    return found


def read_ride_request(data: Data) -> TripRequest:
    """Read the body of `request_ride` and of POST /api/v1/riders/rides. Raises InvalidInput."""
    return TripRequest(
        pickup=bodies.read_ride_place(data.get("pickup"), "pickup"),
        dropoff=bodies.read_ride_place(data.get("destination"), "destination"),
        vehicle_type=read_optional_text(data.get("vehicle_type"), "vehicle_type", 40) or STANDARD,
        notes=read_optional_text(data.get("notes"), "notes"),
    )


def add_keys(
    request: ClientRequest | None,
    message: SocketMessage,
    data: Any,
    connection: Connection,
    now: datetime,
) -> ClientRequest | None:
    """Give a request that creates the keys by which it is known when it comes again: by the
    `event_id` of its message, and a ride by its `external_id`; and a ride its quote. Raises
    InvalidInput.

    A long event_id is a key of its person's. A short one is a key within its own connection: many
    clients count theirs from 1. An empty one tells no message from another, and is none.
    """
    if not isinstance(request, PlaceOrder | SendMessage):
        return request
    person_id, request_hash, key = connection.person_id, hash_request(message.name, data), None
    if text := "" if message.echo is None else str(message.echo):
        make = make_request_key if len(text) >= MIN_KEY else make_connection_key
        owner = person_id if len(text) >= MIN_KEY else connection.id
        key = make(owner, text, request_hash, now)
    if isinstance(request, SendMessage):
        return replace(request, key=key)
    options = read_order_options(data or {})
    id_ = options.external_id
    quote_id = read_quote_id(data or {})
    external_key = make_external_id_key(None, person_id, id_, request_hash) if id_ else None
    return replace(request, extras=PlacingExtras(options, key, external_key, quote_id))


def read_rating(data: Data) -> RateCourier:
    """Read the body of `rate_driver` and POST /api/v1/riders/rate/driver. Raises InvalidInput."""
    stars = data.get("rating")
    if isinstance(stars, bool) or not isinstance(stars, int) or not 1 <= stars <= 5:
        raise InvalidInput("rating must be a whole number from 1 to 5.", field="rating")
    return RateCourier(
        read_ride_id(data), stars, read_optional_text(data.get("comment"), "comment")
    )


def read_authenticate(data: Data, connection: Connection, now: datetime) -> Authenticate:
    """Read the token of `authenticate`. Raises InvalidInput."""
    return Authenticate(read_text(data.get("token"), "token", MAX_TOKEN))


def read_location_update(data: Data, connection: Connection, now: datetime) -> ReportFix:
    """Read a driver's position. Raises InvalidInput."""
    fix = read_fix(data, now, "latitude", "longitude", "timestamp")
    return ReportFix(fix, only_at_work=True)


def read_before(data: Data) -> int | None:
    """Read before which message a page of a conversation ends; None for the newest page. Raises
    InvalidInput."""
    before = data.get("before")
    if before is None:
        return None
    found = parse_id(before)
    if found is None:
        raise InvalidInput("before must be the id of a message.", field="before")
    return found
