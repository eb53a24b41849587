"""Reads what clients of spec 001 send: the data of each message, and the same bodies by REST."""

from __future__ import annotations

from datetime import datetime

from chalicelib.contracts.base import MAX_TOKEN, Data, read_optional_text, read_text
from chalicelib.contracts.fixes import read_fix
from chalicelib.contracts.rides import bodies
from chalicelib.domain.details import TripRequest
from chalicelib.domain.ids import parse_id
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.money.fares import STANDARD
from chalicelib.domain.orders.requests import Authenticate, RateCourier, ReportFix
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
