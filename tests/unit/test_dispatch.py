"""Whom to ask next: S0-42, and ambiguities i and j of spec 000."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain.orders.dispatch_policy import DispatchPolicy, is_eligible, rank_couriers
from tests.builders import DEPOT, NOW, a_courier, a_fix, north_of

POLICY = DispatchPolicy(
    offer_ttl=timedelta(seconds=15),
    radius_m=5000,
    fix_max_age=timedelta(seconds=120),
)


def at(metres: float) -> tuple[float, float]:
    return north_of(DEPOT, metres)


def test_the_nearest_comes_first() -> None:
    couriers = [a_courier(f"c{m}", fix=a_fix(at(m))) for m in (900, 300, 600)]
    assert [c.id for c in rank_couriers(couriers, DEPOT)] == ["c300", "c600", "c900"]


def test_of_two_equally_near_the_one_idle_longest_comes_first() -> None:
    late = a_courier("late", idle_since=NOW)
    early = a_courier("early", idle_since=NOW - timedelta(minutes=1))
    assert [c.id for c in rank_couriers([late, early], DEPOT)] == ["early", "late"]


def test_of_two_alike_the_id_decides() -> None:
    assert [c.id for c in rank_couriers([a_courier("b"), a_courier("a")], DEPOT)] == ["a", "b"]


def test_connected_couriers_come_before_nearer_ones_who_are_not() -> None:
    away = a_courier("near", fix=a_fix(at(10)), connected=False)
    there = a_courier("far", fix=a_fix(at(4000)))
    assert [c.id for c in rank_couriers([away, there], DEPOT)] == ["far", "near"]


def test_without_a_pickup_point_whoever_has_waited_longest_comes_first() -> None:
    far = a_courier("far", fix=a_fix(at(50_000)), idle_since=NOW - timedelta(hours=1))
    near = a_courier("near")
    assert [c.id for c in rank_couriers([near, far], None)] == ["far", "near"]
    assert is_eligible(far, None, POLICY, NOW)


def test_only_the_free_are_fit() -> None:
    assert is_eligible(a_courier(), DEPOT, POLICY, NOW)
    assert not is_eligible(a_courier(available=False), DEPOT, POLICY, NOW)
    assert not is_eligible(a_courier(order_id=7), DEPOT, POLICY, NOW)
    assert not is_eligible(a_courier(available=False), None, POLICY, NOW)


def test_the_radius_ends_at_five_kilometres() -> None:
    assert is_eligible(a_courier(fix=a_fix(at(4990))), DEPOT, POLICY, NOW)
    assert not is_eligible(a_courier(fix=a_fix(at(5010))), DEPOT, POLICY, NOW)


def test_an_old_or_absent_position_makes_unfit_where_distance_counts() -> None:
    old = a_courier(fix=a_fix(at=NOW - timedelta(seconds=121)))
    assert not is_eligible(old, DEPOT, POLICY, NOW)
    assert is_eligible(a_courier(fix=a_fix(at=NOW - timedelta(seconds=120))), DEPOT, POLICY, NOW)
    assert not is_eligible(a_courier(fix=None), DEPOT, POLICY, NOW)
    assert is_eligible(a_courier(fix=None), None, POLICY, NOW)
