"""The embedded metric format, by its specification, and when what is kept is printed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import measures
from chalicelib.domain.measures import METRICS, Metric, Sample
from chalicelib.edge.aws.emf import format_lines
from chalicelib.edge.recorder import FLUSH_EVERY, Recorder
from tests.fakes import Clock

PLACE = {"flow": "delivery", "zone": "8561892ffffffff"}


def check_line(line: str) -> dict[str, Any]:
    """Hold a line against the specification; return it decoded."""
    root: dict[str, Any] = json.loads(line)
    assert "\n" not in line
    assert set(root["_aws"]) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(root["_aws"]["Timestamp"], int)
    named: list[str] = []
    for directive in root["_aws"]["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Metrics"]) <= 100
        for dimensions in directive["Dimensions"]:
            assert 1 <= len(dimensions) <= 30
            assert all(isinstance(root[name], str) and root[name] for name in dimensions)
        for metric in directive["Metrics"]:
            assert metric["Unit"] in ("Count", "Milliseconds", "Seconds")
            value = root[metric["Name"]]
            values = value if isinstance(value, list) else [value]
            assert 1 <= len(values) <= 100
            assert all(type(one) in (int, float) for one in values)
            named.append(metric["Name"])
    assert len(named) == len(set(named))
    return root


def make_sample(metric: Metric, value: float, label: str) -> Sample:
    return Sample(metric, value, dict.fromkeys(metric.labels, label))


SAMPLES = st.builds(
    make_sample,
    st.sampled_from(METRICS),
    st.integers(0, 10**9) | st.floats(0, 1e9),
    st.sampled_from(["a", "b", "other"]),
)


@given(st.lists(SAMPLES, max_size=250))
def test_whatever_is_told_is_valid_and_nothing_is_lost(samples: list[Sample]) -> None:
    sums: dict[str, float] = {}
    for line in format_lines(samples, "waybill-x", 1):
        root = check_line(line)
        assert root["stage"] == "waybill-x"
        for metric in METRICS:
            told = root.get(metric.name, 0)
            told = sum(told) if isinstance(told, list) else told
            sums[metric.name] = sums.get(metric.name, 0) + told
    for metric in METRICS:
        expected = sum(one.value for one in samples if one.metric == metric)
        assert abs(sums.get(metric.name, 0) - expected) <= 1e-6 * max(1, expected)


def test_one_order_s_commit_is_one_line() -> None:
    samples = [
        Sample(measures.ORDERS, 1, PLACE),
        Sample(measures.OFFERS, 1, PLACE),
        Sample(measures.FIRST_OFFER, 131, PLACE),
        Sample(measures.RELAY_LAG, 20),
        Sample(measures.RELAY_LAG, 25),
    ]
    (line,) = format_lines(samples, "waybill-prod", 1_700_000_000_000)
    root = check_line(line)
    assert root["_aws"]["Timestamp"] == 1_700_000_000_000
    orders, lag = root["_aws"]["CloudWatchMetrics"]
    assert orders["Dimensions"] == [["stage"], ["stage", "flow", "zone"]]
    assert lag["Dimensions"] == [["stage"]]
    assert (root["flow"], root["zone"]) == ("delivery", "8561892ffffffff")
    assert (root["Orders"], root["FirstOfferTime"], root["RelayLag"]) == (1, 131, [20, 25])
    assert len(line) < 500  # what a million of them cost: docs/deploy.md


def test_ends_are_told_apart_by_state_and_reason() -> None:
    ends = [
        Sample(measures.ENDS, 1, {**PLACE, "state": "done", "reason": "none"}),
        Sample(measures.ENDS, 1, {**PLACE, "state": "cancelled", "reason": "price"}),
        Sample(measures.DOOR_WAIT, 8.5, PLACE),
    ]
    roots = [check_line(line) for line in format_lines(ends, "x", 1)]
    assert sorted(root["state"] for root in roots) == ["cancelled", "done"]
    assert sum("DoorWait" in root for root in roots) == 1


def test_what_waits_is_printed_every_half_minute_and_what_counts_at_once() -> None:
    lines: list[str] = []
    clock = Clock()
    recorder = Recorder("x", clock, lines.append)
    recorder.flush()
    assert lines == []
    recorder.record(Sample(measures.WAKEUP_LAG, 1))
    recorder.flush()
    assert len(lines) == 1  # the first of a process: there is something to see
    for lag in (2, 3):
        recorder.record(Sample(measures.WAKEUP_LAG, lag))
        recorder.flush()
    assert len(lines) == 1
    recorder.record(Sample(measures.ORDERS, 1, PLACE))
    recorder.flush()
    assert check_line(lines[1])["WakeupLag"] == [2, 3]
    recorder.record(Sample(measures.WAKEUP_LAG, 4))
    clock.advance(FLUSH_EVERY / timedelta(seconds=1))
    recorder.flush()
    assert check_line(lines[2])["WakeupLag"] == 4
    recorder.flush()
    assert len(lines) == 3


def test_what_only_the_local_run_shows_is_not_printed() -> None:
    lines: list[str] = []
    heard: list[Sample] = []
    recorder = Recorder("x", Clock(), lines.append)
    recorder.add_observer(heard.append)
    recorder.record(Sample(measures.HANDLER_TIME, 3, {"function": "wake"}))
    recorder.flush()
    assert (lines, len(heard)) == ([], 1)
