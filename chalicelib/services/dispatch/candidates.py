"""The couriers to ask for an order in one look: free ones, the best first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.orders.dispatch_policy import (
    DispatchPolicy,
    FreeCourierQuery,
    is_eligible,
    measure_to_pickup_m,
    rank_by_time,
    rank_couriers,
)
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Courier
from chalicelib.domain.travel import estimate_travel_s
from chalicelib.services.dispatch.roster import Roster
from chalicelib.services.dispatch.stacks import PricedCourier, StackPrices, rank_priced

_ENOUGH_TO_PRICE = 5  # couriers near by, some of whom may turn out to have too much to do
_MORE_TO_RANK = 4  # beyond those who are to be asked: one of them may be there sooner

_SURE_READ = FreeCourierQuery._field_defaults["sure_read"]


class Look(NamedTuple):
    """One look for couriers. `ask_again` allows couriers who were asked before, `is_consistent`
    reads each as they are now. `on_found` is called with ids of couriers who may do, as soon as the
    index names them. `wanted` is how many are to be asked at once. With `stacks` couriers who have
    an order already may have another."""

    order: Order
    policy: DispatchPolicy
    now: datetime
    ask_again: bool
    is_consistent: bool
    on_found: Callable[[list[str]], object]
    wanted: int = 1
    stacks: StackPrices | None = None

    @property
    def pickup(self) -> Point | None:
        """The place to which distances count; None where they do not."""
        return self.order.details.pickup.point

    @property
    def barred_ids(self) -> set[str]:
        """The couriers who are passed over: those who were asked before, as far as the policy
        excludes them, and those who gave the order back."""
        asked = self.order.excluded
        excluded = asked if self.policy.exclude == "all" else asked[-1:]
        return {*excluded, *self.order.released_by}


def find_candidates(roster: Roster, look: Look, lost: set[str]) -> list[Courier]:
    """Find free couriers to ask, the best first. `lost` are those whose claim has failed.

    Where nobody else is left, `ask_again` adds those who were asked before; but never the last one
    (spec 004: to another driver), nor one who gave the order back.
    """
    found = _find_best(roster, look, look.barred_ids | lost)
    if found or not look.ask_again:
        return found
    order = look.order
    return _find_best(roster, look, {*order.excluded[-1:], *order.released_by, *lost})


def find_nearest(roster: Roster, look: Look, count: int) -> list[Courier]:
    """Find the nearest couriers who may be asked and are connected: `count` of them, or a few more;
    fewer only where there are no more, none for an order without a pickup point."""
    pickup, barred_ids = look.pickup, look.barred_ids

    def is_usable(courier: Courier) -> bool:
        fits = is_eligible(courier, pickup, look.policy, look.now)
        return courier.connected and fits and courier.id not in barred_ids

    query = FreeCourierQuery(is_usable, enough=count)
    found: list[Courier] = []
    for ring, covered_m in (
        roster.iterate_near(pickup, look.policy, look.now, query) if pickup else ()
    ):
        found += filter(is_usable, ring)
        away_m = [measure_to_pickup_m(one, pickup) or 0.0 for one in found]
        if sum(metres <= covered_m for metres in away_m) >= count:
            break
    return found


def _find_best(roster: Roster, look: Look, barred_ids: set[str]) -> list[Courier]:
    """Find free couriers, less those who are barred, the best first."""

    def is_usable(courier: Courier) -> bool:
        fits = is_eligible(courier, look.pickup, look.policy, look.now)
        return fits and courier.id not in barred_ids

    def on_named(courier_ids: list[str]) -> None:
        if ids := [id_ for id_ in courier_ids if id_ not in barred_ids]:
            look.on_found(ids)

    # A courier who is not connected is the last resort: reading stops only at one who is.
    query = FreeCourierQuery(
        lambda courier: courier.connected and is_usable(courier),
        look.is_consistent,
        on_named,
        enough=look.wanted,
        is_fitting=is_usable,
        sure_read=max(_SURE_READ, 2 * look.wanted),
    )
    if look.stacks:
        query = query._replace(enough=max(look.wanted, _ENOUGH_TO_PRICE))
        return _find_cheapest(roster, look, look.stacks, query)
    if look.pickup is None:
        idle = roster.list_longest_idle(look.policy, look.now, query)
        return rank_couriers(filter(is_usable, idle), None)
    return _find_soonest(roster, look, look.pickup, query)


def _find_soonest(
    roster: Roster, look: Look, pickup: Point, query: FreeCourierQuery
) -> list[Courier]:
    """Find the couriers nearest to a pickup or, where the flow ranks them by time, those who are
    there the soonest."""
    if look.policy.rank:
        query = query._replace(enough=look.wanted + _MORE_TO_RANK)
    rings = roster.iterate_near(pickup, look.policy, look.now, query)
    found = _read_rings(rings, pickup, query.is_fitting, query.enough)
    if look.policy.rank:
        return rank_by_time(found, pickup, look.policy.rank, look.now)
    return rank_couriers(found, pickup)


def _find_cheapest(
    roster: Roster, look: Look, stacks: StackPrices, query: FreeCourierQuery
) -> list[Courier]:
    """Find couriers with and without orders by what it costs to give them another, the best first.

    Nobody costs fewer minutes than the way to the pickup takes. So, as in _read_rings, those
    come alone who cost no more than anybody from beyond the rings could.
    """
    if look.pickup is None:
        idle = roster.list_longest_idle(look.policy, look.now, query)
        free = stacks.price_couriers(look.order, list(filter(query.is_fitting, idle)))
        return rank_priced(free)
    found: list[PricedCourier] = []
    for ring, covered_m in roster.iterate_near(look.pickup, look.policy, look.now, query):
        found += stacks.price_couriers(look.order, list(filter(query.is_fitting, ring)))
        rank = look.policy.rank
        covered_min = (
            rank.estimate_least_price(covered_m) if rank else estimate_travel_s(covered_m) / 60
        )
        certain = [one for one in found if one.courier.connected and one.minutes <= covered_min]
        if len(certain) >= look.wanted:
            return rank_priced(certain)
    return rank_priced(found)


def _read_rings(
    rings: Iterator[tuple[list[Courier], float]],
    pickup: Point,
    is_usable: Callable[[Courier], bool],
    wanted: int,
) -> list[Courier]:
    """Read rings outward until the nearest couriers are certain, so many as are wanted.

    A courier in a ring may be farther off than one in the next: rings are of cells, not circles. So
    those who are no farther than the metres that the rings surely cover come alone: nobody beyond
    can be nearer. The next ring is read only when all of them are lost.
    """
    found: list[Courier] = []
    for ring, covered_m in rings:  # lazily: a ring that is not asked for costs no query
        found += filter(is_usable, ring)
        certain = [
            courier
            for courier in found
            if courier.connected
            and courier.point
            and measure_distance_m(courier.point, pickup) <= covered_m
        ]
        if len(certain) >= wanted:
            return certain
    return found
