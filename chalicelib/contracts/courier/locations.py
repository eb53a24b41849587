"""Several positions of a courier at once: what a phone has collected where it had no network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.contracts.courier.socket import read_location
from chalicelib.domain.people import Fix
from chalicelib.errors import InvalidInput

MAX_LOCATIONS = 100


def read_locations(data: Mapping[str, Any], now: datetime) -> list[Fix]:
    """Read {points: [...]}, each as read_location does: 1 to MAX_LOCATIONS, in any order.

    Raises InvalidInput, whose field says which point is malformed.
    """
    points = data.get("points")
    if not isinstance(points, list) or not 0 < len(points) <= MAX_LOCATIONS:
        raise InvalidInput(f"points must be a list of 1 to {MAX_LOCATIONS}.", field="points")
    return [_read_listed_location(point, n, now) for n, point in enumerate(points)]


def _read_listed_location(point: Any, n: int, now: datetime) -> Fix:
    name = f"points[{n}]"
    if not isinstance(point, dict):
        raise InvalidInput(f"{name} must be a JSON object.", field=name)
    try:
        return read_location(point, now)
    except InvalidInput as error:
        field = error.details.get("field")
        where = f"{name}.{field}" if field else name
        raise InvalidInput(f"{name}: {error.message}", field=where) from None
