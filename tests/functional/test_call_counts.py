"""What each operation costs in calls, exactly. docs/calls.md is this table; it is checked here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.messaging.wakeups import NoShowDue, RelayDue
from tests.builders import DEPOT, a_fix, north_of
from tests.functional.conftest import MakeWorld
from tests.functional.links import listen, look, make_link, poll
from tests.functional.rides import a_driver, a_ride, a_rider
from tests.functional.world import Someone, World

PAGE = Path(__file__).parents[2] / "docs" / "calls.md"
EVERY = timedelta(minutes=8)
LOCATION = "/v1/courier/location"
REGISTRY = b'"waybill-webhooks"'
READS = {"GetItem": "get", "Query": "query", "BatchGetItem": "batch get"}
WRITES = {
    "PutItem": "put",
    "UpdateItem": "update",
    "DeleteItem": "delete",
    "BatchWriteItem": "batch put",
    "TransactWriteItems": "transaction",
}


class Calls:
    """Counts what a world asks of AWS."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.rows: list[tuple[str, str, str, int, int]] = []
        self.operations: Counter[str] = Counter()

    def of(self, name: str, operation: Callable[[], Any]) -> Any:
        """Do it and note what it took."""
        world = self._world
        queued, posted = world.queue.calls, len(world.gateway.posted)
        with self._counting() as seen:
            answer = operation()
        self.operations.update(seen)
        sent, frames = world.queue.calls - queued, len(world.gateway.posted) - posted
        self.rows.append((name, _worded(seen, READS), _worded(seen, WRITES), sent, frames))
        return answer

    @contextmanager
    def _counting(self) -> Iterator[Counter[str]]:
        seen: Counter[str] = Counter()
        events = self._world.engine.connection.client.meta.events

        def count(model: Any, params: Any, **_: Any) -> None:
            # What a process reads of endpoints twice a minute, whatever it does, is no operation's.
            seen[model.name] += model.name != "GetItem" or REGISTRY not in params["body"]

        events.register("before-call.dynamodb", count)
        try:
            yield seen
        finally:
            events.unregister("before-call.dynamodb", count)

    def table(self) -> str:
        """As markdown."""
        head = "| operation | DynamoDB reads | DynamoDB writes | SQS calls | frames posted |"
        lines = [" | ".join(("", *map(str, row), "")).strip() for row in self.rows]
        return "\n".join([head, "|---|---|---|---|---|", *lines, ""])


def _north(metres: float) -> dict[str, float]:
    lat, lng = north_of(DEPOT, metres)
    return {"lat": lat, "lng": lng}


def _worded(seen: Counter[str], words: dict[str, str]) -> str:
    found = [f"{seen[name]} {word}" for name, word in words.items() if seen[name]]
    return ", ".join(found) or "-"


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world as a stage is deployed."""
    return make_world(settings={"heartbeat": EVERY})


@pytest.fixture
def calls(world: World) -> Calls:
    return Calls(world)


def test_each_operation_takes_the_calls_that_the_page_says(world: World, calls: Calls) -> None:
    dan, eve = world.courier("dan"), world.courier("eve", north_of(DEPOT, 200))
    cara = world.customer()
    sockets = {who.id: world.connect(who) for who in (dan, eve)}
    hers = calls.of("customer connects", lambda: world.connect(cara, greet=False))
    calls.of("customer is greeted, nothing waits", world.pump)
    calls.of("quote, a courier near by", lambda: ask_for_quote(world, cara, 0))
    calls.of("quote, nobody within 5 km", lambda: ask_for_quote(world, cara, 50_000))
    order = calls.of("order placed and offered", lambda: world.place(cara))["id"]
    relay = next(m.wakeup for m in world.queue.waiting if isinstance(m.wakeup, RelayDue))
    handle = world.waybill.wakeup_handler.handle_wakeup
    calls.of("relay wakeup, all told", lambda: handle(relay))
    calls.of("declined, offered to the next", lambda: world.step("decline", order, dan))
    world.clock.advance(2)
    calls.of("accepted", lambda: world.step("accept", order, eve))
    calls.of("arrived", lambda: world.step("arrived", order, eve))
    calls.of("picked up", lambda: world.step("picked", order, eve))
    there = _north(210)
    calls.of("position in the same cell, by REST", lambda: world.post(LOCATION, there, dan))
    world.clock.advance(2)
    calls.of(
        "position in the same cell, by socket",
        lambda: sockets["dan"].say({"event": "location.update", "data": there}),
    )
    calls.of("delivered", lambda: world.step("delivered", order, eve))
    ending = next(m.wakeup for m in world.queue.waiting if getattr(m.wakeup, "ends", False))
    calls.of("relay wakeup of its end", lambda: handle(ending))
    other = world.place(world.customer("bob"))["id"]
    world.queue.waiting.clear()
    world.clock.advance(15)
    calls.of("sweep finds one lapsed offer, hands it on", world.waybill.sweeper.run_pass)
    calls.of("looked after: it is offered to the next", world.pump)
    assert world.order(other).offers_made == 2
    world.queue.waiting.clear()
    calls.of("sweep with nothing due", world.sweep)
    calls.of("active order, courier", lambda: world.get("/v1/courier/active-order", eve))
    calls.of("active order, customer", lambda: world.get("/v1/customer/active-order", cara))
    world.clock.advance(EVERY.total_seconds())
    calls.of("heartbeat", lambda: world.waybill.connections.check_connection(hers.id))
    calls.of("customer disconnects", hers.close)
    calls.of("position in a new cell, by REST", lambda: world.post(LOCATION, _north(5000), eve))
    a_trip(world, calls)
    a_wait(world, calls)
    a_link(world, calls)
    a_dispatcher(world, calls)
    a_console(world, calls)
    assert calls.table() in PAGE.read_text(), calls.table()
    assert set(calls.operations) <= READS.keys() | WRITES.keys()
    assert "Scan" not in calls.operations


def ask_for_quote(world: World, cara: Someone, metres: float) -> None:
    """Ask what a parcel costs, from so far north of the depot."""
    body = {"flow": "delivery", "pickup": _north(metres), "dropoff": _north(metres + 2000)}
    assert world.post("/v1/quotes", body, cara).status == 200


def a_trip(world: World, calls: Calls) -> None:
    """Positions of a driver whose rider sees them (spec 001): what there is most of."""
    rider, driver = a_rider(world), a_driver(world)

    def moved(metres: float, seconds: float = 1) -> Callable[[], Any]:
        world.clock.advance(seconds)
        lat, lng = north_of(DEPOT, metres)
        return lambda: driver.did("update_location", latitude=lat, longitude=lng)

    ride_id = a_ride(rider, driver)
    calls.of("ride: position on the way to the pickup", moved(20))
    driver.did("start_ride", ride_id=ride_id)
    calls.of("ride: first position on the trip, and one each half minute", moved(40))
    calls.of("ride: position on the trip", moved(60))
    calls.of("ride: position on the trip, in a new cell", moved(-700, 20))


def a_wait(world: World, calls: Calls) -> None:
    """The end of a courier's wait at a pickup: they are there still, or, as mostly, have left."""
    cara, fay = world.customer("zoe"), world.courier("fay")
    order = world.place(cara)["id"]
    for verb in ("accept", "arrived"):
        assert world.step(verb, order, fay).status == 200
    wakeup = next(m.wakeup for m in world.queue.waiting if isinstance(m.wakeup, NoShowDue))
    world.queue.waiting.clear()
    world.clock.advance(300)
    handle = world.waybill.wakeup_handler.handle_wakeup
    calls.of("end of a wait: both sides are told", lambda: handle(wakeup))
    assert world.step("picked", order, fay).status == 200
    calls.of("end of a wait: the courier has left", lambda: handle(wakeup))


