"""What the bench counts of what devices heard."""

from __future__ import annotations

from infra.bench.heard import Heard, sum_up


def test_what_is_heard_is_summed_up() -> None:
    devices = [[("a", 1.0), ("c", 2.0), ("b", 3.0), ("b", 4.0), ("other", 5.0)], [("a", 6.0)]]
    heard = sum_up(["a", "b", "c", "d"], devices)
    assert heard == Heard(4, [0.75, 0.25], 4, 1, 1, [1.0, 2.0, 3.0, 6.0])
