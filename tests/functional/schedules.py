"""Orders for later in a world, and the time that passes until they are due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.search_plan import SearchPlan
from chalicelib.store.orders import OrderTable
from tests.builders import DEPOT
from tests.functional import rides
from tests.functional.kitchen import ORDER
from tests.functional.world import Someone, World

HOUR = timedelta(hours=1)


def later(world: World, minutes: float) -> str:
    """A time so many minutes from now, as clients write it."""
    return (world.clock.now + timedelta(minutes=minutes)).isoformat()


def place(world: World, by: Someone | None = None, minutes: float = 60, **more: Any) -> Any:
    """Place a delivery whose pickup is so many minutes ahead; its body."""
    return world.place(by or world.customer(), **{"pickup_from": later(world, minutes), **more})


def pass_hours(world: World, hours: float) -> None:
    """Let time pass, with a sweep every ten minutes and at its end."""
    until = world.clock.now + timedelta(hours=hours)
    while world.clock.now < until:
        world.pass_time(min(600, (until - world.clock.now).total_seconds()))
        world.sweep()


PLACES: dict[str, dict[str, Any]] = {
    "/v1/orders": {
        "pickup_address": "Mill 1",
        "dropoff_address": "Lane 2",
        "receiver_phone": "+4930123456",
    },
    "/v1/driver-orders": {"address_from": "Mill 1", "address_to": "Lane 2"},
    "/v1/riders/rides": rides.WISH,
    "/v1/restaurants/789/orders": ORDER,
}


def in_minutes(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """Windows given in minutes as clients write them; what is no such number stays."""
    return {
        name: later(world, value)
        if isinstance(value, int) and -1 <= value < 10**6 and value is not True
        else value
        for name, value in given.items()
    }


def stored(order: Any) -> Order:
    """The order as the table has it: reading it through the services may change it."""
    return OrderTable(None).get_order(int(order["id"]))  # type: ignore[arg-type]


def test_a_reader_activates_it(world: World) -> None:
    world.courier()
    cara = world.customer()
    order = place(world, cara)
    world.clock.advance(40 * 60)
    world.courier()
    assert world.get(f"/v1/orders/{order['id']}", cara).body["status"] == "assigned"


def plan_of(order: Any) -> SearchPlan:
    """The searches that an order has to come."""
    plan = stored(order).plan
    assert plan is not None
    return plan


def run_sweeps(world: World, order: Any, until: datetime, couriers: Iterable[Someone] = ()) -> None:
    """Pass time from one deadline of an order to the next, with a sweep at each; these couriers
    report where they are a second before."""
    while (now := world.clock.now) < until:
        due = stored(order).deadline_at or until
        pause = (max(due, now + timedelta(seconds=2)) - now).total_seconds()
        world.pass_time(min(pause, (until - now).total_seconds()) - 1)
        for courier in couriers:
            world.post("/v1/courier/location", {"lat": DEPOT[0], "lng": DEPOT[1]}, courier)
        world.pass_time(1)
        world.sweep()
