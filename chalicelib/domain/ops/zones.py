"""Zones: the parts of the world that a dispatcher looks at, H3 cells of one resolution."""

from __future__ import annotations

import re

from chalicelib.domain.geo import Point, load_h3
from chalicelib.errors import InvalidInput

_CELL = re.compile("[0-9a-f]{15}", re.ASCII)


def find_zone(point: Point | None, resolution: int) -> str | None:
    """Find the zone that a point lies in; None where the point is not known."""
    return None if point is None else str(load_h3().latlng_to_cell(*point, resolution))


def read_zone(text: str | None, resolution: int) -> str | None:
    """Read the zone that a client names; None, for all of them, where it names none.

    Raises InvalidInput for what is no cell of this resolution, as H3 writes it.
    """
    if not text:
        return None
    # H3 itself takes what stands for a cell in other letters, too: rows would never match it.
    h3, is_canonical = load_h3(), _CELL.fullmatch(text) is not None
    if is_canonical and h3.is_valid_cell(text) and h3.get_resolution(text) == resolution:
        return text
    raise InvalidInput(f"zone must be an H3 cell of resolution {resolution}.", field="zone")


def name_search_pool(flow: str, pickup: Point | None, resolution: int) -> str | None:
    """Name the pool of the orders of a flow that search for couriers in one zone; None where nobody
    knows where that is."""
    zone = find_zone(pickup, resolution)
    return f"{flow}#{zone}" if zone else None
