"""What each flow's story adds to the figures: each fact once, however often it is said."""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import Any

import pytest

from chalicelib.domain.measures import OTHER_ZONE, Sample
from chalicelib.edge.logs import JsonFormatter
from chalicelib.edge.recorder import Recorder
from chalicelib.edge.tracing import Trace, get_trace
from infra.docs.costs import METRIC_BYTES
from tests.fakes import Clock, RecordingQueue
from tests.faults import answers_lost
from tests.functional import rides
from tests.functional.conftest import MakeWorld
from tests.functional.kitchen import Kitchen
from tests.functional.world import Someone, World


class Figures:
    """What was recorded, and the lines that were printed of it."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.lines: list[dict[str, Any]] = []

    def record(self, clock: Clock) -> Recorder:
        recorder = Recorder("waybill-x", clock, lambda line: self.lines.append(json.loads(line)))
        recorder.add_observer(self.samples.append)
        return recorder

    def counts(self) -> dict[str, float]:
        """The sums of what is counted of orders."""
        found: Counter[str] = Counter()
        for metric, value, labels in self.samples:
            if metric.unit == "Count" and "flow" in labels:
                found[metric.name] += int(value)
        return dict(found)

    def values(self, name: str) -> list[float]:
        return [sample.value for sample in self.samples if sample.metric.name == name]


class Writing(logging.Handler):
    """Keeps each line that is written, decoded."""

    def __init__(self, written: list[dict[str, Any]]) -> None:
        super().__init__()
        self._written = written

    def emit(self, record: logging.LogRecord) -> None:
        self._written.append(json.loads(JsonFormatter().format(record)))


@pytest.fixture
def figures() -> Figures:
    return Figures()


@pytest.fixture
def world(make_world: MakeWorld, figures: Figures) -> World:
    clock = Clock()
    return make_world(clock=clock, recorder=figures.record(clock))


def deliver(world: World, order_id: str, dan: Someone) -> None:
    for verb, seconds in (("arrived", 60), ("picked", 90), ("reached", 300), ("delivered", 20)):
        for _ in range(2):  # said twice, told once
            world.step(verb, order_id, dan)
        world.pass_time(seconds)


def test_a_delivery_s_story(world: World, figures: Figures) -> None:
    cara, dan = world.customer(), world.courier()
    order = world.place(cara)
    world.clock.advance(4)
    for _ in range(3):
        assert world.step("accept", order["id"], dan).status == 200
    deliver(world, order["id"], dan)
    world.pass_time(60)
    world.sweep()
    assert figures.counts() == {"Orders": 1, "Offers": 1, "OffersAccepted": 1, "Ends": 1}
    assert figures.values("FirstOfferTime") == [0]
    assert figures.values("AssignTime") == [4000]
    assert figures.values("PickupWait") == [60]
    assert figures.values("DoorWait") == [300]
    (end,) = (sample for sample in figures.samples if sample.metric.name == "Ends")
    assert end.labels["state"] == "done"
    assert {s.labels["flow"] for s in figures.samples if "flow" in s.labels} == {"delivery"}
    zones = {s.labels["zone"] for s in figures.samples if "zone" in s.labels}
    assert len(zones) == 1
    assert all(len(zone) == 15 for zone in zones)


def test_offers_that_lapse_and_are_declined_and_nobody_at_all(
    world: World, figures: Figures
) -> None:
    cara, dan, eve = world.customer(), world.courier("dan"), world.courier("eve")
    order = world.place(cara)
    first = world.order(order["id"]).courier_id
    other = dan if first == "eve" else eve
    world.pass_time(16)
    assert world.order(order["id"]).courier_id == other.id
    for _ in range(2):
        world.step("decline", order["id"], other)
    world.pass_time(60)
    assert world.order(order["id"]).status.value == "unserved"
    assert figures.counts() == {
        "Orders": 1,
        "Offers": 2,
        "OffersIgnored": 1,
        "OffersDeclined": 1,
        "Unserved": 1,
        "Ends": 1,
    }
    assert figures.values("AssignTime") == []
    assert world.post(f"/v1/orders/{order['id']}/retry", None, cara).status == 200
    world.pass_time(1)
    assert figures.counts()["Orders"] == 1
    assert len(figures.values("FirstOfferTime")) == 1


def test_each_of_a_wave_counts_as_figures_count_it(make_world: MakeWorld, figures: Figures) -> None:
    clock = Clock()
    world = make_world(
        settings={"dispatch_waves": ((1500, 3, 15),)}, clock=clock, recorder=figures.record(clock)
    )
    people = {id_: world.courier(id_) for id_ in ("dan", "eve", "fay")}
    taken = world.place(world.customer())["id"]
    assert world.step("decline", taken, people["dan"]).status == 200
    assert world.step("accept", taken, people["eve"]).status == 200
    counts = {"Orders": 1, "Offers": 3, "OffersAccepted": 1, "OffersDeclined": 1}
    assert figures.counts() == counts
    world.place(world.customer("carl"))  # to the two who are left
    world.pass_time(20)
    counts |= {"Orders": 2, "Offers": 5, "OffersIgnored": 2, "Unserved": 1, "Ends": 1}
    assert figures.counts() == counts
    hour = world.get("/v1/admin/figures?hours=1", world.admin()).body["hours"][0]
    assert (hour["offers_per_order"], hour["ignored_percent"]) == (2.5, 50.0)


def test_a_cancelled_order_is_told_with_its_reason(world: World, figures: Figures) -> None:
    cara = world.customer()
    world.courier()
    order = world.place(cara)
    for _ in range(2):
        world.post(f"/v1/orders/{order['id']}/cancel", {"reason": "too_long"}, cara)
    assert figures.counts() == {"Orders": 1, "Offers": 1, "Ends": 1}
    (line,) = (line for line in figures.lines if "Ends" in line)
    assert (line["state"], line["reason"]) == ("cancelled", "too_long")
    assert line["stage"] == "waybill-x"


def test_a_broadcast_ride_is_one_offer_to_all_who_hear_of_it(
    world: World, figures: Figures
) -> None:
    rita = rides.a_rider(world)
    drivers = [rides.a_driver(world, id_) for id_ in ("dan", "eve", "fay")]
    ride_id = rides.request(rita)
    world.pump()
    assert figures.counts() == {"Orders": 1, "Offers": 1}
    drivers[0].did("accept_ride", ride_id=ride_id)
    drivers[0].ask("accept_ride", ride_id=ride_id)
    drivers[1].ask("accept_ride", ride_id=ride_id)
    assert figures.counts() == {"Orders": 1, "Offers": 1, "OffersAccepted": 1}
    assert len(figures.values("FirstOfferTime")) == len(figures.values("AssignTime")) == 1
    drivers[0].did("cancel_ride", ride_id=ride_id)
    assert figures.counts()["Ends"] == 1


def test_a_ride_by_hand_is_an_offer_that_nobody_has_accepted(
    world: World, figures: Figures
) -> None:
    rita, _, eve = (rides.a_rider(world), *(rides.a_driver(world, id_) for id_ in ("dan", "eve")))
    ride_id, ada = rides.request(rita), world.admin()
    world.post(f"/v1/admin/orders/{ride_id}/assign", {"courier_id": "dan"}, ada)
    world.post(f"/v1/admin/orders/{ride_id}/release", {}, ada)
    world.pump()
    assert figures.counts() == {"Orders": 1, "Offers": 3}
    eve.did("accept_ride", ride_id=ride_id)
    assert figures.counts() == {"Orders": 1, "Offers": 3, "OffersAccepted": 1}
    total = world.get("/v1/admin/figures", ada).body["total"]
    assert (total["offers_per_order"], total["accepted_percent"]) == (3.0, 100.0)


def test_what_is_ready_in_a_pool_is_one_offer_to_all(world: World, figures: Figures) -> None:
    kitchen = Kitchen(world)
    (driver,) = kitchen.drivers("456")
    order_id = kitchen.place()
    world.clock.advance(600)
    kitchen.update(order_id, "confirmed", "preparing", "ready_for_pickup")
    world.clock.advance(30)
    for _ in range(2):
        driver.emit("accept-order", {"orderId": order_id})
    assert figures.counts() == {"Orders": 1, "Offers": 1, "OffersAccepted": 1}
    assert figures.values("AssignTime") == [30_000]
    assert figures.values("FirstOfferTime") == [0]
    assert {s.labels["flow"] for s in figures.samples if "flow" in s.labels} == {"food"}


def test_a_commit_whose_answer_is_lost_is_counted_once(world: World, figures: Figures) -> None:
    dan = world.courier()
    order = world.place(world.customer())
    with answers_lost(world.engine.connection.client, "PutItem") as lost:
        assert world.step("accept", order["id"], dan).status == 200
    assert lost
    world.pass_time(10)
    assert figures.counts() == {"Orders": 1, "Offers": 1, "OffersAccepted": 1}


def test_the_same_batch_handled_twice_lags_twice_but_tells_of_orders_once(
    world: World, figures: Figures
) -> None:
    world.courier()
    world.place(world.customer())
    world.pass_time(120)
    before = figures.counts()
    world.sweep()
    world.sweep()
    assert figures.counts() == before


def test_zones_beyond_those_that_are_named_are_other(
    make_world: MakeWorld, figures: Figures
) -> None:
    clock = Clock()
    world = make_world(
        settings={"metrics_zones": ("other",)}, clock=clock, recorder=figures.record(clock)
    )
    world.place(world.customer())
    assert {s.labels["zone"] for s in figures.samples if "zone" in s.labels} == {OTHER_ZONE}


def test_no_figure_names_anybody(world: World, figures: Figures) -> None:
    cara, dan = world.customer("cara-lives-here"), world.courier("dan-drives")
    order = world.place(cara)
    world.step("accept", order["id"], dan)
    deliver(world, order["id"], dan)
    text = json.dumps(figures.lines)
    assert figures.lines
    for secret in (cara.id, dan.id, order["id"], "Depot Road", "911234567890", cara.token):
        assert secret not in text


def test_what_a_delivery_s_lines_weigh_is_what_the_page_counts_with(
    world: World, figures: Figures
) -> None:
    """docs/deploy.md: what a million deliveries' logs cost."""
    cara, dan = world.customer(), world.courier()
    order = world.place(cara)
    for verb in ("accept", "arrived", "picked", "delivered"):
        world.step(verb, order["id"], dan)
        world.pass_time(20)
    weight = sum(len(json.dumps(line, separators=(",", ":"))) for line in figures.lines)
    assert 0.7 * METRIC_BYTES < weight <= METRIC_BYTES, weight


