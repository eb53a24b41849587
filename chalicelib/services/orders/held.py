"""The orders that occupy a courier, and the stops to which they go for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from chalicelib.domain.orders.dispatch_policy import is_located
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.stacking import PlannedStop, RemainingStop, plan_stops
from chalicelib.domain.people import Courier
from chalicelib.services.dispatch.courier_releaser import CourierReleaser
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.ports import Clock, CourierStore, OrderStore


class TimedStop(NamedTuple):
    """A stop, and when its courier will be there; None where nobody can tell."""

    stop: RemainingStop
    eta: datetime | None


class CourierPlan(NamedTuple):
    """A courier's orders, the one to be done next first, and the stops of those that they have
    accepted, in order."""

    orders: Sequence[Order]
    stops: Sequence[TimedStop]


class HeldOrders:
    """Reads couriers' orders. A position older than `fix_max_age` says nothing of when a courier
    is where."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        dispatch: SequentialDispatch,
        releaser: CourierReleaser,
        fix_max_age: timedelta,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._couriers = couriers
        self._dispatch = dispatch
        self._releaser = releaser
        self._fix_max_age = fix_max_age
        self._clock = clock

    def poll_next(self, courier_id: str) -> Order | None:
        """Read the order that a courier has to look to next: an offer that awaits an answer, else
        the one whose stop comes first. Notes and repairs what poll_plan does."""
        orders = self.poll_plan(courier_id).orders
        return orders[0] if orders else None

    def poll_plan(self, courier_id: str) -> CourierPlan:
        """Read the orders that occupy a courier, by an offer or by work, and their stops.

        A courier who polls with room for an order is there to be asked: that is noted. One whom an
        order still occupies that is done is released.
        """
        courier = self._couriers.get_courier(courier_id)
        if courier is None:
            return CourierPlan((), ())
        if courier.has_room:
            # Who polls may have no socket, and would be taken out of the index as if gone.
            self._couriers.note_alive(courier, self._clock())
        found = [self._read_order(courier_id, one.order_id) for one in courier.held]
        mine = [order.put_first(courier_id) for order in found]  # of several who are asked
        orders = [order for order in mine if order.occupied_courier_id == courier_id]
        offered = [order for order in orders if order.status is Status.OFFERED]
        accepted = [order for order in orders if order.status is not Status.OFFERED]
        plan = plan_stops(courier.point, accepted)
        turn = [one.stop.order_id for one in plan]
        accepted.sort(key=lambda order: turn.index(order.id))
        return CourierPlan((*offered, *accepted), self._time_stops(courier, plan))

    def _read_order(self, courier_id: str, order_id: int) -> Order:
        order = self._dispatch.expire_if_due(self._orders.get_order(order_id))
        self._releaser.release_if_done(courier_id, order)
        return order

    def _time_stops(self, courier: Courier, plan: Sequence[PlannedStop]) -> list[TimedStop]:
        """Say when a courier is at each stop, as far as the places are known."""
        now = self._clock()
        is_known = courier.point is not None and is_located(courier, self._fix_max_age, now)
        timed = []
        for stop, minutes in plan:
            is_known = is_known and stop.place.point is not None
            timed.append(TimedStop(stop, now + timedelta(minutes=minutes) if is_known else None))
        return timed
