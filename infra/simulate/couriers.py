"""Couriers of a city: they ride, report where they are, answer offers, and bring orders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from random import Random

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.orders.commands import Arrive, Command, Decline, Deliver, PickUp
from chalicelib.domain.orders.stacking import StopKind
from chalicelib.domain.people import Actor, Fix, Role
from chalicelib.edge.app_services import Services
from chalicelib.errors import WaybillError
from infra.simulate.agenda import Agenda
from infra.simulate.figures import Tally
from infra.simulate.options import Options
from infra.simulate.scenario import PlannedOrder, Scenario, Shift, Spot, measure_m

_THINKING_S, _THINKING_SPREAD = 5.0, 0.5  # median seconds until an offer is answered
_BACK_AFTER_S = 60.0  # a courier with nothing to do stays so long before going back to a hot spot
_STILL_REPORT_S = 60.0  # a phone that does not move reports no more often than this
# What tells a courier that an offer is theirs no longer.
_OFFER_ENDS = (events.OFFER_TIMED_OUT, events.OFFER_REASSIGNED, events.SEARCH_FAILED)
_WILD_M = 5_000.0  # how far off a wild fix is
# Draws of a normal distribution, made once: it is drawn from for each of a million fixes.
_NOISE = tuple((one.gauss(0, 1), one.gauss(0, 1)) for one in [Random("noise")] for _ in range(4096))

FindOrder = Callable[[int], PlannedOrder]


class CourierAgent:
    """One courier on one shift.

    What they hear is what their mailbox delivers; what they do is what their app would ask the
    services for. With several orders in hand they go to their stops in the order that the app says.
    """

    def __init__(
        self,
        shift: Shift,
        scenario: Scenario,
        options: Options,
        services: Services,
        agenda: Agenda,
        tally: Tally,
        find_order: FindOrder,
    ) -> None:
        self.shift = shift
        self.actor = Actor(shift.courier_id, Role.COURIER, name=shift.courier_id)
        self._scenario = scenario
        self._options = options
        self._services = services
        self._agenda = agenda
        self._tally = tally
        self._find_order = find_order
        self._random = Random(f"courier {options.seed} {shift.courier_id}")
        self._way = _Way(shift.start, shift.start, agenda.start, agenda.start)
        self._on_duty_since: datetime | None = None
        self._idle_since: datetime | None = None
        self._considered: set[int] = set()  # orders that they are about to answer
        self._hand: list[int] = []  # orders that were accepted, the one of the next stop first
        self._is_at_stop = False
        self._bag: set[int] = set()  # those of them that were picked up
        # Standing, riding: phones save power where nothing moves.
        self._pauses = (
            timedelta(seconds=max(options.report_s, _STILL_REPORT_S)),
            timedelta(seconds=options.report_s),
        )
        self._trips = 0  # counts changes of the way: what was planned for an old one is void

    def plan_shift(self) -> None:
        """Plan the beginning and the end of the shift."""
        start = self._agenda.start
        self._agenda.plan_at(start + timedelta(seconds=self.shift.on_s), self._begin)
        self._agenda.plan_at(start + timedelta(seconds=self.shift.off_s), self._end_if_free)

    # Duty

    def _begin(self) -> None:
        now = self._agenda.now
        self._way = _Way(self.shift.start, self.shift.start, now, now)
        self._on_duty_since = self._idle_since = now
        self._services.courier_status.set_available(self.actor, True, self._read_gps())
        # Phones do not report in step.
        self._agenda.plan_in(self._random.random() * self._options.report_s, self._report)

    def _end_if_free(self) -> None:
        """Go off duty at the end of the shift, once nothing is in hand."""
        now = self._agenda.now
        is_over = (now - self._agenda.start).total_seconds() >= self.shift.off_s
        if self._hand or not is_over or self._on_duty_since is None:
            return
        self._services.courier_status.set_available(self.actor, False)
        if self._idle_since:
            self._tally.idle_s += (now - self._idle_since).total_seconds()
        self._tally.duty_s += (now - self._on_duty_since).total_seconds()
        self._on_duty_since = self._idle_since = None

    # Positions

    def _report(self) -> None:
        """Report the position, and again after a while, for as long as the courier works."""
        if self._on_duty_since is None:
            return
        self._tally.fixes += 1
        self._services.courier_status.record_fix(self.actor, self._read_gps())
        is_riding = self._way.ends_at > self._agenda.now
        self._agenda.plan_at(self._agenda.now + self._pauses[is_riding], self._report)

    def _read_gps(self) -> Fix:
        """Read where the courier is, as a phone would say it."""
        now, draw = self._agenda.now, self._random.random
        noise_m = self._options.gps_noise_m
        if self._options.gps_wild and draw() < self._options.gps_wild:
            noise_m = _WILD_M
        east_m, north_m = self._way.find_spot(now)
        east, north = _NOISE[int(draw() * len(_NOISE))]
        lat, lng = self._scenario.locate((east_m + noise_m * east, north_m + noise_m * north))
        return Fix(lat, lng, now)

    # Offers

    def hear(self, event: Event) -> None:
        """Hear of an event."""
        if event.type == events.OFFER_MADE and event.offer:
            self._consider(event.order_id)
        elif event.type in _OFFER_ENDS and event.order_id in self._considered:
            self._considered.remove(event.order_id)  # it has gone from the screen
            self._tally.late += 1

    def _consider(self, order_id: int) -> None:
        """Think about an offer, and answer it or not."""
        self._tally.heard += 1
        draw, shift = self._random.random(), self.shift
        thinking_s = self._random.lognormvariate(0, _THINKING_SPREAD) * _THINKING_S
        if draw < shift.ignores:
            self._tally.ignored += 1
            return
        answer = self._decline if draw < shift.ignores + shift.declines else self._accept
        self._considered.add(order_id)
        self._agenda.plan_in(thinking_s, lambda: self._answer(order_id, answer))

    def _answer(self, order_id: int, answer: Callable[[int], None]) -> None:
        """Answer an offer, unless it has gone meanwhile."""
        if order_id in self._considered:
            self._considered.remove(order_id)
            answer(order_id)

    def _decline(self, order_id: int) -> None:
        try:
            self._take_step(order_id, Decline())
        except WaybillError:
            self._tally.late += 1  # it has lapsed, or is another's
        else:
            self._tally.declined += 1

    def _accept(self, order_id: int) -> None:
        try:
            self._services.courier_orders.accept_order(self.actor, order_id)
        except WaybillError:
            self._tally.late += 1
            return
        self._tally.accepted += 1
        now = self._agenda.now
        if self._idle_since:
            self._tally.idle_s += (now - self._idle_since).total_seconds()
            self._idle_since = None
        self._hand.append(order_id)
        if not self._is_at_stop:
            self._go_on()

    # Orders, step by step

    def _go_on(self) -> None:
        """Ride to the next stop: the only order's, or the one that the app says."""
        self._is_at_stop = False
        kind = StopKind.DROPOFF if self._hand[0] in self._bag else StopKind.PICKUP
        if len(self._hand) > 1:
            next_stop = self._services.held_orders.poll_plan(self.actor.id).stops[0].stop
            kind = next_stop.kind
            self._hand.remove(next_stop.order_id)
            self._hand.insert(0, next_stop.order_id)
        order = self._find_order(self._hand[0])
        if kind is StopKind.PICKUP:
            self._ride_to(order.pickup, self._arrive)
        else:
            self._ride_to(order.dropoff, self._reach_door)

    def _arrive(self) -> None:
        self._is_at_stop = True
        order_id, order = self._hand[0], self._find_order(self._hand[0])
        self._take_step(order_id, Arrive())
        ready_at = self._agenda.start + timedelta(seconds=order.ready_s)
        served_at = self._agenda.now + timedelta(seconds=self._scenario.pickup_service_s)
        self._agenda.plan_at(max(ready_at, served_at), self._pick_up)

    def _pick_up(self) -> None:
        order_id = self._hand[0]
        self._take_step(order_id, PickUp())
        self._bag.add(order_id)
        self._go_on()

    def _reach_door(self) -> None:
        self._is_at_stop = True
        self._agenda.plan_in(self._scenario.dropoff_service_s, self._deliver)

    def _deliver(self) -> None:
        self._bag.discard(self._hand[0])
        self._take_step(self._hand.pop(0), Deliver())
        if self._hand:
            self._go_on()
            return
        self._is_at_stop = False
        self._idle_since = self._agenda.now
        self._end_if_free()
        trip = self._trips
        self._agenda.plan_in(_BACK_AFTER_S, lambda: self._go_back(trip))

    def _take_step(self, order_id: int, command: Command) -> None:
        self._services.courier_orders.take_step(self.actor, order_id, command)

    # Ways

    def _go_back(self, trip: int) -> None:
        """Go where orders come from, unless something else has come up."""
        if trip == self._trips and self._on_duty_since and self._scenario.hot_spots:
            here = self._way.find_spot(self._agenda.now)
            self._ride_to(min(self._scenario.hot_spots, key=lambda spot: measure_m(here, spot)))

    def _ride_to(self, spot: Spot, arrive: Callable[[], None] | None = None) -> None:
        """Ride to a spot from wherever the courier is, and do something there."""
        now = self._agenda.now
        here = self._way.find_spot(now)
        riding_s = measure_m(here, spot) * self._scenario.detour / self.shift.speed_m_s
        self._way = _Way(here, spot, now, now + timedelta(seconds=riding_s))
        self._trips += 1
        if arrive:
            self._agenda.plan_at(self._way.ends_at, partial(self._end_trip, self._trips, arrive))

    def _end_trip(self, trip: int, arrive: Callable[[], None]) -> None:
        """Do what there is to do at the end of a way, unless the way was changed meanwhile."""
        if trip == self._trips:
            arrive()


class _Way:
    """A way from one spot to another, and when."""

    __slots__ = ("begins_at", "ends_at", "from_", "to")

    def __init__(self, from_: Spot, to: Spot, begins_at: datetime, ends_at: datetime) -> None:
        self.from_ = from_
        self.to = to
        self.begins_at = begins_at
        self.ends_at = ends_at

    def find_spot(self, now: datetime) -> Spot:
        """Find where on the way somebody is."""
        if now >= self.ends_at:
            return self.to
        share = (now - self.begins_at) / (self.ends_at - self.begins_at)
        return (
            self.from_[0] + share * (self.to[0] - self.from_[0]),
            self.from_[1] + share * (self.to[1] - self.from_[1]),
        )
