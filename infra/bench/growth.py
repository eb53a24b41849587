"""Does an operation cost more where there is more: couriers, orders, connections?

Rows are put in by the store's own encoders, spread over cells and shards as a city's would be, and
around the place where the operations happen there are always the same few couriers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any
from zlib import crc32

import msgspec
from pynamodb.models import Model

from chalicelib.domain.details import OrderDetails, Place
from chalicelib.domain.geo import find_cell
from chalicelib.domain.messaging.connections import Connection, name_person_room
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Fix, Role
from chalicelib.store import connections as connection_rows
from chalicelib.store import mailbox_subscribers as listener_rows
from chalicelib.store import orders as order_rows
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.nearest_couriers import encode_spot
from chalicelib.store.tables import SHARDS, CourierRow, MailboxRow
from infra.bench.report import BenchReport, Row
from infra.bench.scenes import HERE, PARCEL, Cast
from infra.bench.stage import Stage, open_stage
from infra.resources.aws_clients import make_client

SIZES = (1_000, 10_000, 100_000)
SOCKETS = (10, 1_000, 10_000)
LOAD_WITHIN_S = 180.0  # a minute, where there is nothing else to do
CROWDS = (1, 10, 100)  # free couriers in the pickup's own cell
_PER_CELL = 20  # couriers near each other
_STEP = 0.03  # degrees: more than a cell
ASSIGN = "create, assign"
_WAITING = 50  # one order of so many waits for an answer; the others are on their way


def measure() -> BenchReport:
    """Measure each operation at each size: a row of both."""
    report = BenchReport("Growth: what an operation takes when there is more of everything")
    with open_stage() as on:
        _measure_by_size(on, report)
    with open_stage() as on:
        _measure_by_sockets(on, report)
    with open_stage() as on:
        _measure_by_crowd(on, report)
    report.notes += _describe_growth(report.rows)
    return report


def _measure_by_size(on: Stage, report: BenchReport) -> None:
    load, there = Loading(on), 0
    give_up_at = time.monotonic() + LOAD_WITHIN_S
    for size in SIZES:
        done = load.add_couriers(there, size, give_up_at) and load.add_orders(
            there, size, give_up_at
        )
        if not done:
            report.notes.append(f"{size:,} could not be loaded within {LOAD_WITHIN_S:.0f} s.")
            return
        there = size
        report.rows += _measure_operations(on, f"{size:,} couriers and orders", f"size{size}")


def _measure_by_sockets(on: Stage, report: BenchReport) -> None:
    load, there = Loading(on), 0
    for size in SOCKETS:
        load.add_sockets(there, size)
        there = size
        report.rows += _measure_operations(on, f"{size:,} connections", f"sockets{size}")


def _measure_by_crowd(on: Stage, report: BenchReport) -> None:
    """Measure what does grow: all in the cell are read to find the nearest, up to a hundred."""
    load, there = Loading(on), 0
    for size in CROWDS:
        load.add_crowd(there, size - 1)  # and the one who is online
        there = size - 1
        of = f"{size:,} free couriers in the cell"
        report.rows += [
            r for r in _measure_operations(on, of, f"crowd{size}") if r["what"] == ASSIGN
        ]


def _measure_operations(on: Stage, size: str, name: str) -> Iterator[Row]:
    """Do each operation once, by a new customer and a new courier, who stand at the pickup."""
    cast = Cast(on, name)
    cast.go_on_duty()
    on.connect(f"{name}-customer", "customer", cast.customer)
    on.connect(f"{name}-courier", "courier", cast.courier)
    on.pass_time(2)
    operations: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("fix", lambda: cast.send_fix(0.0001)),
        (ASSIGN, lambda: cast.place_order("orders", PARCEL)),
        ("accept", lambda: cast.take_step("accept")),
        ("sweep", on.waybill.sweeper.run_pass),
        ("deliver", lambda: _deliver_order(cast)),
    )
    for what, act in operations:
        with on.meter.open_bill() as bill:
            act()
        yield {
            "what": what,
            "of": size,
            "calls": bill.calls,
            "write_units": bill.write,
            "read_units": bill.read,
            "posts": bill.posts,
        }
    on.pass_time(20)
    cast.go_off_duty()


def _deliver_order(cast: Cast) -> None:
    for step in ("arrived", "picked", "delivered"):
        cast.take_step(step)


def _describe_growth(rows: list[Row]) -> Iterator[str]:
    """Say what each operation takes at the greatest size, less what it takes at the smallest."""
    for kind in ("couriers and orders", "connections", "in the cell"):
        of_kind = [row for row in rows if row["of"].endswith(kind)]
        for what in dict.fromkeys(row["what"] for row in of_kind):
            same = [row for row in of_kind if row["what"] == what]
            first, last = same[0], same[-1]
            more = ", ".join(
                f"{last[name] - first[name]:+g} {name.replace('_', ' ')}"
                for name in ("calls", "write_units", "read_units")
            )
            yield f"{what}, {first['of']} to {last['of']}: {more}"


class Loading:
    """Puts rows in, 25 at a time."""

    def __init__(self, on: Stage) -> None:
        self._on = on
        self._client = make_client("dynamodb", on.endpoint)

    def add_couriers(self, first: int, upto: int, give_up_at: float) -> bool:
        """Add free couriers, _PER_CELL in each cell, none within reach of the pickup."""
        return self._put_rows((self._make_courier(n) for n in range(first, upto)), give_up_at)

    def add_orders(self, first: int, upto: int, give_up_at: float) -> bool:
        """Add orders on their way, each of its own customer; one of _WAITING awaits an answer."""
        return self._put_rows((self._make_order(n) for n in range(first, upto)), give_up_at)

    def add_crowd(self, first: int, upto: int) -> bool:
        """Add free couriers who all stand at the pickup, with nothing open."""
        rows = (self._make_courier_at(f"crowd-{n}", HERE) for n in range(first, upto))
        return self._put_rows(rows, time.monotonic() + LOAD_WITHIN_S)

    def add_sockets(self, first: int, upto: int) -> bool:
        """Add connections of couriers, each in the room of its person."""
        rows = (row for n in range(first, upto) for row in self._make_socket(n))
        return self._put_rows(rows, time.monotonic() + LOAD_WITHIN_S)

    def _put_rows(self, rows: Iterable[Model], give_up_at: float) -> bool:
        waiting = iter(rows)
        while batch := list(islice(waiting, 25)):
            if time.monotonic() > give_up_at:
                return False
            asked: dict[str, list[dict[str, Any]]] = {}
            for row in batch:
                put = {"PutRequest": {"Item": row.serialize()}}
                asked.setdefault(str(row.Meta.table_name), []).append(put)
            self._client.batch_write_item(RequestItems=asked)
        return True

    def _make_courier(self, n: int) -> CourierRow:
        place = n // _PER_CELL
        at = (20.0 + _STEP * (place % 300), 60.0 + _STEP * (place // 300))
        return self._make_courier_at(f"courier-{n}", at)

    def _make_courier_at(self, id_: str, at: tuple[float, float]) -> CourierRow:
        fix = Fix(at[0], at[1], self._on.now)
        return CourierRow(
            courier_id=id_,
            available=True,
            fix=msgspec.json.encode(fix).decode(),
            fix_at=to_epoch_ms(fix.at),
            heard_at=to_epoch_ms(fix.at),
            cell=find_cell(at),
            spot=encode_spot(at, is_connected=False),
            free_shard=crc32(id_.encode()) % SHARDS,
            idle_since=to_epoch_ms(fix.at),
        )

    def _make_order(self, n: int) -> Model:
        now, waits = self._on.now, n % _WAITING == 0
        details = OrderDetails(
            "delivery", f"customer-{n}", Place("1 Depot Road"), Place("2 Door Street"), now
        )
        order = Order(
            id=n + 1,
            details=details,
            status=Status.SEARCHING if waits else Status.ACCEPTED,
            updated_at=now,
            version=1,
            courier_id=None if waits else f"other-{n}",
            next_search_at=now + timedelta(days=1) if waits else None,
        )
        return order_rows.encode_order(order)

    def _make_socket(self, n: int) -> Iterable[Model]:
        id_, person = f"loaded-{n}", f"listener-{n}"
        connection = Connection(
            id=id_,
            contract="courier",
            connected_at=self._on.now,
            person_id=person,
            role=Role.COURIER,
            rooms=(name_person_room(person),),
            greeted=True,
            check_at=self._on.now + timedelta(hours=1),
        )
        heard_by = {id_: listener_rows.encode_subscriber(person, connection)}
        mailbox = MailboxRow(person, subscribers=heard_by)
        return connection_rows.encode_connection(connection), mailbox
