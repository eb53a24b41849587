"""Trips: what a courier must be, and be near, to take each step; and what a trip came to."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.details import Trip
from chalicelib.domain.geo import Point, distance_m
from chalicelib.domain.money.fares import Tariffs, eta_minutes, vehicle_key
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.dispatch_policy import is_located
from chalicelib.domain.orders.model import ON_THE_WAY, Order, Status
from chalicelib.domain.people import Courier, Fix
from chalicelib.errors import CourierBusy, NoTariff, NotAtPickup, NotOnline
from chalicelib.services.ports import CourierStore

FRESH = timedelta(seconds=60)  # of a fix that says where a courier is as a trip begins, or ends


class Trips:
    """Completes the commands of a flow that measures its trips. `start_radius_m` 0: a trip may
    start anywhere."""

    def __init__(self, couriers: CourierStore, tariffs: Tariffs, start_radius_m: float) -> None:
        self._couriers = couriers
        self._tariffs = tariffs
        self._start_radius_m = start_radius_m

    def prepare(self, order: Order, courier_id: str, command: Command, now: datetime) -> Command:
        """A permitted command with what it takes filled in.

        Raises NotOnline, CourierBusy for accepting; NotAtPickup for starting.
        """
        if isinstance(command, commands.Accept):
            return self._accept(order, self._courier(courier_id), command)
        if isinstance(command, commands.PickUp):
            return self._start(order, self._courier(courier_id), now)
        if isinstance(command, commands.Deliver):
            return commands.Deliver(self.trip(order, self._courier(courier_id), now))
        return command

    def eta_minutes(self, order: Order) -> int | None:
        """Minutes until the courier is where they drive to, by their last fix."""
        if order.courier_id is None or order.status not in ON_THE_WAY:
            return None
        return _eta(order, self._courier(order.courier_id))

    def check_vehicle(self, courier_id: str) -> None:
        """Raises NoTariff unless there are rides for what a courier drives."""
        vehicle_type = self._courier(courier_id).vehicle_type
        if vehicle_key(vehicle_type) not in self._tariffs:
            raise NoTariff(
                f"There are no rides for vehicle_type {vehicle_type}: "
                f"your profile must have one of {', '.join(sorted(self._tariffs))}, or none."
            )

    def trip(self, order: Order, courier: Courier, now: datetime) -> Trip:
        """What a trip that ends now came to: along the fixes on the way."""
        began = order.timeline.get(Status.IN_TRANSIT.value, now)
        started = order.trip or Trip(courier.odometer.reading_m)
        on_the_way = courier.located_at is not None and began < courier.located_at
        fix = courier.fix if on_the_way and is_located(courier, FRESH, now) else None
        metres = courier.odometer.reading_m - started.odometer_m
        metres = max(metres, _at_least_m(order, started.start, fix))
        seconds = int((now - began).total_seconds())
        tariff = self._tariffs[vehicle_key(order.job.vehicle_type)]
        fare_minor = tariff.fare_minor(metres, seconds)
        return replace(started, distance_m=metres, duration_s=seconds, fare_minor=fare_minor)

    def _courier(self, courier_id: str) -> Courier:
        return self._couriers.get(courier_id) or Courier(courier_id)

    def _accept(self, order: Order, courier: Courier, command: commands.Accept) -> Command:
        if courier.order_id is not None:
            raise CourierBusy("You have another order that is not finished.")
        if not courier.available:
            raise NotOnline("Go online first.")
        return replace(command, eta_minutes=_minutes(courier, order.job.pickup.point))

    def _start(self, order: Order, courier: Courier, now: datetime) -> Command:
        if self._start_radius_m:
            self._check_at_pickup(order, courier, now)
        eta = _minutes(courier, order.job.dropoff.point)
        start = (courier.fix.lat, courier.fix.lng) if courier.fix else None
        return commands.PickUp(Trip(courier.odometer.reading_m, start=start), eta)

    def _check_at_pickup(self, order: Order, courier: Courier, now: datetime) -> None:
        pickup, fix = order.job.pickup.point, courier.fix
        if fix is None or not is_located(courier, FRESH, now):
            raise NotAtPickup("Your last location is too old to say that you are at the pickup.")
        away_m = distance_m((fix.lat, fix.lng), pickup) if pickup else 0.0
        if away_m > self._start_radius_m:
            raise NotAtPickup("You are not at the pickup.", distance_m=round(away_m))


def _at_least_m(order: Order, start: Point | None, end: Fix | None) -> float:
    """What a trip came to, whatever its fixes passed over: as estimated where nobody knows where
    it ended, else the crow's line, if that is less."""
    estimated = order.job.estimate.distance_m if order.job.estimate else 0.0
    if end is None:
        return estimated
    return min(estimated, distance_m(start, (end.lat, end.lng))) if start else 0.0


def _eta(order: Order, courier: Courier) -> int | None:
    job = order.job
    ahead = job.dropoff if order.status is Status.IN_TRANSIT else job.pickup
    return _minutes(courier, ahead.point)


def _minutes(courier: Courier, to: Point | None) -> int | None:
    return eta_minutes((courier.fix.lat, courier.fix.lng) if courier.fix else None, to)
