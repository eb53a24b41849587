"""Which of the free couriers that the index names are read, in which order, and when to stop.

The index has a spot of each (domain/geo.py): they are no farther from it than SPOT_KEPT_M. So the
keys alone tell in a cell full of couriers whom there is no need to read: whoever is surely farther
off than the best of those who were read. Where so many stand around a pickup that this leaves more
than a few, the best is who is nearest of those few.

A spot also says whether its courier had a socket when it was written: below zero, none. Those who
had one are read first, as only they are wanted; of the others as few, if they would do.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from chalicelib.domain.geo import Point, find_spot, measure_distance_m, measure_least_m
from chalicelib.domain.geo import measure_to_spot_m as _measure_to_spot_m
from chalicelib.domain.orders.dispatch_policy import FreeCourierQuery
from chalicelib.domain.people import Courier
from chalicelib.store.tables import CourierRow

MAX_NAMED = 3000  # of a cell: 200 KB of keys, 25 read units
_MAX_BATCH = 100  # AWS quota: rows of one BatchGetItem


class NamedCourier(NamedTuple):
    """A courier whom the index names: how far off by their spot, and at least, in metres;
    `is_absent` where they had no socket as it was written."""

    is_absent: bool
    away_m: float
    least_m: float
    courier_id: str


def encode_spot(point: Point, is_connected: bool) -> int:
    """Return a courier's spot as the index has it."""
    spot = find_spot(point)
    return spot if is_connected else -spot


def measure_to_spot_m(point: Point, encoded: float) -> float:
    """Measure the metres from a point to a spot as the index has it."""
    return _measure_to_spot_m(point, abs(int(encoded)))


def read_keys(cell: str) -> list[CourierRow]:
    """Read the keys of the free couriers of a cell."""
    return list(CourierRow.by_spot.query(cell, limit=MAX_NAMED))


def sort_named(hits: Iterable[CourierRow], point: Point) -> list[NamedCourier]:
    """Sort keys as they are to be read: who has a socket first, then the nearest; of equals any, so
    that none is always the last."""
    return sorted(
        (measure_named(str(hit.courier_id), int(hit.spot), point) for hit in hits),
        key=lambda one: (one.is_absent, round(one.away_m), random.random()),
    )


def measure_named(courier_id: str, encoded: int, point: Point) -> NamedCourier:
    """Measure how far off a courier is whom the index names, by their spot as it is encoded."""
    spot = abs(encoded)
    return NamedCourier(
        encoded < 0, _measure_to_spot_m(point, spot), measure_least_m(point, spot), courier_id
    )


def iterate_batches(
    named: Sequence[NamedCourier], point: Point, query: FreeCourierQuery, found: Sequence[Courier]
) -> Iterator[list[str]]:
    """Yield the ids of the couriers to read next, as long as the query wants more. The caller adds
    those that it has read to `found` before it asks for the next."""
    at, count = 0, min(_MAX_BATCH, max(query.first_read, query.enough))
    while count > 0 and at < min(len(named), query.max_read):
        batch = named[at : at + count]
        yield [one.courier_id for one in batch]
        at += len(batch)
        count = _count_next(named[at : at + _MAX_BATCH], at, point, query, found)


def _count_next(
    following: Sequence[NamedCourier],
    read: int,
    point: Point,
    query: FreeCourierQuery,
    found: Sequence[Courier],
) -> int:
    """Count how many of the couriers that follow are to be read, after so many that were."""
    may_read = max(0, query.sure_read - read)
    wanted_m = _sort_distances(filter(query.is_wanted, found), point)
    if len(wanted_m) >= query.enough:
        nearer = (one.least_m < wanted_m[query.enough - 1] for one in following)
        return min(may_read, sum(nearer))
    if not following or not following[0].is_absent:
        return len(following)
    # Nobody is left who is there by the index: one of the others will do.
    fitting = sum(map(query.is_fitting, found))
    return min(may_read, len(following)) if fitting >= query.enough else len(following)


def _sort_distances(couriers: Iterable[Courier], point: Point) -> list[float]:
    return sorted(measure_distance_m(one.point, point) if one.point else 0.0 for one in couriers)
