"""The city: the same seed is the same day, instances are read or refused, and units are counted as
on DynamoDB."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chalicelib.domain.details import OrderDetails, Place
from chalicelib.domain.events import Event
from chalicelib.domain.orders.commands import Arrive, Deliver, PickUp
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Actor, Fix, Person, Role
from chalicelib.settings import BadSetting, Settings
from infra.docs.costs import read_units
from infra.simulate.agenda import Agenda
from infra.simulate.application import CityApplication
from infra.simulate.charts import render_page
from infra.simulate.city import make_city
from infra.simulate.compare import parse_policies, parse_seeds, render_table
from infra.simulate.day import DayResult, run_day
from infra.simulate.figures import pick_quantile
from infra.simulate.mdrp import MalformedInstance, read_instance
from infra.simulate.options import Options, read_options, read_settings
from infra.simulate.scenario import measure_m

SAMPLE = Path(__file__).parents[2] / "samples" / "mdrp"
SMALL = Options(orders=15, hours=0.5, city_km=3.0, decline=0.3, ignore=0.2, report_s=60.0)
EAGER = Options(decline=0.0, ignore=0.0)


def run_city(options: Options) -> DayResult:
    return run_day(make_city(options), options, Settings())


@pytest.fixture(scope="module")
def small_day() -> DayResult:
    return run_city(SMALL)


def test_the_same_seed_is_the_same_day_and_another_is_another(small_day: DayResult) -> None:
    assert run_city(SMALL).list_figures() == small_day.list_figures()
    assert make_city(replace(SMALL, seed=2)) != make_city(SMALL)


def test_every_order_ends_and_every_answer_is_counted(small_day: DayResult) -> None:
    result = small_day
    orders, tally = result.records.by_id.values(), result.tally
    assert len(orders) == SMALL.orders
    assert all((one.delivered_at is None) != (one.unserved_at is None) for one in orders)
    assert tally.accepted == sum(one.assigned_at is not None for one in orders) > 0
    assert tally.heard == sum(one.offers for one in orders)
    assert tally.heard == tally.accepted + tally.declined + tally.ignored + tally.late
    assert min(tally.declined, tally.ignored) > 0
    assert 0 < tally.idle_s < tally.duty_s


def test_a_hail_is_offered_again_until_somebody_takes_it() -> None:
    result = run_city(replace(SMALL, flow="hail", orders=4, orders_per_courier_hour=0.5))
    assert result.list_figures()["done"] == "4"
    assert int(result.list_figures()["offers"]) > 4


def test_settings_of_dispatch_come_from_the_environment() -> None:
    settings = read_settings({"DISPATCH_RADIUS_M": "1"})
    figures = run_day(make_city(SMALL), SMALL, settings).list_figures()
    assert figures["unserved_percent"] == "100.00"


def test_an_orders_write_units_are_those_that_dynamodb_takes() -> None:
    """Within a unit: rows of events are put away by their size, which is not looked at here."""
    agenda = Agenda(datetime(2026, 1, 5, tzinfo=timezone.utc))
    city = CityApplication(Settings(), agenda, _ignore_event, _ignore_commit)
    city.connect_courier(Person("c1"), agenda.now + timedelta(days=1))
    courier, here = Actor("c1", Role.COURIER), Place("a", 12.97, 77.59)
    city.services.courier_status.set_available(courier, True, Fix(12.97, 77.59, agenda.now))
    bills = []
    for _ in range(7):
        city.bill.writes.clear()
        city.services.courier_status.record_fix(courier, Fix(12.97, 77.59, agenda.now))
        details = OrderDetails("delivery", "u1", here, here, agenda.now)
        order = city.services.customer_orders.place_order(details).order
        city.services.courier_orders.accept_order(courier, order.id)
        for step in (Arrive(), PickUp(), Deliver()):
            _pass_time(agenda, 7)
            city.services.courier_orders.take_step(courier, order.id, step)
        _pass_time(agenda, 90)
        bills.append(sum(city.bill.writes.values()) - city.bill.writes["positions"])
    mean = sum(bills[2:]) / len(bills[2:])
    assert mean == pytest.approx(read_units("whole")["write units"], abs=1)


def _pass_time(agenda: Agenda, seconds: float) -> None:
    until = agenda.now + timedelta(seconds=seconds)
    agenda.run(until)
    agenda.now = until


def _ignore_event(person_id: str, event: Event) -> None: ...


def _ignore_commit(stored: Order | None, order: Order) -> None: ...


@pytest.mark.parametrize(
    ("values", "share", "picked"),
    [([], 0.5, 0.0), ([7.0], 0.95, 7.0), ([3.0, 1.0, 2.0], 0.5, 2.0), ([1.0, 2.0], 1.0, 2.0)],
)
def test_quantiles(values: list[float], share: float, picked: float) -> None:
    assert pick_quantile(values, share) == picked


def test_an_instance_is_read_as_its_format_says() -> None:
    scenario = read_instance(SAMPLE, EAGER)
    first, shift = scenario.orders[0], scenario.shifts[2]
    assert (first.placed_s, first.ready_s, first.pickup) == (600, 1500, (1000, 1000))
    assert (shift.on_s, shift.off_s, shift.start, shift.speed_m_s) == (900, 7200, (4000, 3000), 5)
    assert (scenario.pickup_service_s, scenario.dropoff_service_s) == (240, 240)
    result = run_day(scenario, EAGER, Settings()).list_figures()
    assert (result["orders"], result["done"]) == ("5", "4")  # one thinks too long: nobody is left


def test_travel_is_by_the_straight_line_at_the_instances_speed() -> None:
    scenario = read_instance(SAMPLE, EAGER)
    (order,) = (one for one in scenario.orders if one.id == "o5")
    courier = min(scenario.shifts, key=lambda shift: measure_m(shift.start, order.pickup))
    alone = replace(scenario, orders=(order,), shifts=(courier,))
    (record,) = run_day(alone, EAGER, Settings()).records.by_id.values()
    assert record.picked_up_at
    assert record.delivered_at
    riding = timedelta(seconds=measure_m(order.pickup, order.dropoff) / 5)
    service = timedelta(minutes=4)
    assert abs(record.delivered_at - record.picked_up_at - riding - service) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("orders.txt", "o2\t2500", "o2\tfar", "orders.txt:3: x takes a number"),
        ("orders.txt", "o2\t2500", "o2\tnan", "orders.txt:3: x takes a number"),
        ("orders.txt", "o2\t", "o1\t", "orders.txt:3: order 'o1' is there twice"),
        ("orders.txt", "\tr2\t20", "\tr9\t20", "orders.txt:3: there is no restaurant 'r9'"),
        ("orders.txt", "\tr2\t20", "\tr2\t2", "orders.txt:3: ready_time must not come before"),
        ("orders.txt", "\tr2\t20", "\tr2", "orders.txt:3: 5 columns"),
        ("orders.txt", "o2\t", "o2\0\t", "orders.txt:3: order takes a name"),
        ("orders.txt", "placement_time", "placed", "orders.txt:1: the columns placement_time"),
        ("couriers.txt", "15\t120", "120\t15", "couriers.txt:4: off_time must come after"),
        ("restaurants.txt", "restaurant\tx", "restaurant", "restaurants.txt:1: the columns x"),
        ("instance_parameters.txt", "300", "0", "parameters.txt:2: meters_per_minute takes"),
        ("instance_parameters.txt", "\n300\t4\t4\t40", "", "parameters.txt:1: one line"),
    ],
)
def test_a_malformed_instance_is_refused_with_its_file_and_line(
    tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "instance"))
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(MalformedInstance) as raised:
        read_instance(folder, EAGER)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_no_text_or_not_there_is_refused_likewise(tmp_path: Path) -> None:
    with pytest.raises(MalformedInstance, match=r"restaurants.txt: can't be read"):
        read_instance(tmp_path, EAGER)
    (tmp_path / "restaurants.txt").write_bytes(b"restaurant\tx\ty\nr1\t1\t\xff\n")
    with pytest.raises(MalformedInstance, match=r"restaurants.txt:2: this is no UTF-8"):
        read_instance(tmp_path, EAGER)


@pytest.mark.parametrize(
    "env",
    [
        {"ORDERS": "many"},
        {"ORDERS": "1.5"},
        {"SEED": "-1"},
        {"DECLINE": "nan"},
        {"DECLINE": "0.6", "IGNORE": "0.6"},
        {"FLOW": "ferry"},
    ],
)
def test_odd_options_are_refused(env: dict[str, str]) -> None:
    with pytest.raises(BadSetting):
        read_options(env)


def test_policies_and_seeds_are_parsed() -> None:
    policies = parse_policies(["today=", "near=DISPATCH_RADIUS_M=1500 DECLINE=0.3"])
    assert policies == {"today": {}, "near": {"DISPATCH_RADIUS_M": "1500", "DECLINE": "0.3"}}
    assert (parse_seeds("2-4"), parse_seeds("7,9")) == ([2, 3, 4], [7, 9])
    for odd in ([], ["a"], ["=A=1"], ["a=", "a="], ["a=B"], ["a='"]):
        with pytest.raises(BadSetting):
            parse_policies(odd)
    for text in ("", "x", "3-1", "-1", "1,,2"):
        with pytest.raises(BadSetting):
            parse_seeds(text)
    assert render_table({"a": {"done": 1}, "b": {"done": 2}}).splitlines()[-1] == (
        "| done | 1.00 | 2.00 |"
    )


def test_the_page_has_well_formed_charts_even_of_an_empty_day(small_day: DayResult) -> None:
    for result in (small_day, run_city(replace(SMALL, orders=0))):
        page = render_page(result, "<seed> & all")
        assert "<seed>" not in page
        charts = [part.partition("</svg>")[0] for part in page.split("<svg")[1:]]
        assert len(charts) == 6
        for chart in charts:
            ElementTree.fromstring(f"<svg{chart}</svg>")
