"""What couriers earn, and that a wallet is always the sum of its ledger."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import events
from chalicelib.domain.details import Place
from chalicelib.domain.money import earnings, wallets
from chalicelib.domain.money.earnings import MonthlyRecord
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.orders.model import Order, Status
from chalicelib.errors import AlreadyBooked, BalanceTooLow
from tests.builders import DEPOT, NOW, a_job, an_order, north_of


def a_delivered_order(id_: int = 4711, far_m: float = 2000.0, took_min: float = 20.0) -> Order:
    """An order that dan took at NOW and delivered some minutes later."""
    done = NOW + timedelta(minutes=took_min)
    dropoff = Place("2 Door Street", *north_of(DEPOT, far_m))
    timeline = {"placed": NOW, Status.ACCEPTED.value: NOW, Status.DONE.value: done}
    return an_order(Status.DONE, id=id_, details=a_job(dropoff=dropoff), timeline=timeline)


@pytest.mark.parametrize(
    ("far_m", "amount"), [(0, 50_00), (2_500, 50_00), (3_000, 55_00), (5_000, 75_00)]
)
def test_an_earning_is_a_base_and_ten_a_kilometre_beyond_two_and_a_half(
    far_m: float, amount: int
) -> None:
    """S3-11: 5 km are the sample's 75 = 50 + 25."""
    parts = earnings.compute_earning(a_delivered_order(far_m=far_m))
    assert parts.amount_minor == pytest.approx(amount, abs=5)
    assert parts.base == 50_00


def test_without_coordinates_an_earning_is_the_base() -> None:
    order = an_order(Status.DONE, details=a_job(dropoff=Place("somewhere")))
    assert earnings.compute_earning(order).amount_minor == 50_00


def test_on_time_is_within_half_an_hour_of_taking_it() -> None:
    assert earnings.was_on_time(a_delivered_order(took_min=30))
    assert not earnings.was_on_time(a_delivered_order(took_min=30.1))


@pytest.mark.parametrize(
    ("deliveries", "on_time", "due"),
    [(19, 19, False), (20, 19, True), (20, 18, False), (40, 38, True), (40, 37, False)],
)
def test_the_bonus_is_for_twenty_deliveries_of_which_95_percent_are_on_time(
    deliveries: int, on_time: int, due: bool
) -> None:
    """S3-12."""
    assert MonthlyRecord(deliveries, on_time).deserves_bonus is due
    assert not MonthlyRecord(deliveries, on_time, rewarded=True).deserves_bonus


def test_a_months_bonus_is_booked_once_and_told_after_the_earning_that_reached_it() -> None:
    """S3-12."""
    wallet, bonuses = Wallet("dan"), []
    for n in range(25):
        wallet = wallets.book_earning(wallet, a_delivered_order(n + 1), NOW)
        told = wallet.entries[-1].events
        bonuses += [event for event in told if event.type == events.BONUS_EARNED]
        if n == 19:
            assert [event.type for event in told] == [
                events.EARNING_RECORDED,
                events.WALLET_UPDATED,
                events.BONUS_EARNED,
                events.WALLET_UPDATED,
            ]
    assert [event.data["period"] for event in bonuses] == ["2031-05"]
    assert wallet.balance_minor == 25 * 50_00 + 50_00


def test_a_wallet_never_has_a_key_twice() -> None:
    """Whoever forgot to look is stopped by what the wallet itself still has."""
    order = a_delivered_order()
    wallet = wallets.book_earning(Wallet("dan"), order, NOW)
    with pytest.raises(AlreadyBooked):
        wallets.book_earning(wallet, order, NOW)
    wallet = wallets.reserve_payout(wallet, "payout_1", 10_00, NOW)
    with pytest.raises(AlreadyBooked):
        wallets.reserve_payout(wallet, "payout_1", 10_00, NOW)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("earn"), st.floats(0, 20_000), st.floats(1, 60)),
        st.tuples(st.just("reserve"), st.integers(1, 300_00), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS)
def test_a_balance_is_the_sum_of_its_ledger_and_never_negative(
    steps: list[tuple[str, float, float]],
) -> None:
    """S3-11, S3-15: and each event says truly what became of it."""
    wallet, ledger = Wallet("dan"), {}
    for n, (kind, amount, took_min) in enumerate(steps):
        try:
            after = _step(wallet, n, kind, amount, took_min)
        except BalanceTooLow:
            assert kind == "reserve"
            assert amount > wallet.balance_minor
            continue
        _check_told(wallet, after)
        for booking in after.latest_bookings:
            assert booking.key not in ledger
            ledger[booking.key] = booking.amount_minor
        wallet = after
        assert wallet.balance_minor == sum(ledger.values()) >= 0
        assert len(wallet.entries) <= 3


def _step(wallet: Wallet, n: int, kind: str, amount: float, took_min: float) -> Wallet:
    if kind == "earn":
        return wallets.book_earning(wallet, a_delivered_order(n + 1, amount, took_min), NOW)
    return wallets.reserve_payout(wallet, f"payout_{n}", int(amount), NOW)


def _check_told(before: Wallet, after: Wallet) -> None:
    """Every booking has its wallet_updated, and the balances form a chain."""
    updates = [e.data for e in after.entries[-1].events if e.type == events.WALLET_UPDATED]
    balances = [
        before.balance_minor,
        *(booking.balance_minor for booking in after.latest_bookings),
    ]
    assert [(u["previous_minor"], u["balance_minor"]) for u in updates] == list(pairwise(balances))
    for event in after.entries[-1].events:
        if event.type == events.EARNING_RECORDED:
            assert sum(event.data["parts"].values()) == event.data["amount_minor"]
