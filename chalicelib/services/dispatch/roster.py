"""The roster: free couriers who can be asked, read from the index, which is kept true on the way.

Nothing tells that a courier has closed their app. Whoever is read and can't be asked, as their
position is old or they were not heard of for long, is taken out of the index, so that it is read
once. Their next sign of life puts them back (store/couriers.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from chalicelib.domain.geo import Point
from chalicelib.domain.orders.dispatch_policy import DispatchPolicy, is_located, is_reachable
from chalicelib.domain.people import Courier
from chalicelib.services.ports import CourierStore

log = logging.getLogger(__name__)

IsWanted = Callable[[Courier], bool]
"""Whether a courier may be asked for the order at hand. While none may, more are read."""


class Roster:
    """Reads free couriers. `consistent` reads each as they are now; which of them there are is
    what the index says, which may be behind by a moment."""

    def __init__(self, couriers: CourierStore) -> None:
        self._couriers = couriers

    def iterate_near(
        self,
        point: Point,
        policy: DispatchPolicy,
        now: datetime,
        wanted: IsWanted,
        consistent: bool = False,
    ) -> Iterator[tuple[list[Courier], float]]:
        """Read free couriers ring by ring, each with the metres that are covered by then."""
        for ring, covered_m in self._couriers.iterate_free_near(
            point, policy.radius_m, wanted, consistent
        ):
            lost = [c for c in ring if not is_located(c, policy.fix_max_age, now)]
            there, gone = _split_by(lost, lambda c: is_reachable(c, now))
            self._try_removal(self._couriers.remove_from_cells, there)
            self._try_removal(self._couriers.remove_from_index, gone)
            yield ring, covered_m

    def list_longest_idle(
        self, policy: DispatchPolicy, now: datetime, wanted: IsWanted, consistent: bool = False
    ) -> list[Courier]:
        """Read free couriers wherever they are, whoever has waited longest among them."""
        found = self._couriers.list_longest_idle(wanted, consistent)
        lost = [c for c in found if not is_located(c, policy.fix_max_age, now)]
        _, gone = _split_by(lost, lambda c: is_reachable(c, now))
        self._try_removal(self._couriers.remove_from_index, gone)
        return found

    @staticmethod
    def _try_removal(
        take_out: Callable[[Iterable[Courier]], None], couriers: list[Courier]
    ) -> None:
        """What is not taken out now is found again by the next look."""
        if not couriers:
            return
        try:
            take_out(couriers)
        except Exception:
            log.warning("%d couriers stay in the index", len(couriers), exc_info=True)


def _split_by(
    couriers: list[Courier], holds: Callable[[Courier], bool]
) -> tuple[list[Courier], list[Courier]]:
    """Those of whom it holds, and the others."""
    yes: list[Courier] = []
    no: list[Courier] = []
    for courier in couriers:
        (yes if holds(courier) else no).append(courier)
    return yes, no
