"""Where the time went before a device heard something."""

from __future__ import annotations

import pytest

from infra.bench.waits import Link, Waits, average_waits, explain_wait


def test_the_time_is_shared_out_among_what_the_device_did() -> None:
    links = [
        Link(0.0, 0.1, 0.2, ended_at=10.5),  # something happens at 10; the link is cut
        Link(11.0, 11.25, ended_at=12.0),  # cut before it was answered
        Link(12.5, ended_at=12.75),  # refused
        Link(13.0, 13.25, 13.75),
    ]
    assert explain_wait(links, 10.0, 14.0) == Waits(1.25, 0.75, 1.25, 0.75, 4)
    assert sum(explain_wait(links, 10.0, 14.0)[:4]) == pytest.approx(4.0)


def test_what_is_heard_at_once_waits_for_the_server_alone() -> None:
    assert explain_wait([Link(0.0, 0.1, 0.2)], 5.0, 5.5) == Waits(0.0, 0.0, 0.0, 0.5, 1)


def test_waits_are_averaged_one_by_one() -> None:
    assert average_waits([]) == Waits(0, 0, 0, 0, 0)
    assert average_waits([Waits(1, 0, 0, 1, 1), Waits(0, 1, 1, 0, 2)]) == Waits(
        0.5, 0.5, 0.5, 0.5, 1.5
    )
