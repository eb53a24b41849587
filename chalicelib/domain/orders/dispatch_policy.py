"""Which couriers may be asked for an order, and in which order. Pure: it reads nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import msgspec

from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.orders.time_rank import TimeRank
from chalicelib.domain.orders.waves import Wave
from chalicelib.domain.people import Courier

# A courier without an open socket is still taken to be there for so long after a sign of life.
PRESENT_FOR = timedelta(minutes=15)
_NEVER = datetime(1970, 1, 1, tzinfo=timezone.utc)


class DispatchPolicy(msgspec.Struct, frozen=True):
    """How one flow looks for couriers.

    `offer_ttl` is the time that one courier has to answer. `search_ttl` None gives up as soon as
    nobody is left to ask; else the search goes on that long, with a look every `search_every`:
    less than a sweep's pass, so that each pass finds an order whose wakeup was lost. While the
    search goes on, `ask_again` lets it ask those who were asked before, when nobody else is left.
    `exclude` says which couriers are passed over: "all" who were asked in this search, or the
    "last" one only.
    `is_broadcast` opens the order to all couriers near by at once, and the first one has it.
    `waves` are those in which couriers are asked; none: one after the other. `rank` prices couriers
    in minutes; without it the nearest comes first.
    """

    offer_ttl: timedelta
    radius_m: float
    fix_max_age: timedelta
    search_ttl: timedelta | None = None
    search_every: timedelta = timedelta(seconds=10)
    ask_again: bool = False
    exclude: str = "all"
    is_broadcast: bool = False
    waves: tuple[Wave, ...] = ()
    rank: TimeRank | None = None


def fit_all(courier: Courier) -> bool:
    """Find every courier fitting."""
    return True


def ignore_named(courier_ids: list[str]) -> None:
    """Ignore the ids that the index names."""


class FreeCourierQuery(NamedTuple):
    """How free couriers are read.

    Near a point: the nearest first, as the index has them, `first_read` of a ring to begin with,
    until `enough` are found who are wanted, or about `max_read` are read in all. Once there are
    enough, some more are read, `sure_read` in all, as one of them may be nearer still. A courier
    without a socket is never wanted: of these, `enough` who are fitting will do, where no others
    are left. Without a point: until one is found who is wanted.

    Not `is_consistent` is half the price: each courier as they are or lately were. A claim's own
    condition decides. `on_named` is called with ids that the index names, before they are read.
    """

    is_wanted: Callable[[Courier], bool]
    is_consistent: bool = False
    on_named: Callable[[list[str]], None] = ignore_named
    enough: int = 1
    is_fitting: Callable[[Courier], bool] = fit_all
    first_read: int = 10
    sure_read: int = 20
    max_read: int = 3000


def measure_to_pickup_m(courier: Courier, pickup: Point | None) -> float | None:
    """Measure the metres from a courier's last fix to the pickup; None where either is unknown."""
    return measure_distance_m(courier.point, pickup) if courier.point and pickup else None


def is_located(courier: Courier, max_age: timedelta, now: datetime) -> bool:
    """Say whether a courier's position is known, and no older than `max_age`."""
    return courier.located_at is not None and now - courier.located_at <= max_age


def is_reachable(courier: Courier, now: datetime) -> bool:
    """Say whether a courier is there to be asked: connected, or lately heard of."""
    signs = (courier.alive_at or courier.idle_since, courier.fix_received_at)
    return courier.connected or any(now - at <= PRESENT_FOR for at in signs if at)


def is_eligible(
    courier: Courier, pickup: Point | None, policy: DispatchPolicy, now: datetime
) -> bool:
    """Say whether a courier may be asked: free, not paused, and near by a fix that is not old.
    Without a pickup point distance does not count, and it is enough that they are there."""
    if not courier.may_be_asked:
        return False
    if pickup is None:
        return is_reachable(courier, now)
    if courier.point is None or not is_located(courier, policy.fix_max_age, now):
        return False
    return measure_distance_m(courier.point, pickup) <= policy.radius_m


def rank_couriers(couriers: Iterable[Courier], pickup: Point | None) -> list[Courier]:
    """Sort couriers, the best first: those who are connected (an offer to nobody's socket is time
    wasted), then the nearest, then who has been idle longest, then by id. Without a pickup point
    distance does not count (spec 000, S0-42)."""

    def sort_key(courier: Courier) -> tuple[bool, float, datetime, str]:
        distance_m = measure_to_pickup_m(courier, pickup) or 0.0
        return not courier.connected, distance_m, courier.idle_since or _NEVER, courier.id

    return sorted(couriers, key=sort_key)


def rank_by_time(
    couriers: Iterable[Courier], pickup: Point, rank: TimeRank, now: datetime
) -> list[Courier]:
    """Sort couriers, the best first: those who are connected, then by their price in minutes, then
    as rank_couriers does."""

    def sort_key(courier: Courier) -> tuple[bool, float]:
        return not courier.connected, rank.price_courier(courier, pickup, now)

    return sorted(rank_couriers(couriers, pickup), key=sort_key)
