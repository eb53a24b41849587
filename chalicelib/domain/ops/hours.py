"""Figures by the hour: of the orders that became active in it, however they ended, and when.

An hour's figures are its orders': what happens to one later is still said of the hour in which it
began. All hours are UTC's.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from math import ceil

import msgspec

from chalicelib.domain.ops.summary import OrderSummary

HOUR = timedelta(hours=1)
MAX_HOURS = 168  # so many can be asked for
_HOUR_MS = 3_600_000


class Percentiles(msgspec.Struct, frozen=True):
    """The median and what 95 of 100 are at most; None of nothing."""

    p50: int | None = None
    p95: int | None = None


class HourFigures(msgspec.Struct, frozen=True):
    """What the orders of an hour, or of several, come to. Percents are None where there is nothing
    that they are of: those of answers are of the offers that were answered or have lapsed, that of
    idle couriers of those who were counted on duty."""

    orders: int
    first_offer_ms: Percentiles
    assign_ms: Percentiles
    offers_per_order: float | None
    accepted_percent: float | None
    declined_percent: float | None
    ignored_percent: float | None
    unserved_percent: float | None
    pickup_wait_s: Percentiles
    door_wait_s: Percentiles
    on_time_percent: float | None
    couriers_idle_percent: float | None
    ends: dict[str, int]
    reasons: dict[str, int]


class HourSample:
    """What is counted of some orders, to be added to: numbers alone, as there may be many."""

    def __init__(self) -> None:
        self.orders = 0
        self.offers = self.accepted = self.declined = self.ignored = 0
        self.promised = self.on_time = self.unserved = 0
        self.couriers = self.idle = 0
        self.first_offer_ms, self.assign_ms = array("q"), array("q")
        self.pickup_wait_s, self.door_wait_s = array("q"), array("q")
        self.ends: dict[str, int] = {}
        self.reasons: dict[str, int] = {}

    def add_order(self, one: OrderSummary) -> None:
        """Count one order."""
        self.orders += 1
        self.offers += one.offers
        self.accepted += one.accepted
        self.declined += one.declined
        self.ignored += one.ignored
        self.promised += one.on_time is not None
        self.on_time += one.on_time is True
        self.unserved += one.is_unserved
        for values, value in (
            (self.first_offer_ms, one.first_offer_ms),
            (self.assign_ms, one.assign_ms),
            (self.pickup_wait_s, one.pickup_wait_s),
            (self.door_wait_s, one.door_wait_s),
        ):
            if value is not None:
                values.append(value)
        if one.end:
            _count(self.ends, one.end.value)
        if one.reason:
            _count(self.reasons, one.reason)

    def add_duty(self, couriers: int, idle: int) -> None:
        """Count couriers on duty, and those of them who were idle."""
        self.couriers += couriers
        self.idle += idle

    def add_sample(self, other: HourSample) -> None:
        """Count what another sample has counted."""
        for name in ("orders", "offers", "accepted", "declined", "ignored"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("promised", "on_time", "unserved", "couriers", "idle"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("first_offer_ms", "assign_ms", "pickup_wait_s", "door_wait_s"):
            getattr(self, name).extend(getattr(other, name))
        for mine, theirs in ((self.ends, other.ends), (self.reasons, other.reasons)):
            for name, times in theirs.items():
                _count(mine, name, times)


def compute_figures(sample: HourSample) -> HourFigures:
    """Compute what a sample comes to."""
    finished = sample.accepted + sample.declined + sample.ignored
    return HourFigures(
        orders=sample.orders,
        first_offer_ms=find_percentiles(sample.first_offer_ms),
        assign_ms=find_percentiles(sample.assign_ms),
        offers_per_order=round(sample.offers / sample.orders, 2) if sample.orders else None,
        accepted_percent=compute_percent(sample.accepted, finished),
        declined_percent=compute_percent(sample.declined, finished),
        ignored_percent=compute_percent(sample.ignored, finished),
        unserved_percent=compute_percent(sample.unserved, sample.orders),
        pickup_wait_s=find_percentiles(sample.pickup_wait_s),
        door_wait_s=find_percentiles(sample.door_wait_s),
        on_time_percent=compute_percent(sample.on_time, sample.promised),
        couriers_idle_percent=compute_percent(sample.idle, sample.couriers),
        ends=dict(sorted(sample.ends.items())),
        reasons=dict(sorted(sample.reasons.items())),
    )


def find_percentiles(values: Sequence[int]) -> Percentiles:
    """Find values' percentiles, each a value that is there: the least that so many are within."""
    if not values:
        return Percentiles()
    ordered = sorted(values)
    return Percentiles(*(ordered[ceil(len(ordered) * share) - 1] for share in (0.5, 0.95)))


def compute_percent(part: int, whole: int) -> float | None:
    """Compute how much a part is of a whole, in percent; None of nothing."""
    return round(100 * part / whole, 1) if whole else None


def find_hour(at_ms: int) -> int:
    """Find the hour of a time, as its number since 1970; both in UTC."""
    return at_ms // _HOUR_MS


def begin_hour(hour: int) -> datetime:
    """Return when an hour begins."""
    return datetime.fromtimestamp(hour * _HOUR_MS // 1000, tz=timezone.utc)


def _count(counts: dict[str, int], name: str, times: int = 1) -> None:
    counts[name] = counts.get(name, 0) + times
