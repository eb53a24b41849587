"""Whom to ask next. Pure: couriers in, an order of asking out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

import msgspec

from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.people import Courier

# Whoever has no open socket is still taken to be there for so long after a sign of life.
PRESENT_FOR = timedelta(minutes=15)
_NEVER = datetime(1970, 1, 1, tzinfo=timezone.utc)


class DispatchPolicy(msgspec.Struct, frozen=True):
    """How one flow looks for couriers.

    `offer_ttl` is how long one courier has; `search_ttl` None means: give up as soon as nobody
    is left to ask, else keep looking that long, every `search_every`: less than a sweep's pass, so
    that each pass finds one whose wakeup was lost. While it looks, `ask_again` lets it ask those
    who were asked before, when nobody else is left. `exclude` says who is passed over: "all" that
    were asked in this search, or the "last" one only. Where it `calls`, it asks all at once and the
    first has it.
    """

    flow: str
    offer_ttl: timedelta
    radius_m: float
    fix_max_age: timedelta
    search_ttl: timedelta | None = None
    search_every: timedelta = timedelta(seconds=10)
    ask_again: bool = False
    exclude: str = "all"
    is_broadcast: bool = False


def measure_to_pickup_m(courier: Courier, pickup: Point | None) -> float | None:
    """Metres from a courier's last fix to the pickup; None where either is unknown."""
    fix = courier.fix
    return measure_distance_m((fix.lat, fix.lng), pickup) if fix and pickup else None


def is_located(courier: Courier, max_age: timedelta, now: datetime) -> bool:
    """Whether a courier's position is known and fresh."""
    return courier.located_at is not None and now - courier.located_at <= max_age


def is_reachable(courier: Courier, now: datetime) -> bool:
    """Whether a courier is there to be asked: connected, or lately heard of."""
    signs = (courier.alive_at or courier.idle_since, courier.fix_received_at)
    return courier.connected or any(now - at <= PRESENT_FOR for at in signs if at)


def is_eligible(
    courier: Courier, pickup: Point | None, policy: DispatchPolicy, now: datetime
) -> bool:
    """Whether a courier may be asked: free, and near by a fresh fix where distance counts; else
    there at all."""
    if not courier.is_free:
        return False
    if pickup is None:
        return is_reachable(courier, now)
    if courier.fix is None or not is_located(courier, policy.fix_max_age, now):
        return False
    return measure_distance_m((courier.fix.lat, courier.fix.lng), pickup) <= policy.radius_m


def rank_couriers(couriers: Iterable[Courier], pickup: Point | None) -> list[Courier]:
    """Connected first (an offer to nobody's socket is time wasted), then nearest, then longest
    idle, then by id. Without a pickup point distance does not count (spec 000, S0-42)."""

    def key(c: Courier) -> tuple[bool, float, datetime, str]:
        near = measure_distance_m((c.fix.lat, c.fix.lng), pickup) if pickup and c.fix else 0.0
        return (not c.connected, near, c.idle_since or _NEVER, c.id)

    return sorted(couriers, key=key)
