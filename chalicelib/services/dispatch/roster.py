"""The roster: free couriers, read from the index, which is kept true on the way.

Nothing tells that a courier has closed their app. A courier who is read and can't be asked, as
their position is old or they were not heard of for long, is taken out of the index, so that they
are read once. Their next sign of life puts them back (store/courier_index.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from chalicelib.domain.geo import Point
from chalicelib.domain.orders.dispatch_policy import (
    DispatchPolicy,
    FreeCourierQuery,
    is_located,
    is_reachable,
)
from chalicelib.domain.people import Courier
from chalicelib.services.ports import CourierStore

log = logging.getLogger(__name__)


class Roster:
    """Reads free couriers. A query's `is_consistent` reads each courier as they are now; which
    couriers there are is what the index says, which may be behind by a moment."""

    def __init__(self, couriers: CourierStore) -> None:
        self._couriers = couriers

    def iterate_near(
        self, point: Point, policy: DispatchPolicy, now: datetime, query: FreeCourierQuery
    ) -> Iterator[tuple[list[Courier], float]]:
        """Yield free couriers ring by ring, each with the metres that are covered by then."""
        for ring, covered_m in self._couriers.iterate_free_near(point, policy.radius_m, query):
            lost = [courier for courier in ring if not is_located(courier, policy.fix_max_age, now)]
            present, absent = _split_by_presence(lost, now)
            self._try_removal(self._couriers.remove_from_cells, present)
            self._try_removal(self._couriers.remove_from_index, absent)
            yield ring, covered_m

    def list_longest_idle(
        self, policy: DispatchPolicy, now: datetime, query: FreeCourierQuery
    ) -> list[Courier]:
        """List free couriers wherever they are, the one who has waited longest among them."""
        found = self._couriers.list_longest_idle(query)
        lost = [courier for courier in found if not is_located(courier, policy.fix_max_age, now)]
        _, absent = _split_by_presence(lost, now)
        self._try_removal(self._couriers.remove_from_index, absent)
        return found

    @staticmethod
    def _try_removal(remove: Callable[[Iterable[Courier]], None], couriers: list[Courier]) -> None:
        """Take couriers out of the index. A failure harms nobody: the next look tries again."""
        if not couriers:
            return
        try:
            remove(couriers)
        except Exception:
            log.warning("%d couriers stay in the index", len(couriers), exc_info=True)


def _split_by_presence(
    couriers: list[Courier], now: datetime
) -> tuple[list[Courier], list[Courier]]:
    """Split couriers into those who are there to be asked and those who are not."""
    present = [courier for courier in couriers if is_reachable(courier, now)]
    return present, [courier for courier in couriers if not is_reachable(courier, now)]
