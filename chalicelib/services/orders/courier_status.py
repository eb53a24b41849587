"""Couriers on duty: availability and position."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.orders import commands
from chalicelib.domain.people import Actor, Courier, Fix
from chalicelib.domain.rate_limits import DEFAULT_LIMITS, LOCATION
from chalicelib.errors import InvalidTransition, NotFound, OfferGone
from chalicelib.services.dispatch.courier_releaser import CourierReleaser
from chalicelib.services.orders.courier import CourierOrders
from chalicelib.services.ports import Clock, CourierStore

log = logging.getLogger(__name__)

FixListener = Callable[[Courier], None]
"""Hears of each new fix of a courier who has an order: of each that they have, as the first."""

MIN_FIX_GAP = DEFAULT_LIMITS[LOCATION].window
_CLOCK_SKEW = timedelta(seconds=5)


class CourierStatusService:
    """What couriers report of themselves. A fix vaguer than `max_accuracy_m` does not take the
    place of a good one, unless that is older than `fix_max_age`; no place never does."""

    def __init__(
        self,
        couriers: CourierStore,
        courier_orders: CourierOrders,
        releaser: CourierReleaser,
        listeners: Sequence[FixListener],
        max_accuracy_m: float,
        fix_max_age: timedelta,
        clock: Clock,
    ) -> None:
        self._couriers = couriers
        self._releaser = releaser
        self._listeners = listeners
        self._courier_orders = courier_orders
        self._max_accuracy_m = max_accuracy_m
        self._fix_max_age = fix_max_age
        self._clock = clock

    def set_available(self, actor: Actor, available: bool, fix: Fix | None = None) -> Courier:
        """Go on or off duty. Off duty, an open offer is declined and accepted work goes on. A
        courier whom an order still occupies that is done is released."""
        if fix:
            self._store_fix(actor, self._clamp_to_now(fix), None)
        courier = self._couriers.set_available(actor.id, available, self._clock())
        if self._releaser.release_from_done_order(courier):
            return self._couriers.get_courier(actor.id) or courier
        for held in courier.held if not available else ():
            # It was not an offer, or is not any more.
            with suppress(InvalidTransition, OfferGone, NotFound):
                self._courier_orders.take_step(actor, held.order_id, commands.Decline())
        return courier

    def record_fix(self, actor: Actor, fix: Fix, at_work: bool = False) -> Courier | None:
        """Store where a courier is, at most once a second; None for an outdated fix. `at_work`
        takes it only of one who is on duty or has an order.

        Raises RateLimited, NotOnline.
        """
        timed = self._clamp_to_now(fix)
        courier = self._store_fix(actor, timed, MIN_FIX_GAP, at_work)
        if courier and courier.fix == timed:
            # Each order has a customer of its own, who sees the courier.
            for seen in courier.list_by_order():
                for listener in self._listeners:
                    self._notify(listener, seen)
        return courier

    def _store_fix(
        self, actor: Actor, fix: Fix, min_gap: timedelta | None, at_work: bool = False
    ) -> Courier | None:
        now = self._clock()
        if fix.is_real_place and not fix.is_vague(self._max_accuracy_m):
            return self._couriers.record_fix(actor.id, fix, now, min_gap, at_work)
        good_after = fix.at - self._fix_max_age if fix.is_real_place else None
        return self._couriers.record_doubtful_fix(actor.id, fix, now, min_gap, at_work, good_after)

    @staticmethod
    def _notify(listener: FixListener, courier: Courier) -> None:
        """Call a listener and let no failure reach the caller: the fix is stored, and the next one
        makes up for what was not shown of this one."""
        try:
            listener(courier)
        except Exception:
            log.warning("a listener to courier %s failed", courier.id, exc_info=True)

    def _clamp_to_now(self, fix: Fix) -> Fix:
        """Take a fix from the future as one from now: phones' clocks differ."""
        now: datetime = self._clock()
        return replace(fix, at=now) if fix.at > now + _CLOCK_SKEW else fix
