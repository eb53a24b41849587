"""Time limits follow the clock they are given; settings that can't work are refused."""

from __future__ import annotations

import pytest

from infra.gateway.config import GatewayConfig
from infra.gateway.limits import ConnectRate, Lifetime

CONFIG = GatewayConfig()
MINUTE_S = 60.0


def test_a_quiet_connection_is_over_after_ten_minutes() -> None:
    life = Lifetime(0.0, 0.0)
    assert not life.is_over(10 * MINUTE_S - 0.001, CONFIG)
    assert life.is_over(10 * MINUTE_S, CONFIG)


def test_activity_starts_the_ten_minutes_again() -> None:
    life = Lifetime(0.0, 0.0)
    life.touch(9 * MINUTE_S)
    assert not life.is_over(18 * MINUTE_S, CONFIG)
    assert life.is_over(19 * MINUTE_S, CONFIG)


def test_two_hours_end_a_connection_however_active() -> None:
    life = Lifetime(0.0, 0.0)
    life.touch(120 * MINUTE_S - 1)
    assert not life.is_over(120 * MINUTE_S - 1, CONFIG)
    assert life.is_over(120 * MINUTE_S, CONFIG)


def test_an_edge_in_front_waits_ten_minutes_for_a_byte_from_the_server() -> None:
    edge = GatewayConfig(edge_idle_s=600.0)
    life = Lifetime(0.0, 0.0)
    life.touch(9 * MINUTE_S)  # what the client says does not count
    assert not life.note_silence(0, 10 * MINUTE_S - 0.001, edge)
    assert life.note_silence(0, 10 * MINUTE_S, edge)
    assert not life.note_silence(0, 10 * MINUTE_S, CONFIG)


def test_each_write_starts_the_edges_ten_minutes_again() -> None:
    edge = GatewayConfig(edge_idle_s=600.0)
    life = Lifetime(0.0, 0.0)
    assert not life.note_silence(1, 9 * MINUTE_S, edge)
    assert not life.note_silence(1, 18 * MINUTE_S, edge)
    assert not life.note_silence(2, 19 * MINUTE_S - 0.001, edge)
    assert life.note_silence(2, 29 * MINUTE_S, edge)


def test_the_connect_rate_admits_a_second_of_burst_and_then_its_rate() -> None:
    rate = ConnectRate(500, now_s=0.0)
    assert sum(rate.take_token(0.0) for _ in range(600)) == 500
    assert sum(rate.take_token(0.1) for _ in range(600)) == 50


def test_a_clock_that_goes_back_gives_no_tokens() -> None:
    rate = ConnectRate(1, now_s=100.0)
    assert rate.take_token(100.0)
    assert not rate.take_token(50.0)


@pytest.mark.parametrize(
    "setting",
    [
        {"stage": ""},
        {"stage": "a/b"},
        {"port": 70000},
        {"workers": 0},
        {"workers": 9, "max_workers": 8},
        {"idle_timeout_s": 0.0},
        {"edge_idle_s": 0.0},
        {"connect_rate": 0.0},
    ],
)
def test_a_setting_that_cannot_work_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        GatewayConfig(**setting)  # type: ignore[arg-type]