def test_a_request_s_trace_goes_on_with_its_wakeups_and_is_in_its_logs(
    make_world: MakeWorld,
) -> None:
    """Also by the threads that send them."""
    heard: list[Trace | None] = []

    class Queue(RecordingQueue):
        def send_wakeups(self, wakeups: Any) -> None:
            heard.append(get_trace())
            logging.getLogger("chalicelib.test").warning("sent")
            super().send_wakeups(wakeups)

    written: list[dict[str, Any]] = []
    handler = Writing(written)
    clock = Clock()
    world = make_world(clock=clock, queue=Queue(clock))
    cara = world.customer()
    world.courier()
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    body = {"pickup_address": "a", "dropoff_address": "b", "receiver_phone": "+911234567890"}
    logging.getLogger("chalicelib.test").addHandler(handler)
    try:
        for sent, is_ours in ((parent, True), (parent.replace("-", "_"), False)):
            heard.clear()
            world.call("POST", "/v1/orders", body, cara, {"traceparent": sent})
            traces = {trace.trace_id for trace in heard if trace}
            assert len(traces) == 1
            assert (traces == {"4bf92f3577b34da6a3ce929d0e0e4736"}) is is_ours
            assert {line["trace_id"] for line in written} == traces
            written.clear()
    finally:
        logging.getLogger("chalicelib.test").removeHandler(handler)


def test_a_failed_message_is_counted_and_a_deployed_stage_has_no_page_of_metrics(
    world: World, figures: Figures
) -> None:
    event = {"Records": [{"messageId": "1", "body": "no wakeup", "attributes": {}}]}
    assert world.invoke("wake", event)["batchItemFailures"]
    (failed,) = (s for s in figures.samples if s.metric.name == "FailedMessages")
    assert failed.labels == {"function": "wake"}
    assert any(line.get("FailedMessages") == 1 for line in figures.lines)
    assert world.get("/metrics").status == world.get("/v1/metrics").status == 404
