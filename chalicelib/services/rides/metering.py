"""Trips: what a courier must be, and be near, to take each step; and what a trip came to."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.details import Trip
from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.money.fares import Tariffs, normalize_vehicle_type
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.dispatch_policy import is_located
from chalicelib.domain.orders.model import WITH_COURIER, Order, Status
from chalicelib.domain.people import Courier, Fix
from chalicelib.domain.travel import estimate_minutes
from chalicelib.errors import CourierBusy, NoTariff, NotAtPickup, NotOnline
from chalicelib.services.ports import CourierStore

MAX_FIX_AGE = timedelta(
    seconds=60
)  # of a fix that says where a courier is as a trip begins, or ends


class RideMeter:
    """Completes the commands of a flow that measures its trips. `start_radius_m` 0: a trip may
    start anywhere."""

    def __init__(self, couriers: CourierStore, tariffs: Tariffs, start_radius_m: float) -> None:
        self._couriers = couriers
        self._tariffs = tariffs
        self._start_radius_m = start_radius_m

    def complete_command(
        self, order: Order, courier_id: str, command: Command, now: datetime
    ) -> Command:
        """A permitted command with what it takes filled in.

        Raises NotOnline, CourierBusy for accepting; NotAtPickup for starting.
        """
        if isinstance(command, commands.Accept):
            return self._complete_accept(order, self._get_courier(courier_id), command)
        if isinstance(command, commands.PickUp):
            return self._complete_pick_up(order, self._get_courier(courier_id), now)
        if isinstance(command, commands.Deliver):
            return commands.Deliver(self.measure_trip(order, self._get_courier(courier_id), now))
        return command

    def estimate_eta_minutes(self, order: Order) -> int | None:
        """Minutes until the courier is where they drive to, by their last fix."""
        if order.courier_id is None or order.status not in WITH_COURIER:
            return None
        return _estimate_eta(order, self._get_courier(order.courier_id))

    def check_vehicle(self, courier_id: str) -> None:
        """Raises NoTariff unless there are rides for what a courier drives."""
        vehicle_type = self._get_courier(courier_id).vehicle_type
        if normalize_vehicle_type(vehicle_type) not in self._tariffs:
            raise NoTariff(
                f"There are no rides for vehicle_type {vehicle_type}: "
                f"your profile must have one of {', '.join(sorted(self._tariffs))}, or none."
            )

    def measure_trip(self, order: Order, courier: Courier, now: datetime) -> Trip:
        """What a trip that ends now came to: along the fixes on the way."""
        began = order.timeline.get(Status.IN_TRANSIT.value, now)
        started = order.trip or Trip(courier.odometer.reading_m)
        on_the_way = courier.located_at is not None and began < courier.located_at
        fix = courier.fix if on_the_way and is_located(courier, MAX_FIX_AGE, now) else None
        metres = courier.odometer.reading_m - started.odometer_m
        metres = max(metres, _compute_least_m(order, started.start, fix))
        seconds = int((now - began).total_seconds())
        tariff = self._tariffs[normalize_vehicle_type(order.details.vehicle_type)]
        fare_minor = tariff.compute_fare_minor(metres, seconds)
        return replace(started, distance_m=metres, duration_s=seconds, fare_minor=fare_minor)

    def _get_courier(self, courier_id: str) -> Courier:
        return self._couriers.get_courier(courier_id) or Courier(courier_id)

    def _complete_accept(self, order: Order, courier: Courier, command: commands.Accept) -> Command:
        if courier.order_id is not None:
            raise CourierBusy("You have another order that is not finished.")
        if not courier.available:
            raise NotOnline("Go online first.")
        return replace(command, eta_minutes=_estimate_minutes(courier, order.details.pickup.point))

    def _complete_pick_up(self, order: Order, courier: Courier, now: datetime) -> Command:
        if self._start_radius_m:
            self._check_at_pickup(order, courier, now)
        eta = _estimate_minutes(courier, order.details.dropoff.point)
        trip = Trip(courier.odometer.reading_m, start=courier.point)
        return commands.PickUp(trip, eta)

    def _check_at_pickup(self, order: Order, courier: Courier, now: datetime) -> None:
        pickup, fix = order.details.pickup.point, courier.fix
        if fix is None or not is_located(courier, MAX_FIX_AGE, now):
            raise NotAtPickup("Your last location is too old to say that you are at the pickup.")
        away_m = measure_distance_m(fix.point, pickup) if pickup else 0.0
        if away_m > self._start_radius_m:
            raise NotAtPickup("You are not at the pickup.", distance_m=round(away_m))


def _compute_least_m(order: Order, start: Point | None, end: Fix | None) -> float:
    """What a trip came to, whatever its fixes passed over: as estimated where nobody knows where
    it ended, else the crow's line, if that is less."""
    estimated = order.details.estimate.distance_m if order.details.estimate else 0.0
    if end is None:
        return estimated
    return min(estimated, measure_distance_m(start, end.point)) if start else 0.0


def _estimate_eta(order: Order, courier: Courier) -> int | None:
    job = order.details
    ahead = job.dropoff if order.status is Status.IN_TRANSIT else job.pickup
    return _estimate_minutes(courier, ahead.point)


def _estimate_minutes(courier: Courier, to: Point | None) -> int | None:
    return estimate_minutes(courier.point, to)
