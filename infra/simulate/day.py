"""A day: orders are placed and couriers work until nothing is left to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TextIO

from chalicelib.domain.details import OrderDetails, Place
from chalicelib.domain.events import Event
from chalicelib.domain.people import Person
from chalicelib.settings import Settings
from infra.simulate.agenda import Agenda
from infra.simulate.application import CityApplication
from infra.simulate.city import make_city
from infra.simulate.couriers import CourierAgent
from infra.simulate.figures import Records, Tally, list_figures
from infra.simulate.mdrp import read_instance
from infra.simulate.options import Options
from infra.simulate.scenario import PlannedOrder, Scenario
from infra.simulate.stores.bill import Bill

START = datetime(2026, 1, 5, 10, 0, tzinfo=timezone.utc)  # a Monday
_TELL_EVERY = 1000  # orders, of the progress


@dataclass(frozen=True)
class DayResult:
    """What a day has come to."""

    scenario: Scenario
    records: Records
    tally: Tally
    bill: Bill

    def list_figures(self) -> dict[str, str]:
        """List the figures by their names."""
        return list_figures(self.records, self.tally, self.bill)


class Day:
    """One day of a scenario, under the application's settings. `progress` is told how far it is."""

    def __init__(
        self,
        scenario: Scenario,
        options: Options,
        settings: Settings,
        progress: TextIO | None = None,
    ) -> None:
        self._scenario = scenario
        self._options = options
        self._progress = progress
        self._agenda = Agenda(START)
        self._records = Records()
        self._tally = Tally()
        self._planned: dict[int, PlannedOrder] = {}
        self._by_customer: dict[str, PlannedOrder] = {}
        self._placed = 0
        self._application = CityApplication(
            settings, self._agenda, self._hear, self._records.on_committed
        )
        self._couriers = {
            shift.courier_id: CourierAgent(
                shift,
                scenario,
                options,
                self._application.services,
                self._agenda,
                self._tally,
                self._planned.__getitem__,
            )
            for shift in scenario.shifts
        }

    def run(self) -> DayResult:
        """Run the day to its end."""
        never = START + timedelta(seconds=self._scenario.end_s) + timedelta(days=30)
        for agent in self._couriers.values():
            shift = agent.shift
            person = Person(shift.courier_id, shift.courier_id, vehicle_type=shift.vehicle_type)
            self._application.connect_courier(person, never)
            agent.plan_shift()
        for order in self._scenario.orders:
            self._agenda.plan_at(
                START + timedelta(seconds=order.placed_s), partial(self._place, order)
            )
        # What it took to let couriers in is not what orders cost.
        self._application.bill.writes.clear()
        self._application.bill.reads.clear()
        with _raise_what_is_logged():
            self._agenda.run()
        for id_, record in self._records.by_id.items():
            ready_s = self._planned[id_].ready_s
            record.ready_at = START + timedelta(seconds=ready_s)
        return DayResult(self._scenario, self._records, self._tally, self._application.bill)

    def _place(self, order: PlannedOrder) -> None:
        """Place an order, as its customer."""
        pickup, dropoff = self._scenario.locate(order.pickup), self._scenario.locate(order.dropoff)
        details = OrderDetails(
            flow=self._options.flow,
            customer_id=f"customer-{order.id}",
            pickup=Place("a restaurant", *pickup),
            dropoff=Place("a door", *dropoff),
            created_at=self._agenda.now,
        )
        # The courier hears of the offer before this returns: their agent looks the order up later.
        placed = self._application.services.customer_orders.place_order(details).order
        self._planned[placed.id] = order
        self._placed += 1
        if self._progress and self._placed % _TELL_EVERY == 0:
            left = len(self._scenario.orders) - self._placed
            print(f"{self._placed} orders placed, {left} to come", file=self._progress, flush=True)

    def _hear(self, person_id: str, event: Event) -> None:
        """Let a courier hear of an event."""
        if agent := self._couriers.get(person_id):
            agent.hear(event)


class _LogFailures(logging.Handler):
    """Raises what the services only log: nothing can fail in a city without faults, but by a
    mistake of the services or of this simulator."""

    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError(f"logged in the simulation: {record.getMessage()}") from (
            record.exc_info[1] if record.exc_info else None
        )


@contextmanager
def _raise_what_is_logged() -> Iterator[None]:
    handler = _LogFailures(logging.WARNING)
    logger = logging.getLogger("chalicelib")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def run_day(
    scenario: Scenario, options: Options, settings: Settings, progress: TextIO | None = None
) -> DayResult:
    """Run a day of a scenario."""
    return Day(scenario, options, settings, progress).run()


def make_scenario(options: Options) -> Scenario:
    """Read the instance that is asked for, or make a city. Raises MalformedInstance."""
    return read_instance(options.instance, options) if options.instance else make_city(options)
