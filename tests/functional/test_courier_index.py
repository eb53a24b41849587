"""Whoever is on duty and free is found by their spot in the index, and it says whether they have a
socket: whatever one Lambda writes between any two calls of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count, product
from typing import Any

from chalicelib.domain.courier_changes import PAUSE, make_change
from chalicelib.domain.geo import SPOT_KEPT_M
from chalicelib.domain.people import Actor, Fix, HeldOrder, Role
from chalicelib.domain.retries import Retries
from chalicelib.errors import Stale
from chalicelib.store.courier_claims import Claim, make_claim, make_release
from chalicelib.store.courier_histories import CourierHistoryTable
from chalicelib.store.couriers import CourierTable
from chalicelib.store.database import bind_tables
from chalicelib.store.nearest_couriers import measure_to_spot_m
from chalicelib.store.tables import PAUSED_SHARD, CourierRow
from infra.resources.aws_clients import REGION
from tests.builders import DEPOT, NOW, north_of
from tests.functional.conftest import PREFIX
from tests.simulation.dynamo import Dynamo

ID = "dan"
DISPATCHER = Actor("ada", Role.ADMIN)
POOL = ThreadPoolExecutor(4)
FAR = north_of(DEPOT, 4000)
READS = ("GetItem", "BatchGetItem", "Query")


class Interrupted:
    """A botocore client of a DynamoDB in memory: `meanwhile` happens just before the call numbered
    `at`, from 0. The first read after it that need not be consistent shows what was before."""

    _request_signer = None  # pynamodb looks whether there are credentials

    def __init__(self) -> None:
        self.engine = Dynamo(PREFIX)
        self.at, self.calls = -1, 0
        self.meanwhile: Callable[[], None] = lambda: None
        self._is_meanwhile = self._is_behind = False

    def _make_api_call(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        if self._is_meanwhile:
            return self.engine.call(operation, asked)
        self.calls += 1
        if self.calls == self.at + 1:
            self._interrupt()
        is_stale = self._is_behind and operation in READS and not asked.get("ConsistentRead")
        self._is_behind &= not is_stale
        return self.engine.call(operation, asked, as_of_s=0.0 if is_stale else None)

    def _interrupt(self) -> None:
        self._is_meanwhile, self.engine.now_s = True, 1.0
        try:
            self.meanwhile()
        finally:
            self._is_meanwhile, self._is_behind = False, True


class Courier:
    """One courier's row, and what is written to it."""

    def __init__(self) -> None:
        self.client = Interrupted()
        database = bind_tables(PREFIX, REGION, None, self.client)
        self._times = count()
        self._retries = Retries(pause=lambda _: None, clock=lambda: NOW)
        self.table = CourierTable(POOL, self._retries, lambda: NOW)
        self._histories = CourierHistoryTable(
            database, self._retries, timedelta(days=1), lambda: NOW
        )

    def go_on_duty(self) -> None:
        self.table.set_available(ID, True, self._tell_time())

    def go_off_duty(self) -> None:
        self.table.set_available(ID, False, self._tell_time())

    def report(self) -> None:
        self._report(DEPOT)

    def report_from_afar(self) -> None:
        self._report(FAR)

    def _report(self, point: tuple[float, float]) -> None:
        now = self._tell_time()
        self.table.record_fix(ID, Fix(*point, at=now), now, None)

    def connect(self) -> None:
        self.table.add_socket(ID, "socket", NOW + timedelta(days=9999))

    def hang_up(self) -> None:
        self.table.remove_socket(ID, "socket")

    def claim(self) -> None:
        make_claim(Claim(ID, HeldOrder(1), True)).try_alone()

    def release(self) -> None:
        def release() -> None:
            update = make_release(ID, 1, self._tell_time())
            if update and not update.try_alone():
                raise Stale

        self._retries.retry_while_stale(release)

    def pause(self) -> None:
        self._set_paused(True)

    def resume(self) -> None:
        self._set_paused(False)

    def _set_paused(self, is_paused: bool) -> None:
        change = make_change(next(self._times), ID, PAUSE, DISPATCHER, NOW)
        if self.table.get_courier(ID):
            self._histories.set_paused(ID, is_paused, lambda: change)

    def be_taken_out(self) -> None:
        self.table.remove_from_index(filter(None, [self.table.get_courier(ID)]))

    def poll(self) -> None:
        if courier := self.table.get_courier(ID):
            self.table.note_alive(courier, self._tell_time() + timedelta(hours=1))

    def _tell_time(self) -> datetime:
        return NOW + timedelta(minutes=10 * next(self._times))


