"""The local run's page of metrics: Prometheus' text format, for this machine alone."""

from __future__ import annotations

from typing import Any

import pytest
from chalice.app import Chalice, Request
from prometheus_client.parser import text_string_to_metric_families

from chalicelib.domain import measures
from chalicelib.domain.measures import METRICS, Sample
from infra.local.exposition import Exposition, format_name
from infra.local.metrics_route import add_metrics_route, is_from_here
from tests.aws_events import rest_event

PLACE = {"flow": "delivery", "zone": "8561892ffffffff"}


def parsed(exposition: Exposition) -> dict[str, Any]:
    return {
        family.name: family for family in text_string_to_metric_families(exposition.format_text())
    }


def test_every_metric_has_its_help_and_type_from_the_beginning() -> None:
    families = parsed(Exposition())
    assert len(families) == len(METRICS)
    for metric in METRICS:
        family = families[format_name(metric).removesuffix("_total")]
        assert family.type == ("counter" if metric.unit == "Count" else "histogram")
        assert family.documentation == metric.meaning


def test_samples_add_up() -> None:
    exposition = Exposition()
    for _ in range(3):
        exposition.add_sample(Sample(measures.ORDERS, 1, PLACE))
    odd = 'a"b\\c\nd'
    end = {**PLACE, "state": "cancelled", "reason": odd}
    exposition.add_sample(Sample(measures.ENDS, 2, end))
    for ms in (4, 100, 101, 10**9):
        exposition.add_sample(Sample(measures.FIRST_OFFER, ms, PLACE))
    exposition.add_sample(Sample(measures.DOOR_WAIT, 8, PLACE))
    families = parsed(exposition)
    (orders,) = families["waybill_orders"].samples
    assert (orders.name, orders.labels, orders.value) == ("waybill_orders_total", PLACE, 3)
    (ends,) = families["waybill_ends"].samples
    assert ends.labels == {**PLACE, "state": "cancelled", "reason": odd}
    told = {(s.name, s.labels.get("le")): s.value for s in families[_OFFER].samples}
    assert told[f"{_OFFER}_bucket", "0.01"] == 1
    assert told[f"{_OFFER}_bucket", "0.1"] == 2
    assert told[f"{_OFFER}_bucket", "0.25"] == 3
    assert told[f"{_OFFER}_bucket", "+Inf"] == 4 == told[f"{_OFFER}_count", None]
    assert told[f"{_OFFER}_sum", None] == pytest.approx(1_000_000.205)
    wait = {s.name: s.value for s in families["waybill_door_wait_seconds"].samples}
    assert wait["waybill_door_wait_seconds_sum"] == 8


def test_a_counter_is_told_to_its_last_digit() -> None:
    exposition = Exposition()
    exposition.add_sample(Sample(measures.ORDERS, 12_345_678, PLACE))
    exposition.add_sample(Sample(measures.ORDERS, 1, PLACE))
    (orders,) = parsed(exposition)["waybill_orders"].samples
    assert orders.value == 12_345_679


_OFFER = "waybill_first_offer_time_seconds"


@pytest.mark.parametrize(
    ("peer", "headers", "is_here"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8000"}, True),
        ("127.0.0.1", {"host": "localhost:8000"}, True),
        ("::1", {"host": "[::1]:8000", "origin": "http://localhost:3000"}, True),
        ("192.168.1.2", {"host": "127.0.0.1:8000"}, False),
        ("", {"host": "127.0.0.1:8000"}, False),
        ("127.0.0.1", {"host": "rebound.example.com:8000"}, False),
        ("127.0.0.1", {"host": "127.0.0.1.example.com"}, False),
        ("127.0.0.1", {}, False),
        ("127.0.0.1", {"host": "[::1"}, False),
        ("127.0.0.1", {"host": "127.0.0.1", "origin": "https://example.com"}, False),
        ("127.0.0.1", {"host": "127.0.0.1", "origin": "null"}, False),
        ("127.0.0.1", {"host": "127.0.0.1", "x-forwarded-for": "127.0.0.1, 127.0.0.1"}, True),
        ("127.0.0.1", {"host": "127.0.0.1", "x-forwarded-for": "203.0.113.9, 127.0.0.1"}, False),
        ("127.0.0.1", {"host": "127.0.0.1", "x-forwarded-host": "example.com"}, False),
        ("127.0.0.1", {"host": "127.0.0.1", "forwarded": "for=203.0.113.9"}, False),
    ],
)
def test_it_is_for_this_machine_alone(peer: str, headers: dict[str, str], is_here: bool) -> None:
    app = Chalice("x")
    exposition = Exposition()
    exposition.add_sample(Sample(measures.ORDERS, 1, PLACE))
    add_metrics_route(app, exposition)
    event = rest_event(app.routes, "GET", "/metrics", headers, b"")
    event["headers"] = headers
    event["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    event["requestContext"]["identity"] = {"sourceIp": peer}
    assert is_from_here(Request(event)) is is_here
    answer = app(event, None)
    assert answer["statusCode"] == (200 if is_here else 403)
    assert ("waybill_orders_total" in answer["body"]) is is_here
