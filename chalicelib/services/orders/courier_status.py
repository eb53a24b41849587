"""Couriers on duty: availability and position."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.fixes import CLOCK_SKEW, Verdict
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
            courier = self._couriers.get_courier(actor.id) or courier
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
            self._show_fix(courier)
        return courier

    def record_fixes(self, actor: Actor, fixes: Sequence[Fix]) -> list[Verdict]:
        """Store where a courier was and is, as one report: at most one a second. Returns a verdict
        of each fix. The newest that is kept moves the courier.

        Of fixes that are all vague or from the future, one is heard as it would be alone. Raises
        RateLimited.
        """
        now = self._clock()
        verdicts = [self._judge_alone(fix, now) for fix in fixes]
        good = [n for n, verdict in enumerate(verdicts) if verdict is Verdict.KEPT]
        if not good:
            vague = [fix for fix in fixes if fix.is_real_place] or fixes
            newest = max(map(self._clamp_to_now, vague), key=lambda fix: fix.at)
            self._store_doubtful_fix(actor, newest, MIN_FIX_GAP)
            return verdicts
        sent = [fixes[n] for n in good]
        courier, judged = self._couriers.record_fixes(actor.id, sent, now, MIN_FIX_GAP)
        for n, verdict in zip(good, judged, strict=True):
            verdicts[n] = verdict
        if courier:
            self._show_fix(courier)
        return verdicts

    def _judge_alone(self, fix: Fix, now: datetime) -> Verdict:
        """Judge a fix by itself: not by those before it."""
        if fix.at > now + CLOCK_SKEW:
            return Verdict.FUTURE
        is_vague = not fix.is_real_place or fix.is_vague(self._max_accuracy_m)
        return Verdict.VAGUE if is_vague else Verdict.KEPT

    def _show_fix(self, courier: Courier) -> None:
        """Tell the listeners where a courier with orders is now: each has a customer of its own."""
        for seen in courier.list_by_order():
            for listener in self._listeners:
                self._notify(listener, seen)

    def _store_fix(
        self, actor: Actor, fix: Fix, min_gap: timedelta | None, at_work: bool = False
    ) -> Courier | None:
        now = self._clock()
        if fix.is_real_place and not fix.is_vague(self._max_accuracy_m):
            return self._couriers.record_fix(actor.id, fix, now, min_gap, at_work)
        return self._store_doubtful_fix(actor, fix, min_gap, at_work)

    def _store_doubtful_fix(
        self, actor: Actor, fix: Fix, min_gap: timedelta | None, at_work: bool = False
    ) -> Courier | None:
        now = self._clock()
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
        return replace(fix, at=now) if fix.at > now + CLOCK_SKEW else fix