Step = Callable[[Courier], None]
BEFORE: tuple[tuple[Step, ...], ...] = (
    (),
    (Courier.report,),
    (Courier.go_on_duty,),
    (Courier.report, Courier.connect, Courier.go_on_duty),
    (Courier.report, Courier.go_on_duty),
    (Courier.go_on_duty, Courier.claim),
    (Courier.report, Courier.go_on_duty, Courier.claim),
    (Courier.report, Courier.connect, Courier.go_on_duty, Courier.claim),
    (Courier.go_on_duty, Courier.pause),
    (Courier.report, Courier.connect, Courier.go_on_duty, Courier.pause),
)
STEPS: tuple[Step, ...] = (
    Courier.go_on_duty,
    Courier.go_off_duty,
    Courier.report,
    Courier.report_from_afar,
    Courier.connect,
    Courier.hang_up,
    Courier.claim,
    Courier.release,
    Courier.pause,
    Courier.resume,
    Courier.be_taken_out,
    Courier.poll,
)


class Moment:
    """A courier after some steps, again and again."""

    def __init__(self, before: tuple[Step, ...]) -> None:
        self.name = "+".join(step.__name__ for step in before)
        self._courier = Courier()
        for step in before:
            step(self._courier)
        self._table = next(
            table
            for table in self._courier.client.engine.tables.values()
            if table.name == "couriers"
        )
        self._items = dict(self._table.items)

    def interleave(self, step: Step, other: Step) -> Iterator[tuple[int, CourierRow]]:
        """Take a step, with another just before each of its calls; what the row is then."""
        client = self._courier.client
        client.meanwhile = lambda: other(self._courier)
        for at in count():
            self._table.clear()
            self._table.items.update(self._items)
            client.engine.now_s, client.at, client.calls = 0.0, at, 0
            step(self._courier)
            if client.calls <= at:
                return
            row = CourierRow()
            for found in self._table.items.values():
                row.deserialize(found)
            yield at, row


def describe_fault(row: CourierRow, is_taken_out: bool) -> str | None:
    """Say what the index has wrong of a courier; None where it is right."""
    stored: dict[str, Any] = row.attribute_values
    shard, spot = stored.get("free_shard"), stored.get("spot")
    if not row.available or "order_id" in stored:
        return None if shard is None and spot is None else "is in the index"
    if shard is None:
        return None if is_taken_out and spot is None else "is not in the index"
    if bool(row.paused) is not (shard == PAUSED_SHARD):
        return "stands where others are"
    if stored.get("paused"):
        return None if spot is None else "is found though paused"
    if "fix" not in stored:
        return None
    if spot is None:
        return "has no spot"
    return None if (spot > 0) is bool(row.sockets) else "is wrong about the socket"


def test_the_index_is_right_after_any_two_steps_at_once() -> None:
    wrong = []
    for moment in map(Moment, BEFORE):
        for step, other in product(STEPS, STEPS):
            is_taken_out = Courier.be_taken_out in (step, other)
            for at, row in moment.interleave(step, other):
                if fault := describe_fault(row, is_taken_out):
                    steps = f"{other.__name__} before call {at} of {step.__name__}"
                    wrong.append(f"{moment.name}: {steps}: {fault}")
    assert not wrong


def test_who_goes_on_duty_again_after_a_death_is_found() -> None:
    """The process that wrote a fix between two calls of another died before it kept the spot."""
    courier = Courier()
    courier.report()
    courier.go_on_duty()
    CourierRow(ID).update(actions=[CourierRow.spot.remove()])
    courier.go_on_duty()
    assert CourierRow.get(ID).spot


def test_who_reports_from_afar_as_they_go_on_duty_is_found_there() -> None:
    moment = Moment((Courier.report, Courier.connect))
    for at, row in moment.interleave(Courier.go_on_duty, Courier.report_from_afar):
        assert row.spot, at
        assert measure_to_spot_m(FAR, row.spot) <= SPOT_KEPT_M, at
