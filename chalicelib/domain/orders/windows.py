"""The times between which an order is to be picked up, and by which it is to be there."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from chalicelib.errors import InvalidInput

MAX_AHEAD = timedelta(days=30)  # for `pickup_from`
MAX_END_AHEAD = timedelta(days=31)  # for the other two: nobody searches for years
MIN_PICKUP_TIME = timedelta(minutes=10)
MIN_TIME_TO_DROPOFF = timedelta(minutes=20)


class Windows(msgspec.Struct, frozen=True, omit_defaults=True):
    """When an order may be picked up, in UTC: from a time, by a time; and by when it is to be
    dropped off. Each may be left open, but `pickup_by` only comes with `pickup_from`."""

    pickup_from: datetime | None = None
    pickup_by: datetime | None = None
    dropoff_by: datetime | None = None


NO_WINDOWS = Windows()


def check_windows(windows: Windows, now: datetime) -> None:
    """Check windows that are asked for now: what is past, too far ahead or too short is refused.

    Only a new wish is checked: one that is sent again is answered with what came of the first.
    Raises InvalidInput.
    """
    _check_pickup(windows, now)
    _check_dropoff(windows, now)
    for name in ("pickup_by", "dropoff_by"):
        at = getattr(windows, name)
        if at and at >= now + MAX_END_AHEAD:
            raise InvalidInput(f"{name} must be less than 31 days ahead.", field=name)


def _check_pickup(windows: Windows, now: datetime) -> None:
    begin, end = windows.pickup_from, windows.pickup_by
    if begin is None:
        if end is not None:
            raise InvalidInput("pickup_by comes with pickup_from.", field="pickup_by")
        return
    if begin < now:
        raise InvalidInput("pickup_from must not be in the past.", field="pickup_from")
    if begin >= now + MAX_AHEAD:
        raise InvalidInput("pickup_from must be less than 30 days ahead.", field="pickup_from")
    if end is not None and end < begin + MIN_PICKUP_TIME:
        raise InvalidInput(
            "pickup_by must be 10 minutes or more after pickup_from.", field="pickup_by"
        )


def _check_dropoff(windows: Windows, now: datetime) -> None:
    end = windows.dropoff_by
    if end is None:
        return
    if end < now + MIN_TIME_TO_DROPOFF:
        raise InvalidInput("dropoff_by must be 20 minutes or more from now.", field="dropoff_by")
    picked_up_by = windows.pickup_by or windows.pickup_from
    if picked_up_by and end <= picked_up_by:
        raise InvalidInput("dropoff_by must be after the pickup.", field="dropoff_by")


def compute_activation(windows: Windows, lead: timedelta, now: datetime) -> datetime | None:
    """Compute when an order becomes active: `lead` before its pickup; None where that is not to
    come, and the order is active at once."""
    if windows.pickup_from is None:
        return None
    at = windows.pickup_from - lead
    return at if at > now else None
