"""Rides from both sides: ask for one, see how it stands, call it off."""

from __future__ import annotations

from chalicelib.domain import events
from chalicelib.domain.details import OrderDetails, TripRequest
from chalicelib.domain.events import Event
from chalicelib.domain.money.fares import Tariffs, estimate_trip, normalize_vehicle_type
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Order, OrderView, Status
from chalicelib.domain.people import Actor, Courier, Role
from chalicelib.errors import InvalidInput
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.orders.courier import CourierOrders, read_contact
from chalicelib.services.orders.customer import CustomerOrders
from chalicelib.services.ports import Clock, PeopleStore
from chalicelib.services.rides.metering import RideMeter

RIDE_FLOW = "ride"


class RideService:
    """What riders and drivers do with rides beyond the steps that services.delivery takes.

    `reallocate` looks for another driver when one cancels before the trip, once a ride.
    """

    def __init__(
        self,
        people: PeopleStore,
        ordering: CustomerOrders,
        delivery: CourierOrders,
        dispatching: SequentialDispatch,
        trips: RideMeter,
        tariffs: Tariffs,
        reallocate: bool,
        clock: Clock,
    ) -> None:
        self._people = people
        self._ordering = ordering
        self._delivery = delivery
        self._dispatching = dispatching
        self._trips = trips
        self._tariffs = tariffs
        self._reallocate = reallocate
        self._clock = clock

    def request_ride(self, rider: Actor, wish: TripRequest) -> Order:
        """Ask for a ride: all free drivers near by are called. Raises InvalidInput."""
        vehicle_type = normalize_vehicle_type(wish.vehicle_type)
        tariff = self._tariffs.get(vehicle_type)
        if tariff is None:
            known = ", ".join(sorted(self._tariffs))
            raise InvalidInput(f"vehicle_type must be one of {known}.", field="vehicle_type")
        if wish.pickup.point is None or wish.dropoff.point is None:
            raise InvalidInput("pickup and destination need coordinates.", field="pickup")
        job = OrderDetails(
            flow=RIDE_FLOW,
            customer_id=rider.id,
            pickup=wish.pickup,
            dropoff=wish.dropoff,
            created_at=self._clock(),
            notes=wish.notes,
            customer=read_contact(self._people, rider),
            vehicle_type=vehicle_type,
            estimate=estimate_trip(wish.pickup.point, wish.dropoff.point, tariff),
        )
        return self._ordering.place_order(job)

    def check_vehicle(self, driver: Actor) -> None:
        """Raises NoTariff unless there are rides for what a driver drives."""
        self._trips.check_vehicle(driver.id)

    def get_ride(self, actor: Actor, order_id: int) -> OrderView:
        """How a ride stands. NotFound for everybody who has no part in it."""
        order = self._ordering.get_order(actor, order_id)
        return OrderView(order, self._trips.estimate_eta_minutes(order))

    def cancel_ride(self, actor: Actor, order_id: int, reason: str | None) -> Order:
        """Call a ride off, as its rider or as its driver. Raises InvalidTransition once it is
        over, NotFound for everybody else."""
        if actor.role is not Role.COURIER:
            return self._ordering.cancel_order(actor, order_id, reason)
        return self._delivery.take_step(
            actor, order_id, self._make_cancel_command(actor, order_id, reason)
        )

    def _make_cancel_command(self, actor: Actor, order_id: int, reason: str | None) -> Command:
        order = self._ordering.get_order(actor, order_id)
        before_trip = order.status in (Status.ACCEPTED, Status.AT_PICKUP)
        if self._reallocate and before_trip and "handed_back" not in order.timeline:
            until = self._dispatching.compute_search_end(order.details.flow, self._clock())
            return commands.HandBack(until, reason)
        return commands.Withdraw(reason)


class LivePosition:
    """Shows customers where the courier is who comes to them."""

    def __init__(self, broadcast: FanOut) -> None:
        self._broadcast = broadcast

    def on_fix(self, courier: Courier) -> None:
        """After each fix. The courier's own row says who may see it, so this reads no order: the
        one read is for the customer's connections. Where the fix has no heading, it is the
        direction from the one before it."""
        if courier.visible_to is None or courier.fix is None:
            return
        fix = courier.fix
        moved = Event(
            type=events.COURIER_MOVED,
            to=courier.visible_to,
            stream=events.order_stream(courier.order_id or 0),
            version=0,
            ordinal=0,
            at=fix.at,
            data={
                "courier_id": courier.id,
                "lat": fix.lat,
                "lng": fix.lng,
                "heading": courier.odometer.heading if fix.heading is None else fix.heading,
            },
        )
        self._broadcast.post_to_people([courier.visible_to], moved)
