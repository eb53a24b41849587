"""Finding a courier: whom to ask, the claim, and what happens when an offer lapses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from chalicelib.domain.events import Event
from chalicelib.domain.geo import measure_distance_m
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.dispatch_policy import (
    DispatchPolicy,
    is_eligible,
    measure_to_pickup_m,
    rank_couriers,
)
from chalicelib.domain.orders.lifecycle import advance_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import SYSTEM, Courier
from chalicelib.errors import CourierContended, CourierTaken
from chalicelib.services.dispatch.broadcast import NearbyDispatch
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.roster import Roster
from chalicelib.services.ports import Clock, CourierStore, OrderStore

log = logging.getLogger(__name__)

INDEX_LAG_S = 0.3  # what is written shows in an index, and in reads at half the price, by then


class SequentialDispatch:
    """Offers orders to couriers, one at a time, by the policy of the order's flow."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        changes: OrderWriter,
        policies: Mapping[str, DispatchPolicy],
        calling: NearbyDispatch,
        clock: Clock,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._calling = calling
        self._orders = orders
        self._roster = Roster(couriers)
        self._pause = pause
        self._changes = changes
        self._policies = policies
        self._clock = clock

    def get_policy(self, order: Order) -> DispatchPolicy:
        """How this order's flow looks for couriers."""
        return self._policies[order.details.flow]

    def compute_offer_end(self, order: Order, now: datetime) -> datetime:
        """When an offer of this order made now would lapse; at once where a flow makes none."""
        policy = self._policies.get(order.details.flow)
        return now + policy.offer_ttl if policy else now

    def compute_search_end(self, flow: str, now: datetime) -> datetime | None:
        """When a search begun now ends; None where a flow gives up at once."""
        policy = self._policies.get(flow)
        return now + policy.search_ttl if policy and policy.search_ttl else None

    def offer_next(
        self,
        before: Order | None,
        searching: Order,
        told: tuple[Event, ...] = (),
        lapsed_courier_id: str | None = None,
        again: bool = False,
    ) -> Order:
        """Commit a searching order as offered to the best courier there is, or as unserved.

        `before` is what is stored, `told` what happened since; `again` says that those who were
        asked before may be asked again. The claim of a courier is part of the commit; whoever is
        taken meanwhile is passed over; so is one whose row another write holds, unless there is
        nobody else. Raises Stale.
        """
        if self.get_policy(searching).is_broadcast:
            return self._calling.open_to_nearby(before, searching, told, self.get_policy(searching))
        asked = before, searching, told, lapsed_courier_id, again
        offered = self._offer_to_best(*asked)
        if offered is None and not self._may_wait(searching):
            # Giving up is for good: whoever came on duty a moment ago must not be overlooked.
            self._pause(INDEX_LAG_S)
            offered = self._offer_to_best(*asked, consistent=True)
        return offered or self._wait_or_give_up(before, searching, told, lapsed_courier_id)

    def _offer_to_best(
        self,
        before: Order | None,
        searching: Order,
        told: tuple[Event, ...],
        lapsed_courier_id: str | None,
        again: bool,
        consistent: bool = False,
    ) -> Order | None:
        """Commit it as offered to the best courier who can be claimed; None if there is none."""
        now = self._clock()
        expires_at = now + self.get_policy(searching).offer_ttl
        armed: set[str] | None = None  # whom the wakeups that are out would have told
        lost: set[str] = set()
        contended: CourierContended | None = None
        while found := self._find_candidates(searching, lost, now, again, consistent):
            for courier in found:
                distance_m = measure_to_pickup_m(courier, searching.details.pickup.point)
                offer = commands.MakeOffer(courier.id, expires_at, lapsed_courier_id, distance_m)
                after, more = advance_order(searching, offer, SYSTEM, now)
                if armed != (recipients := {event.to for event in told + more}):
                    self._changes.send_wakeups(before, after, told + more)
                    armed = recipients
                try:
                    return self._changes.commit_order(before, after, told + more, armed=True)
                except CourierTaken:
                    lost.add(courier.id)
                except CourierContended as error:
                    lost.add(courier.id)
                    contended = error
        if contended:
            raise contended  # they may well be free: it is too early to say that nobody is
        return None

    def _may_wait(self, order: Order) -> bool:
        return order.search_until is not None and self._clock() < order.search_until

    def _wait_or_give_up(
        self,
        before: Order | None,
        searching: Order,
        told: tuple[Event, ...],
        lapsed_courier_id: str | None,
    ) -> Order:
        """Nobody to ask: wait, where the flow does, else give up. The commit sends the wakeup of
        the next look, which is at the end of the search at the latest."""
        now = self._clock()
        until = searching.search_until
        command: commands.Command
        if until and now < until:
            next_at = min(now + self.get_policy(searching).search_every, until)
            command = commands.WaitForCourier(next_at, lapsed_courier_id)
        else:
            command = commands.GiveUp(lapsed_courier_id)
        after, more = advance_order(searching, command, SYSTEM, now)
        return self._changes.commit_order(before, after, told + more)

    def _find_candidates(
        self, order: Order, lost: set[str], now: datetime, again: bool, consistent: bool
    ) -> list[Courier]:
        """Free couriers to ask, best first. Only when nobody else is left, and `again`, those who
        were asked before; but never the last one (spec 004: to another driver)."""
        asked = order.excluded if self.get_policy(order).exclude == "all" else order.excluded[-1:]
        found = self._find_nearest(order, {*asked, *lost}, now, consistent)
        if found or not again:
            return found
        return self._find_nearest(order, {*order.excluded[-1:], *lost}, now, consistent)

    def _find_nearest(
        self, order: Order, passed: set[str], now: datetime, consistent: bool
    ) -> list[Courier]:
        """Free couriers, less those `passed`, best first. Those of whom it is certain that nobody
        better is further out come alone, so that the next ring is read only when they are gone."""
        policy, pickup = self.get_policy(order), order.details.pickup.point

        def usable(courier: Courier) -> bool:
            return courier.id not in passed and is_eligible(courier, pickup, policy, now)

        def wanted(courier: Courier) -> bool:
            return courier.connected and usable(courier)

        if pickup is None:
            idle = self._roster.list_longest_idle(policy, now, wanted, consistent)
            return rank_couriers(filter(usable, idle), None)
        found: list[Courier] = []
        for ring, covered_m in self._roster.iterate_near(pickup, policy, now, wanted, consistent):
            found += filter(usable, ring)
            certain = [
                c
                for c in found
                if c.connected and c.fix and measure_distance_m(c.fix.point, pickup) <= covered_m
            ]
            if certain:
                return rank_couriers(certain, pickup)
        return rank_couriers(found, pickup)

    def expire_offer(self, order_id: int, seq: int) -> timedelta:
        """Let the `seq`-th offer lapse if its time is up: the next courier is asked.

        Safe to call by a timer, a look and a reader at once. Returns how long the offer still
        has, zero if there is nothing left to do.
        """
        order = self._changes.retry_change(
            order_id, lambda order: self._expire_and_offer_next(order, seq, self._clock())
        )
        if order.offer and order.offer.seq == seq:
            return max(timedelta(0), order.offer.expires_at - self._clock())
        return timedelta(0)

    def search_if_due(self, order_id: int, due: datetime) -> timedelta:
        """Look after an order that waits until `due`. Returns how long that still is, zero once it
        was looked after, or if it waits for nobody by now. Raises NotFound."""
        left = due - self._clock()
        if left <= timedelta(0):
            self.handle_deadline(order_id)
        elif self._orders.get_order(order_id).deadline_at is None:
            return timedelta(0)
        return max(timedelta(0), left)

    def handle_deadline(self, order_id: int) -> None:
        """Do what an order's deadline asks for, if it has passed. Harmless however often."""
        self._changes.retry_change(order_id, self._handle_overdue)

    def expire_if_due(self, order: Order) -> Order:
        """The order, its offer expired if that is due: reading repairs."""
        if order.offer and order.offer.has_expired(self._clock()):
            return self._changes.retry_change(order.id, self._handle_overdue)
        return order

    def _handle_overdue(self, order: Order) -> Order:
        """What comes of an order whose deadline may have passed."""
        due, now = order.deadline_at, self._clock()
        if due is None or due > now:
            return order
        if order.status is Status.SEARCHING:
            return self._search_again(order)
        if order.status is Status.READY:
            after, told = advance_order(order, commands.GiveUp(), SYSTEM, now)
            return self._changes.commit_order(order, after, told)
        return self._expire_and_offer_next(order, order.offer.seq, now) if order.offer else order

    def _expire_and_offer_next(self, order: Order, seq: int, now: datetime) -> Order:
        """Ask the next courier if the `seq`-th offer has lapsed."""
        if order.status is not Status.OFFERED:
            return order
        after, told = advance_order(order, commands.ExpireOffer(seq), SYSTEM, now)
        return self.offer_next(order, after, told, order.courier_id) if told else order

    def _search_again(self, order: Order) -> Order:
        waiting = order.search_until is not None and self._clock() < order.search_until
        return self.offer_next(order, order, again=waiting and self.get_policy(order).ask_again)
