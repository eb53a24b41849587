"""Open an order to all couriers near by at once: the first one who accepts has it.

An order that searches has in `offered_to` the couriers who may take it, and in `unconfirmed` those
of them who may not have heard of it. Each look (`NearbyDispatch`) adds who has come meanwhile, in
one commit, which no courier's row is part of: nobody is claimed before they accept. After each
commit `NearbyNotifier` posts what is new to whom it concerns.

Such a post is kept nowhere and may be lost: by a death after the commit, or on a phone without a
network. So a courier stays unconfirmed until a later look finds them connected and free, and that
look's commit has it posted once more. An accept closes the order for all others by its status
alone; that they are told of it is a courtesy, and may be lost as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.geo import Point
from chalicelib.domain.money.fares import normalize_vehicle_type
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.dispatch_policy import (
    DispatchPolicy,
    FreeCourierQuery,
    is_eligible,
    measure_to_pickup_m,
    rank_couriers,
)
from chalicelib.domain.orders.drafts import draft_for_courier
from chalicelib.domain.orders.lifecycle import advance_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import SYSTEM, Courier
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.roster import Roster
from chalicelib.services.dispatch.schedules import find_next_search
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock, CourierStore

MAX_PER_LOOK = 50  # couriers added in one look
MAX_PER_ORDER = 200  # couriers added to one order: its row stays small


class NearbyNotifier:
    """Posts to couriers that an order is open to them, and that it no longer is."""

    def __init__(
        self, fanout: FanOut, policies: Mapping[str, DispatchPolicy], clock: Clock
    ) -> None:
        self._fanout = fanout
        self._policies = policies
        self._clock = clock

    def on_committed(self, stored: Order | None, order: Order) -> None:
        """Post what a commit means for couriers near by: that the order is open, to those who were
        added or seen again; or that it no longer is, to all but the one who has it."""
        policy = self._policies.get(order.details.flow)
        if policy is None or not policy.is_broadcast:
            return
        before = stored if stored and stored.status is Status.SEARCHING else None
        invited = before.offered_to if before else ()
        if order.status is Status.SEARCHING:
            added = [id_ for id_ in order.offered_to if id_ not in invited]
            unconfirmed = before.unconfirmed if before else ()
            if before and before.plan != order.plan:
                unconfirmed = invited  # another search: whoever let the first pass hears it again
            seen = [id_ for id_ in unconfirmed if id_ not in order.unconfirmed]
            self._post_to_couriers(added + seen, events.ORDER_BROADCAST, order)
        elif before:
            late = [id_ for id_ in invited if id_ != order.courier_id]
            self._post_to_couriers(late, events.BROADCAST_CLOSED, order)

    def _post_to_couriers(self, courier_ids: list[str], type_: str, order: Order) -> None:
        if courier_ids:
            event = draft_for_courier(order, type_, "", self._clock(), details=order.details)
            self._fanout.post_to_people(courier_ids, event)


class NearbyDispatch:
    """Looks for couriers to whom an order is to be opened."""

    def __init__(self, couriers: CourierStore, writer: OrderWriter, clock: Clock) -> None:
        self._roster = Roster(couriers)
        self._writer = writer
        self._clock = clock

    def open_to_nearby(
        self,
        stored: Order | None,
        order: Order,
        events: tuple[Event, ...],
        policy: DispatchPolicy,
    ) -> Order:
        """Commit a searching order as open to the couriers near by who were not added before; or as
        unserved, past the end of its last search.

        `stored` is the order as the database has it, None if it is new; `events` are those of the
        step that made it search. The commit sends the wakeup of the next look, which is at the end
        of the search at the latest. Raises Stale, Unavailable.
        """
        now = self._clock()
        command = self._choose_command(order, policy, now)
        order, more = advance_order(order, command, SYSTEM, now)
        return self._writer.commit_order(stored, order, events + more)

    def _choose_command(
        self, order: Order, policy: DispatchPolicy, now: datetime
    ) -> commands.GiveUp | commands.OpenToNearby:
        """Choose what becomes of a searching order now: look around while its search goes on, wait
        for the next one that is planned, or give up."""
        until, next_search_at = order.search_until or now, find_next_search(order)
        if now >= until and next_search_at:
            # Until then, whoever has heard of the order may still take it.
            return commands.OpenToNearby((), next_search_at, order.unconfirmed)
        if now >= until:
            return commands.GiveUp()
        added, unconfirmed = self._find_nearby(order, policy, now)
        pickup = order.details.pickup.point
        return commands.OpenToNearby(
            tuple(courier.id for courier in added),
            min(now + policy.search_every, until),
            unconfirmed,
            tuple(measure_to_pickup_m(courier, pickup) for courier in added),
        )

    def _find_nearby(
        self, order: Order, policy: DispatchPolicy, now: datetime
    ) -> tuple[Sequence[Courier], tuple[str, ...]]:
        """Find whom to add, the nearest first, and who then may not have heard of the order: those,
        too, and of those added before the ones who are away or were not seen since."""
        pickup = order.details.pickup.point
        if pickup is None:
            return (), ()
        nearby = self._look_around(_Look(order, policy, now, pickup))
        added = rank_couriers(nearby.new, pickup)[: nearby.look.left]
        return added, (*nearby.unconfirmed, *(courier.id for courier in added))

    def _look_around(self, look: _Look) -> _Nearby:
        """Read couriers ring by ring, outward, until enough new ones are found."""
        nearby = _Nearby(look, [], dict.fromkeys(look.order.unconfirmed))
        # Where no more may be added the look goes on: it still confirms those added before.
        query = FreeCourierQuery(
            lambda courier: look.can_notify(courier) and (look.is_new(courier) or not look.left),
            enough=max(look.left, 1),
        )
        rings = self._roster.iterate_near(look.pickup, look.policy, look.now, query)
        for ring, _ in rings:
            for courier in ring:
                nearby.add_courier(courier)
            if len(nearby.new) >= max(look.left, 1):
                break
        return nearby


class _Look(NamedTuple):
    """One look for couriers, around one pickup."""

    order: Order
    policy: DispatchPolicy
    now: datetime
    pickup: Point

    @property
    def left(self) -> int:
        """The number of couriers who may still be added."""
        return max(0, min(MAX_PER_LOOK, MAX_PER_ORDER - len(self.order.offered_to)))

    def is_new(self, courier: Courier) -> bool:
        """Say whether a courier was not added before."""
        return courier.id not in self.order.offered_to

    def can_notify(self, courier: Courier) -> bool:
        """Say whether a courier may take the order and hears of it now: connected, free, near by,
        with the right vehicle, and neither its customer nor one who gave it back."""
        return (
            courier.connected
            and courier.id not in (*self.order.excluded, self.order.details.customer_id)
            and _drives(courier, self.order.details.vehicle_type)
            and is_eligible(courier, self.pickup, self.policy, self.now)
        )


def _drives(courier: Courier, vehicle_type: str | None) -> bool:
    return normalize_vehicle_type(courier.vehicle_type) == normalize_vehicle_type(vehicle_type)


class _Nearby(NamedTuple):
    """What a look has found: `new` couriers, and, as the keys of a dict, who is unconfirmed."""

    look: _Look
    new: list[Courier]
    unconfirmed: dict[str, None]

    def add_courier(self, courier: Courier) -> None:
        """Note a courier who was read: new, seen again, or away again."""
        if self.look.is_new(courier):
            if self.look.can_notify(courier):
                self.new.append(courier)
        elif self.look.can_notify(courier):
            self.unconfirmed.pop(courier.id, None)
        elif not courier.connected:
            self.unconfirmed[courier.id] = None
