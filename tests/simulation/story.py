"""One history from beginning to end: a day with faults, then quiet, then the checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from chalicelib.domain.people import Person as Profile
from chalicelib.domain.people import Role
from tests.simulation.checks import check
from tests.simulation.gateway import Trouble
from tests.simulation.history import History
from tests.simulation.people import (
    RESTAURANTS,
    Bank,
    Courier,
    Customer,
    Dispatcher,
    Kitchen,
    Office,
    Somebody,
)
from tests.simulation.phones import Phone
from tests.simulation.town import Person, Plan, Town

S = TypeVar("S", bound=Somebody)

FLOWS = ("delivery", "food", "ride", "hail")
# The contracts of a flow's customers and couriers; an owner's are food's.
PHONES = {
    "delivery": (("customer",), ("courier",)),
    "food": (("food", "socketio"), ("socketio", "food")),
    "ride": (("rides",), ("rides",)),
    "hail": (("customer",), ("drivers",)),
}
_SWEEPS_FROM_S, _SWEEPS_EVERY_S = 7.0, 60.0
_QUIET_SWEEPS_S = (20, 50, 80, 110, 170, 230, 400, 700, 1100, 1600)


@dataclass(frozen=True)
class Outcome:
    """How a history went, and how long it took to compute."""

    plan: Plan
    flow: str
    history: History
    faults: dict[str, int]
    took_s: float


def flow_of(seed: int) -> str:
    """Return the flow that a seed's customers order by."""
    return FLOWS[seed % len(FLOWS)]


def tell(plan: Plan, verbose: bool = False) -> Outcome:
    """Compute the history of a plan, and check it."""
    began_s = time.perf_counter()
    town = Town(plan)
    town.history.lines = [] if verbose else None
    with town.lasting():
        live(town)
        check(town)
    took_s = time.perf_counter() - began_s
    return Outcome(plan, flow_of(plan.seed), town.history, town.faults.counts, took_s)


def live(town: Town) -> None:
    """Let everything happen, until all is quiet."""
    plan = town.plan
    inhabit(town)
    _schedule(town)
    if town.endpoints:
        town.endpoints.create_newcomer()
    town.scheduler.run_until(plan.active_s)
    town.faults.over = True
    town.history.trace("the faults are over")
    town.scheduler.run_until(plan.active_s + plan.quiet_s)


def inhabit(town: Town) -> None:
    """Let people live in a town: those of the flow that its seed is for."""
    for somebody in _inhabitants(town, flow_of(town.plan.seed)):
        _settle_in(town, somebody)


def _inhabitants(town: Town, flow: str) -> list[Somebody]:
    """Make two customers, two couriers, or four to be asked in waves, for food two owners; the bank
    and the office."""
    ordering, bringing = PHONES[flow]
    people: list[Somebody] = []
    for n in range(4 if town.plan.in_waves else 2):
        if n < 2:
            customer = _somebody(town, Customer, Person(f"c{n}", Role.CUSTOMER), ordering, n)
            people.append(customer)
        people.append(_somebody(town, Courier, Person(f"d{n}", Role.COURIER), bringing, n))
    for one in people:
        one.flow = flow
    if flow == "food":
        for n, owned in enumerate((RESTAURANTS, RESTAURANTS[:1])):
            owner = Person(f"m{n}", Role.MERCHANT, owned)
            people.append(_somebody(town, Kitchen, owner, ("food", "socketio"), 2))
    if town.plan.with_hands:
        people += [Dispatcher(town, Person(id_, Role.ADMIN), ()) for id_ in ("ada", "abe")]
    people.append(Bank(town, Person("bank", Role.ADMIN), ()))
    people.append(Office(town, Person("office", Role.ADMIN), ()))
    return people


def _somebody(town: Town, kind: type[S], person: Person, contracts: tuple[str, ...], n: int) -> S:
    """Make somebody with two phones of their flow; the first of a kind has the feed as well."""
    own = [Phone(town, person, contracts[i % len(contracts)]) for i in range(2)]
    feed = [Phone(town, person, "feed")] if n == 0 else []
    return kind(town, person, (*own, *feed))


def _settle_in(town: Town, somebody: Somebody) -> None:
    person = somebody.person
    town.people[person.id] = person
    town.waybill.profiles.save_own_profile(
        person.actor, Profile(person.id, name=person.id, vehicle_type="standard")
    )
    town.scheduler.begin(somebody.live)
    for nth, phone in enumerate(somebody.phones):
        phone.holds_position = town.plan.with_positions and nth % 2 == 1
        town.phones.append(phone)
        town.scheduler.begin(phone.live)


def _schedule(town: Town) -> None:
    """Plan the sweeps (seldom once it is quiet, when they have nothing to do) and, in some
    histories, an outage of @connections."""
    plan = town.plan
    at_s = _SWEEPS_FROM_S
    while at_s < plan.active_s:
        town.scheduler.begin(_sweep(town, once=False), at_s)
        at_s += _SWEEPS_EVERY_S
    for after_s in _QUIET_SWEEPS_S:
        town.scheduler.begin(_sweep(town, once=True), plan.active_s + after_s)
    if town.faults.strikes("outage"):
        from_s = town.dice.uniform(0, plan.active_s)
        until_s = from_s + town.dice.uniform(60, 300)
        town.gateway.outage = Trouble(town.dice.choice(("broken", "stalled")), from_s, until_s)


def _sweep(town: Town, once: bool) -> Callable[[], None]:
    return lambda: town.sweep(once)
