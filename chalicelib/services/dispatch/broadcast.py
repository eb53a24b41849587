"""Calling couriers out: an order is open to all who are near by, and the first one has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.money.fares import normalize_vehicle_type
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.dispatch_policy import DispatchPolicy, is_eligible, rank_couriers
from chalicelib.domain.orders.effects import draft_for_courier
from chalicelib.domain.orders.lifecycle import advance_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import SYSTEM, Courier
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.roster import Roster
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock, CourierStore

MAX_PER_PASS = 50  # couriers called in one pass
MAX_PER_ORDER = 200  # and for one order: its row stays small


class NearbyNotifier:
    """Says what is open and what no longer is, to those who were called. A call may be lost, so
    the next pass says it once more to those it finds; each pass calls who has come meanwhile."""

    def __init__(
        self, broadcast: FanOut, policies: Mapping[str, DispatchPolicy], clock: Clock
    ) -> None:
        self._broadcast = broadcast
        self._policies = policies
        self._clock = clock

    def on_committed(self, before: Order | None, after: Order) -> None:
        """After a commit: call those who are new, or tell all who were called that it is over."""
        policy = self._policies.get(after.details.flow)
        if policy is None or not policy.is_broadcast:
            return
        was_open = before is not None and before.status is Status.SEARCHING
        called = before.offered_to if before and was_open else ()
        if after.status is Status.SEARCHING:
            new = [c for c in after.offered_to if c not in called]
            unheard = before.unconfirmed if before and was_open else ()
            again = [c for c in unheard if c not in after.unconfirmed]
            self._post_to_couriers(new + again, events.ORDER_BROADCAST, after)
        elif was_open:
            late = [c for c in called if c != after.courier_id]
            self._post_to_couriers(late, events.BROADCAST_CLOSED, after)

    def _post_to_couriers(self, courier_ids: list[str], type_: str, order: Order) -> None:
        if courier_ids:
            event = draft_for_courier(order, type_, "", self._clock(), details=order.details)
            self._broadcast.post_to_people(courier_ids, event)


class NearbyDispatch:
    """Looks for couriers to call."""

    def __init__(self, couriers: CourierStore, changes: OrderWriter, clock: Clock) -> None:
        self._roster = Roster(couriers)
        self._changes = changes
        self._clock = clock

    def open_to_nearby(
        self,
        before: Order | None,
        searching: Order,
        told: tuple[Event, ...],
        policy: DispatchPolicy,
    ) -> Order:
        """Commit a searching order as open to those near by who have not been called yet, or, past
        the end of the search, as unserved. The commit sends the wakeup of the next look, which is
        at the end of the search at the latest. Raises Stale."""
        now = self._clock()
        until = searching.search_until or now
        if now >= until:
            command: commands.GiveUp | commands.OpenToNearby = commands.GiveUp()
        else:
            near, unheard = self._find_nearby(searching, policy, now)
            next_at = min(now + policy.search_every, until)
            command = commands.OpenToNearby(near, next_at, unheard)
        after, more = advance_order(searching, command, SYSTEM, now)
        return self._changes.commit_order(before, after, told + more)

    def _find_nearby(
        self, order: Order, policy: DispatchPolicy, now: datetime
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Whom to call, the nearest first, and who then may not have heard of it: them, too, and
        those called before who are away or were not seen since."""
        pickup = order.details.pickup.point
        room = min(MAX_PER_PASS, MAX_PER_ORDER - len(order.offered_to))
        if pickup is None:
            return (), ()
        found: list[Courier] = []
        unheard = dict.fromkeys(order.unconfirmed)

        def wanted(courier: Courier) -> bool:
            new = courier.id not in order.offered_to or room <= 0
            return new and _can_be_notified(courier, order, policy, now)

        for ring, _ in self._roster.iterate_near(pickup, policy, now, wanted):
            for courier in ring:
                hears = _can_be_notified(courier, order, policy, now)
                if courier.id not in order.offered_to:
                    found += [courier] if hears else []
                elif hears:
                    unheard.pop(courier.id, None)
                elif not courier.connected:
                    unheard[courier.id] = None
            if len(found) >= max(room, 1):
                break
        called = tuple(c.id for c in rank_couriers(found, pickup)[: max(room, 0)])
        return called, (*unheard, *called)


def _can_be_notified(courier: Courier, order: Order, policy: DispatchPolicy, now: datetime) -> bool:
    """Whether a courier is to be called: connected, free, near by, with the right vehicle."""
    return (
        courier.connected
        and courier.id not in (*order.excluded, order.details.customer_id)
        and normalize_vehicle_type(courier.vehicle_type)
        == normalize_vehicle_type(order.details.vehicle_type)
        and is_eligible(courier, order.details.pickup.point, policy, now)
    )
