"""What an order may cost, on the engine that reports units, by the bench's own meter (P-12)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from chalicelib import wiring
from chalicelib.domain.orders.model import Order, Status
from chalicelib.store.compression import unpack
from chalicelib.store.orders import encode_order
from chalicelib.store.tables import HistoryRow, OrderRow
from infra.bench.cost import BEAT, DELIVERY, FIX, GOALS, LATER_S, SWEEP, measure_flows
from infra.bench.scenes import PARCEL, SCENES, Cast, play_ride
from infra.bench.stage import Stage
from infra.bench.units import item_bytes, write_units
from infra.docs.costs import read_units
from infra.local.engine import Ministack
from tests.builders import an_order


@pytest.fixture
def on(empty_ministack: Ministack) -> Iterator[Stage]:
    yield Stage(empty_ministack.endpoint)
    wiring.use(None)


def test_a_delivery_a_fix_and_an_idle_sweep_stay_within_their_budgets(on: Stage) -> None:
    rows = {row["what"]: row for row in measure_flows(on, ("delivery",))}
    for what in (DELIVERY, FIX, SWEEP):
        write, read = GOALS[what]
        assert write is None or rows[what]["write_units"] <= write, rows
        assert read is None or rows[what]["read_units"] <= read, rows
    assert rows["delivery: whole"]["posts"] == 6
    beat = rows[BEAT]
    assert (beat["posts"], beat["wakeups"]) == (1, 0)
    said = read_units(BEAT)
    assert (beat["write_units"], beat["read_units"]) == (said["write units"], said["read units"])


@pytest.mark.parametrize("extra", ["key", "external_id", "both"])
def test_a_key_costs_four_write_units_at_most(on: Stage, extra: str) -> None:
    """(`external_id` is a key, too.)"""
    headers = {"idempotency-key": f"the key of {extra}"} if extra != "external_id" else {}
    more = {"external_id": f"the number of {extra}"} if extra != "key" else {}
    bills = []
    # The first finds tables that are empty: an order is written a little differently.
    for n, (sent, body) in enumerate([({}, PARCEL), ({}, PARCEL), (headers, {**PARCEL, **more})]):
        cast = Cast(on, f"{extra}-{n}")  # nobody who still has an order of another test
        cast.go_on_duty()
        with on.meter.open_bill() as bill:
            on.call_rest("POST", "orders", cast.customer, body, sent)
        bills.append(bill)
    _, plain, keyed = bills
    keys = 2 if extra == "both" else 1
    assert 0 < keyed.write - plain.write <= 4 * keys
    assert keyed.read - plain.read <= keys


def test_an_order_for_later_costs_little_more_than_one_for_now(on: Stage) -> None:
    """Its placing is told to its customer by itself, and its deadline is set twice."""
    for name in ("first", "now"):
        cast = Cast(on, name)
        cast.go_on_duty()
        with on.meter.open_bill() as plain:
            on.call_rest("POST", "orders", cast.customer, PARCEL)
    cast = Cast(on, "later")
    start = (on.now + timedelta(hours=1)).isoformat()
    with on.meter.open_bill() as placed:
        order = on.call_rest("POST", "orders", cast.customer, {**PARCEL, "pickup_from": start})
    on.now += timedelta(minutes=40)
    cast.go_on_duty()
    with on.meter.open_bill() as activated:  # by a reader: the sweep would find others', too
        shown = on.call_rest("GET", f"orders/{order['id']}", cast.customer)
    assert shown["status"] == "assigned"
    assert placed.write + activated.write - plain.write <= 8


@pytest.mark.parametrize("flow", sorted(SCENES))
def test_an_order_with_its_history_stays_one_write_unit(on: Stage, flow: str) -> None:
    """At every version; and what is archived of it is another, once."""
    cast = Cast(on, f"{flow}-{uuid4()}")
    for _, act in SCENES[flow](cast):
        act()
        on.pass_time(LATER_S)
        row = OrderRow.get(int(cast.order))
        assert write_units(item_bytes(row.serialize())) == 1
    assert unpack(row.doc, Order).changes == ()
    (history,) = HistoryRow.query(int(cast.order))
    assert write_units(item_bytes(history.serialize())) == 1


def test_a_history_costs_one_write_unit_at_the_end_and_two_reads(on: Stage) -> None:
    cast = Cast(on, "history")
    at_sea = {**PARCEL, "pickup_lat": -60.0, "pickup_lng": 0.0}
    with on.meter.open_bill() as placed:
        cast.place_order("orders", at_sea)  # nobody is there: it ends at once
    put = [units for where, units, _ in placed.lines if where.startswith("histories")]
    assert put == [1], placed.lines
    with on.meter.open_bill() as bill:
        shown = on.call_rest("GET", f"orders/{cast.order}/history", cast.customer)
    assert len(shown["history"]) == 2
    assert (bill.write, bill.read) == (0, 2)


def test_a_position_on_a_trip_is_one_write_unit_in_any_cell(on: Stage) -> None:
    cast = Cast(on, "ride")
    for name, act in play_ride(cast):
        act()
        if name == "start":
            break
    on.pass_time(2)
    cast.send_fix(0.001)  # the first on the trip is shown on the feed
    for north in (0.002, -0.002, -0.006):  # as fast as one drives
        on.pass_time(8)
        with on.meter.open_bill() as bill:
            cast.send_fix(north)
        assert bill.write == 1


def test_an_items_size_is_what_the_engine_charges_for(on: Stage) -> None:
    """The rule that reads are worked out by, against the writes that the engine reports."""
    for n, length in enumerate((10, 600, 1200, 3000)):
        notes = "".join(chr(33 + (n * i * 7919 + i * i) % 90) for i in range(length))
        row = encode_order(an_order(Status.DONE, id=n + 1))
        row.commit = notes
        with on.meter.open_bill() as bill:
            row.save()
        assert bill.write == write_units(item_bytes(row.serialize()))


def test_a_refused_write_costs_as_one_that_was_not(on: Stage) -> None:
    row = encode_order(an_order(Status.DONE))
    row.save()
    with on.meter.open_bill() as bill, pytest.raises(Exception, match="conditional"):
        row.save(condition=OrderRow.order_id.does_not_exist())
    assert (bill.calls, bill.write) == (1, 1)
