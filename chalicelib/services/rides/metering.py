"""Metered trips: what a courier must be, and be near, for each step; and what the trip cost."""

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
from chalicelib.domain.people import Courier
from chalicelib.domain.price_lines import sum_minor
from chalicelib.domain.travel import estimate_minutes
from chalicelib.errors import CourierBusy, CourierPaused, NoTariff, NotAtPickup, NotOnline
from chalicelib.services.ports import CourierStore

# A fix older than this does not say where a courier is as a trip begins, or ends.
MAX_FIX_AGE = timedelta(seconds=60)


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
        """Fill in what a permitted command takes: the minutes of the way, the trip so far.

        Raises NotOnline, CourierBusy, CourierPaused for accepting; NotAtPickup for starting.
        """
        if isinstance(command, commands.Accept):
            return self._complete_accept(order, self._get_courier(courier_id), command, now)
        if isinstance(command, commands.PickUp):
            return self._complete_pick_up(order, self._get_courier(courier_id), command, now)
        if isinstance(command, commands.Deliver):
            courier = self._get_courier(courier_id)
            trip = self.measure_trip(order, courier, now)
            return replace(command, trip=trip, position=_find_current_point(courier, now))
        return command

    def estimate_eta_minutes(self, order: Order) -> int | None:
        """Estimate the minutes until the courier is where they drive to, by their last fix; None
        where nobody drives, or it is not known from where, or to where."""
        if order.courier_id is None or order.status not in WITH_COURIER:
            return None
        details = order.details
        target = details.dropoff if order.status is Status.IN_TRANSIT else details.pickup
        return estimate_minutes(self._get_courier(order.courier_id).point, target.point)

    def check_vehicle(self, courier_id: str) -> None:
        """Check that there are rides for what a courier drives. Raises NoTariff."""
        vehicle_type = self._get_courier(courier_id).vehicle_type
        if normalize_vehicle_type(vehicle_type) not in self._tariffs:
            raise NoTariff(
                f"There are no rides for vehicle_type {vehicle_type}: "
                f"your profile must have one of {', '.join(sorted(self._tariffs))}, or none."
            )

    def measure_trip(self, order: Order, courier: Courier, now: datetime) -> Trip:
        """Measure a trip that ends now: the way of its fixes, its time and its fare, which is the
        quoted one where the ride has a quote.

        Where fixes are missing the way is too short: it is at least what _compute_least_m says.
        """
        began_at = order.timeline.get(Status.IN_TRANSIT.value, now)
        trip = order.trip or Trip(courier.odometer.reading_m)
        has_moved = courier.located_at is not None and began_at < courier.located_at
        knows_end = has_moved and is_located(courier, MAX_FIX_AGE, now)
        least_m = _compute_least_m(order, trip.start, courier.point if knows_end else None)
        distance_m = max(courier.odometer.reading_m - trip.odometer_m, least_m)
        duration_s = int((now - began_at).total_seconds())
        fare_minor = self._compute_fare_minor(order, distance_m, duration_s)
        return replace(trip, distance_m=distance_m, duration_s=duration_s, fare_minor=fare_minor)

    def _compute_fare_minor(self, order: Order, distance_m: float, duration_s: int) -> int:
        # The trip's fare is what driver and rider are told of it: it must be what is billed.
        if order.price:
            return sum_minor(order.price)
        tariff = self._tariffs[normalize_vehicle_type(order.details.vehicle_type)]
        return tariff.compute_fare_minor(distance_m, duration_s)

    def _get_courier(self, courier_id: str) -> Courier:
        return self._couriers.get_courier(courier_id) or Courier(courier_id)

    def _complete_accept(
        self, order: Order, courier: Courier, command: commands.Accept, now: datetime
    ) -> Command:
        # The claim is on the same conditions. Here they can be told apart, before anything is sent.
        # Who accepted it at this very moment, by a message sent twice, is not busy with another:
        # their commit finds the order changed, and reads that it is theirs.
        if not courier.has_room and not courier.holds(order.id):
            raise CourierBusy("You have another order that is not finished.")
        if not courier.available:
            raise NotOnline("Go online first.")
        if courier.is_paused:
            raise CourierPaused(
                "You are paused by a dispatcher: no new rides until they resume you."
            )
        eta_minutes = estimate_minutes(courier.point, order.details.pickup.point)
        position = _find_current_point(courier, now)
        return replace(command, eta_minutes=eta_minutes, position=position)

    def _complete_pick_up(
        self, order: Order, courier: Courier, command: commands.PickUp, now: datetime
    ) -> Command:
        if self._start_radius_m:
            self._check_at_pickup(order, courier, now)
        trip = Trip(courier.odometer.reading_m, start=courier.point)
        eta_minutes = estimate_minutes(courier.point, order.details.dropoff.point)
        position = _find_current_point(courier, now)
        return replace(command, trip=trip, eta_minutes=eta_minutes, position=position)

    def _check_at_pickup(self, order: Order, courier: Courier, now: datetime) -> None:
        pickup, here = order.details.pickup.point, courier.point
        if here is None or not is_located(courier, MAX_FIX_AGE, now):
            raise NotAtPickup("Your last location is too old to say that you are at the pickup.")
        away_m = measure_distance_m(here, pickup) if pickup else 0.0
        if away_m > self._start_radius_m:
            raise NotAtPickup("You are not at the pickup.", distance_m=round(away_m))


def _find_current_point(courier: Courier, now: datetime) -> Point | None:
    return courier.point if is_located(courier, MAX_FIX_AGE, now) else None


def _compute_least_m(order: Order, start: Point | None, end: Point | None) -> float:
    """Compute the metres that a trip has at least, whatever its fixes passed over: the estimate
    where nobody knows where it ended (`end` None), else the crow's line, if that is less."""
    estimated_m = order.details.estimate.distance_m if order.details.estimate else 0.0
    if end is None:
        return estimated_m
    return min(estimated_m, measure_distance_m(start, end)) if start else 0.0
