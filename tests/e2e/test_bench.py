"""The bench's parts work together; how fast anything is is not a test's business."""

from __future__ import annotations

import pytest

from infra.bench import drops, far, posting, storm
from infra.bench.__main__ import main
from infra.bench.cuts import Cuts
from infra.bench.rounds import ACCEPT, CHAT, ORDER, REPLY


def test_posting_is_measured_beside_boto3_and_a_floor() -> None:
    rows = posting.measure(rounds=1, posts=32).rows
    assert [row["what"].split(":")[0] for row in rows] == ["floor", "ConnectionsApi.post", "boto3"]
    assert all(row["cpu_us"] > 0 for row in rows)


def test_a_section_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "only latency, far, posting" in capsys.readouterr().err


def test_far_stories_are_measured_with_the_calls_that_each_waits_for() -> None:
    report = far.measure(rounds=2, warm_up=1)
    assert [row["what"] for row in report.rows] == [ORDER, ACCEPT, REPLY, CHAT]
    assert all(row["n"] == 2 for row in report.rows)
    for row in report.rows:
        path = next(note for note in report.notes if note.startswith(f"{row['what']}: "))
        assert "post (" in path
        assert row["p50_ms"] > 12 + 4 * (row["calls one after another"] - 1)


def test_drops_are_counted_on_every_contract_with_positions_and_without() -> None:
    cuts = Cuts(link_s=(0.2, 0.6), away_s=(0.0, 0.1))
    rows = drops.measure(events=8, cuts=cuts, with_peer=False).rows
    names = ("customer", "drivers", "feed", "rides", "food")
    kinds = [f"{name}, {how}" for name in names for how in ("from", "stock")]
    assert [row["what"] for row in rows] == kinds
    assert sum(row["events"] for row in rows) == 2 * 8
    for row in rows[::2]:
        assert (row["lost"], row["out_of_order"]) == (0, 0)


def test_a_storm_loses_nothing() -> None:
    report = storm.measure(clients=12, jitter_s=0.2)
    assert [row["lost"] for row in report.rows] == [0, 0, 0]
    assert all(row["p50_ms"] <= row["p99_ms"] <= row["all_back_ms"] for row in report.rows)
