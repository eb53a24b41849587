"""Calling couriers out: an order is open to all who are near by, and the first one has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.money.fares import vehicle_key
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.dispatch_policy import Policy, fit, rank
from chalicelib.domain.orders.effects import tell
from chalicelib.domain.orders.lifecycle import advance
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import SYSTEM, Courier
from chalicelib.services.dispatch.order_commits import Changes
from chalicelib.services.dispatch.roster import Roster
from chalicelib.services.messaging.fanout import Broadcast
from chalicelib.services.ports import Clock, CourierStore

AT_ONCE = 50  # couriers called in one pass
IN_ALL = 200  # and for one order: its row stays small


class Calls:
    """Says what is open and what no longer is, to those who were called. A call may be lost, so
    the next pass says it once more to those it finds; each pass calls who has come meanwhile."""

    def __init__(self, broadcast: Broadcast, policies: Mapping[str, Policy], clock: Clock) -> None:
        self._broadcast = broadcast
        self._policies = policies
        self._clock = clock

    def follow(self, before: Order | None, after: Order) -> None:
        """After a commit: call those who are new, or tell all who were called that it is over."""
        policy = self._policies.get(after.job.flow)
        if policy is None or not policy.calls:
            return
        was_open = before is not None and before.status is Status.SEARCHING
        called = before.offered_to if before and was_open else ()
        if after.status is Status.SEARCHING:
            new = [c for c in after.offered_to if c not in called]
            unheard = before.unheard if before and was_open else ()
            again = [c for c in unheard if c not in after.unheard]
            self._say(new + again, events.ORDER_CALLED, after)
        elif was_open:
            late = [c for c in called if c != after.courier_id]
            self._say(late, events.ORDER_CLOSED, after)

    def _say(self, courier_ids: list[str], type_: str, order: Order) -> None:
        if courier_ids:
            event = tell(order, type_, "", self._clock(), job=order.job)
            self._broadcast.to_people(courier_ids, event)


class Calling:
    """Looks for couriers to call."""

    def __init__(self, couriers: CourierStore, changes: Changes, clock: Clock) -> None:
        self._roster = Roster(couriers)
        self._changes = changes
        self._clock = clock

    def settle(
        self, before: Order | None, searching: Order, told: tuple[Event, ...], policy: Policy
    ) -> Order:
        """Commit a searching order as open to those near by who have not been called yet, or, past
        the end of the search, as unserved. The commit sends the wakeup of the next look, which is
        at the end of the search at the latest. Raises Stale."""
        now = self._clock()
        until = searching.search_until or now
        if now >= until:
            command: commands.GiveUp | commands.Open = commands.GiveUp()
        else:
            near, unheard = self._look_around(searching, policy, now)
            next_at = min(now + policy.search_every, until)
            command = commands.Open(near, next_at, unheard)
        after, more = advance(searching, command, SYSTEM, now)
        return self._changes.commit(before, after, told + more)

    def _look_around(
        self, order: Order, policy: Policy, now: datetime
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Whom to call, the nearest first, and who then may not have heard of it: them, too, and
        those called before who are away or were not seen since."""
        pickup = order.job.pickup.point
        room = min(AT_ONCE, IN_ALL - len(order.offered_to))
        if pickup is None:
            return (), ()
        found: list[Courier] = []
        unheard = dict.fromkeys(order.unheard)

        def wanted(courier: Courier) -> bool:
            new = courier.id not in order.offered_to or room <= 0
            return new and _hears(courier, order, policy, now)

        for ring, _ in self._roster.near(pickup, policy, now, wanted):
            for courier in ring:
                hears = _hears(courier, order, policy, now)
                if courier.id not in order.offered_to:
                    found += [courier] if hears else []
                elif hears:
                    unheard.pop(courier.id, None)
                elif not courier.connected:
                    unheard[courier.id] = None
            if len(found) >= max(room, 1):
                break
        called = tuple(c.id for c in rank(found, pickup)[: max(room, 0)])
        return called, (*unheard, *called)


def _hears(courier: Courier, order: Order, policy: Policy, now: datetime) -> bool:
    """Whether a courier is to be called: connected, free, near by, with the right vehicle."""
    return (
        courier.connected
        and courier.id not in (*order.excluded, order.job.customer_id)
        and vehicle_key(courier.vehicle_type) == vehicle_key(order.job.vehicle_type)
        and fit(courier, order.job.pickup.point, policy, now)
    )
