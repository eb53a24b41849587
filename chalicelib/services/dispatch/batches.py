"""Match the orders of a zone all at once, where several compete for couriers.

An order that begins to search while another of its zone is not accepted yet waits for the end of a
batch's window: by the step `wait`, as where nobody is free, and its row says until when. Orders
that come while a window is open wait for the same end. An order that is alone is offered at once.

The end comes by the wakeup of any of the orders (SearchDue), or by the sweep, which finds them by
their deadline. The first process to come reads all orders of the zone whose end has come and the
couriers near them, matches them at the least cost (domain/orders/matching.py), and makes each offer
by the same transaction as any other. So two processes may do it side by side: of each pair one
offer comes about, and an order that has lost its courier is offered to the next one by its own
wakeup, as if it were alone.

Whether another searches is read from an index that is behind by a moment. Of two placed at the same
time each may find itself alone: both are offered at once then, as without a window.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.events import Event
from chalicelib.domain.ops.zones import name_search_pool
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.dispatch_policy import ignore_named
from chalicelib.domain.orders.lifecycle import advance_order
from chalicelib.domain.orders.matching import match_cheapest
from chalicelib.domain.orders.model import ACTIVATED, Order, Status
from chalicelib.domain.orders.waves import Wave
from chalicelib.domain.people import SYSTEM, Courier
from chalicelib.errors import CourierTaken, Stale, Unavailable
from chalicelib.services.dispatch.attempts import Search, SearchAttempt
from chalicelib.services.dispatch.candidates import Look, find_nearest
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.dispatch.stacks import StackPrices

log = logging.getLogger(__name__)

MAX_IN_BATCH = 50  # orders matched at once; the rest has its own wakeups
_BEGUN = frozenset({Status.SEARCHING, Status.OFFERED})


class BatchDispatch(SequentialDispatch):
    """Offers orders as SequentialDispatch does, but those of a zone that come within a batch's
    `window` all at once. A zone is an H3 cell of `resolution`; `prices` says what couriers cost."""

    def __init__(
        self, *parts: Any, window: timedelta, resolution: int, prices: StackPrices, **more: Any
    ) -> None:
        super().__init__(*parts, **more)
        self._window = window
        self._resolution = resolution
        self._prices = prices

    def offer_next(
        self,
        stored: Order | None,
        order: Order,
        events: tuple[Event, ...] = (),
        expired_ids: tuple[str, ...] = (),
        ask_again: bool = False,
    ) -> Order:
        """Commit a searching order as SequentialDispatch does; or as waiting for the end of its
        batch's window, if its search begins and another order competes with it."""
        begins = stored is None or stored.status not in _BEGUN
        end = self._find_batch_end(order) if begins else None
        if end is None:
            return super().offer_next(stored, order, events, expired_ids, ask_again)
        now = self._clock()
        waiting, more = advance_order(order, commands.WaitForCourier(end), SYSTEM, now)
        return self._writer.commit_order(stored, waiting, events + more)

    def _find_batch_end(self, order: Order) -> datetime | None:
        """Find when the window ends for which an order waits: one that is open, or else one that it
        opens. None if no other order of its zone searches."""
        now = self._clock()
        if not self._may_be_batched(order):
            return None
        others = [one for one in self._list_searching(order) if one.id != order.id]
        if not others:
            return None
        latest = min(now + self._window, order.search_until or now + self._window)
        ends = [one.next_search_at for one in others if one.status is Status.SEARCHING]
        return min([end for end in ends if end and now < end <= latest], default=latest)

    def _may_be_batched(self, order: Order) -> bool:
        """Say whether an order may be matched with others: no broadcast one, nor one whose searches
        are planned."""
        return not self.get_policy(order).is_broadcast and order.plan is None

    def _list_searching(self, order: Order) -> Sequence[Order]:
        details = order.details
        pool = name_search_pool(details.flow, details.pickup.point, self._resolution)
        return self._orders.list_searching(pool, MAX_IN_BATCH) if pool else ()

    def _search_again(self, order: Order) -> Order:
        """Match an order with the others of its batch; or look for its courier alone."""
        offered = self._offer_with_others(order) if self._may_be_batched(order) else None
        return offered or super()._search_again(order)

    def _offer_with_others(self, order: Order) -> Order | None:
        due = [one for one in self._list_searching(order) if self._is_due(one)]
        is_alone = len(due) < 2 or order.id not in {one.id for one in due}
        return None if is_alone else self._offer_matched(order, due)

    def _is_due(self, order: Order) -> bool:
        due_at = order.next_search_at
        is_over = due_at is not None and due_at <= self._clock()
        return order.status is Status.SEARCHING and is_over and self._may_be_batched(order)

    def _offer_matched(self, order: Order, due: Sequence[Order]) -> Order | None:
        """Offer orders to the couriers whom they are matched with. Returns `order` as it is then,
        None if it got no courier, or lost theirs to another. Where the offer of another order
        fails, that is left to its own wakeup. Raises Stale, Unavailable for `order`."""
        offered = None
        for one, courier in self._match_orders(due):
            stored = order if one.id == order.id else one
            try:
                after = self._offer_to(Search(stored, stored, (), (), False), courier)
            except CourierTaken:
                continue  # another order was quicker
            except (Stale, Unavailable):
                if one.id == order.id:
                    raise
                log.info("order %d is left to its own wakeup", one.id)
                continue
            offered = after if one.id == order.id else offered
        return offered

    def _match_orders(self, due: Sequence[Order]) -> list[tuple[Order, Courier]]:
        """Match orders with couriers by the minutes to the pickup, less those for which an order
        has waited already: so none waits for ever."""
        couriers: dict[str, Courier] = {}
        found: list[dict[str, float]] = []
        now = self._clock()
        for order in due:
            policy = self.get_policy(order)
            look = Look(order, policy, now, False, is_consistent=False, on_found=ignore_named)
            nearest = find_nearest(self._roster, look, len(due))
            priced = self._prices.price_couriers(order, nearest)
            couriers |= {one.courier.id: one.courier for one in priced}
            # One for later waits only since its time has come.
            wanted_since = order.timeline.get(ACTIVATED, order.placed_at)
            waited_min = (now - wanted_since) / timedelta(minutes=1)
            found.append({one.courier.id: one.minutes - waited_min for one in priced})
        ids = list(couriers)
        matched = match_cheapest([[costs.get(id_) for id_ in ids] for costs in found])
        return [
            (order, couriers[ids[column]])
            for order, column in zip(due, matched, strict=True)
            if column is not None
        ]

    def _offer_to(self, search: Search, courier: Courier) -> Order:
        """Commit an order as offered to a courier. Raises as _claim does."""
        policy = self.get_policy(search.order)
        attempt = SearchAttempt(
            search, policy, self._clock(), is_consistent=False, lost=set(), preparations={}
        )
        wave = Wave(policy.radius_m, 1, policy.offer_ttl)
        preparation = self._get_preparation(attempt, wave)
        preparation.start([courier.id])
        try:
            return self._claim(attempt, [courier], None, wave, preparation)
        finally:
            preparation.wait()