def a_link(world: World, calls: Calls) -> None:
    """An order that is tracked by a link, with one page open."""
    at, far = north_of(DEPOT, 60_000), _north(65_000)
    zac, gus = world.customer("zac"), world.courier("gus", at)
    way = {"dropoff_lat": far["lat"], "dropoff_lng": far["lng"]}
    order = world.place(zac, pickup_lat=at[0], pickup_lng=at[1], **way)["id"]
    assert world.step("accept", order, gus).status == 200
    token = calls.of("tracking link made", lambda: make_link(world, order, zac))
    calls.of("tracking link: its page", lambda: look(world, token))
    calls.of("tracking link: no such", lambda: poll(world, "A" * 43))
    listen(world, token)
    assert world.step("arrived", order, gus).status == 200
    calls.of("tracked: picked up", lambda: world.step("picked", order, gus))

    def moved(metres: float) -> Callable[[], Any]:
        world.clock.advance(2)
        return lambda: world.post(LOCATION, _north(metres), gus)

    moved(60_100)()
    calls.of("tracked: position on the way", moved(60_200))


def a_dispatcher(world: World, calls: Calls) -> None:
    """Who runs the couriers looks at their board, and at figures: again, after a first look."""

    def look_at_figures() -> None:
        assert world.get("/v1/admin/figures", world.admin()).status == 200

    world.pass_time(120)
    for what in ("", ", again within 5 s", ", later"):
        calls.of(f"the board: a look{what or ', the first of a process'}", lambda: read(world))
        world.clock.advance(2 if not what else 5)
    look_at_figures()
    calls.of("figures, after a first look", look_at_figures)


def read(world: World) -> None:
    """Read the board."""
    world.waybill.board.read(world.clock.now)


def a_console(world: World, calls: Calls) -> None:
    """A dispatcher watches the board for some seconds."""
    world.queue.waiting.clear()
    socket = calls.of("console connects", lambda: world.connect(world.admin(), "ops", greet=False))
    calls.of("console is shown the board", world.pump)

    def pass_second() -> None:
        world.clock.advance(1)
        world.pump()

    pass_second()
    calls.of("tick, nothing differs", pass_second)
    world.post(LOCATION, _north(60_300), world.courier("gus", at=None))
    world.queue.waiting = [one for one in world.queue.waiting if '"tick"' in one.body]
    calls.of("tick, something differs", pass_second)
    socket.close()
    calls.of("tick, nobody watches any more", pass_second)
    pass_second()
    assert world.queue.next_due() is None


def test_a_position_in_the_same_cell_is_one_write_and_no_read(world: World, calls: Calls) -> None:
    dan = world.courier()
    world.clock.advance(2)
    fix = a_fix(north_of(DEPOT, 5), at=world.clock.now)
    calls.of("", lambda: world.waybill.courier_status.record_fix(dan.actor, fix))
    assert calls.operations == {"UpdateItem": 1}
