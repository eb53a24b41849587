"""Rides from both sides: request one, read it, cancel it. Steps: services/orders/courier.py."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.domain.details import OrderDetails, TripRequest
from chalicelib.domain.money.fares import (
    Tariffs,
    estimate_trip,
    find_tariff,
    normalize_vehicle_type,
)
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Order, OrderView, Status
from chalicelib.domain.orders.placing import NO_EXTRAS, PlacedOrder, PlacingExtras
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import InvalidInput
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.orders.contacts import read_contact
from chalicelib.services.orders.courier import CourierOrders
from chalicelib.services.orders.customer import CustomerOrders
from chalicelib.services.ports import Clock, PeopleStore
from chalicelib.services.rides.metering import RideMeter

RIDE_FLOW = "ride"


class RideService:
    """Requests, reads and cancels rides. `reallocate` looks for another driver when one cancels
    before the trip, once a ride."""

    def __init__(
        self,
        people: PeopleStore,
        customer_orders: CustomerOrders,
        courier_orders: CourierOrders,
        dispatch: SequentialDispatch,
        meter: RideMeter,
        tariffs: Tariffs,
        reallocate: bool,
        clock: Clock,
    ) -> None:
        self._people = people
        self._customer_orders = customer_orders
        self._courier_orders = courier_orders
        self._dispatch = dispatch
        self._meter = meter
        self._tariffs = tariffs
        self._reallocate = reallocate
        self._clock = clock

    def request_ride(
        self, rider: Actor, request: TripRequest, extras: PlacingExtras = NO_EXTRAS
    ) -> PlacedOrder:
        """Place the order of a ride, open to all free drivers near by. Raises InvalidInput, and as
        CustomerOrders.place_order."""
        vehicle_type = normalize_vehicle_type(request.vehicle_type)
        tariff = find_tariff(self._tariffs, vehicle_type)
        if request.pickup.point is None or request.dropoff.point is None:
            raise InvalidInput("pickup and destination need coordinates.", field="pickup")
        details = OrderDetails(
            flow=RIDE_FLOW,
            customer_id=rider.id,
            pickup=request.pickup,
            dropoff=request.dropoff,
            created_at=self._clock(),
            notes=request.notes,
            customer=read_contact(self._people, rider),
            vehicle_type=vehicle_type,
            estimate=estimate_trip(request.pickup.point, request.dropoff.point, tariff),
        )
        return self._customer_orders.place_order(details, extras)

    def check_vehicle(self, driver: Actor) -> None:
        """Check that there are rides for what a driver drives. Raises NoTariff."""
        self._meter.check_vehicle(driver.id)

    def get_ride(self, actor: Actor, order_id: int) -> OrderView:
        """Read a ride, with the minutes until its driver is where they drive to. Raises NotFound
        for everybody who has no part in it."""
        order = self._customer_orders.get_order(actor, order_id)
        return OrderView(order, self._meter.estimate_eta_minutes(order))

    def cancel_ride(self, actor: Actor, order_id: int, reason: Reason | None) -> Order:
        """Cancel a ride, as its rider or as its driver. Raises InvalidTransition once it is over,
        NotFound for everybody else."""
        if actor.role is not Role.COURIER:
            return self._customer_orders.cancel_order(actor, order_id, reason)
        command = self._choose_cancel_command(actor, order_id, reason)
        return self._courier_orders.take_step(actor, order_id, command)

    def release_order(self, actor: Actor, order_id: int, reason: Reason) -> Order:
        """Give an order of any flow back before its pickup, as its courier; of a ride this is its
        driver's cancel_ride. Raises as CourierOrders.take_step."""
        if self._customer_orders.get_flow(order_id) != RIDE_FLOW:
            return self._courier_orders.take_step(actor, order_id, commands.Release(reason))
        command = self._choose_cancel_command(actor, order_id, reason)
        if isinstance(command, commands.Withdraw):
            command = replace(command, before_pickup=True)
        return self._courier_orders.take_step(actor, order_id, command)

    def _choose_cancel_command(self, actor: Actor, order_id: int, reason: Reason | None) -> Command:
        """Choose what a driver who cancels does: hand the ride back to be searched for anew, once a
        ride and before the trip; else end it for good."""
        order = self._customer_orders.get_order(actor, order_id)
        before_trip = order.status in (Status.ACCEPTED, Status.AT_PICKUP)
        if self._reallocate and before_trip and "handed_back" not in order.timeline:
            until = self._dispatch.schedules.compute_search_end(order.details.flow, self._clock())
            return commands.HandBack(until, reason)
        return commands.Withdraw(reason)
