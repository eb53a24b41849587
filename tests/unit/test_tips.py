"""When an order takes a tip, what it owes by it, and how its price shows it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.contracts.placing import render_order_options
from chalicelib.domain.details import OrderItem
from chalicelib.domain.money.debts import list_debts, list_new_debts
from chalicelib.domain.money.pricing import compute_final_price, list_price_lines
from chalicelib.domain.money.wallets import Wallet, book_debts
from chalicelib.domain.orders.model import TERMINAL_STATUSES, Order, Status
from chalicelib.domain.orders.tip import Tip
from chalicelib.domain.orders.tips import MAX_TIPS, TIPPED_WITHIN, add_tip
from chalicelib.domain.price_lines import BASE, ITEMS, TIP, PriceLine
from chalicelib.errors import AlreadyBooked, Conflict, InvalidTransition
from tests.builders import NOW, a_contact, a_job, an_order

FIVE = Tip(5_00, "token")


def ended(status: Status = Status.DONE) -> Order:
    return an_order(
        status,
        courier_id="dan",
        courier=a_contact(),
        timeline={"placed": NOW, status.value: NOW},
    )


@pytest.mark.parametrize("status", sorted(TERMINAL_STATUSES))
def test_every_end_with_a_courier_takes_a_tip(status: Status) -> None:
    order, (event,) = add_tip(ended(status), FIVE, NOW + TIPPED_WITHIN)
    assert order.tips == (replace(FIVE, given_at=NOW + TIPPED_WITHIN),)
    assert event.to == "dan"


@pytest.mark.parametrize("status", sorted(set(Status) - TERMINAL_STATUSES))
def test_no_order_takes_a_tip_before_its_end(status: Status) -> None:
    with pytest.raises(InvalidTransition):
        add_tip(an_order(status), FIVE, NOW)


def test_what_nobody_accepted_takes_no_tip() -> None:
    asked_only = replace(ended(Status.CANCELLED), courier=None)
    nobody = an_order(Status.UNSERVED)
    for order in (asked_only, nobody):
        with pytest.raises(Conflict):
            add_tip(order, FIVE, NOW)


def test_a_tip_is_given_within_a_day_whatever_was_written_since() -> None:
    """A tip does not prolong the time for the next."""
    order, _ = add_tip(ended(), FIVE, NOW + timedelta(hours=23))
    with pytest.raises(Conflict):
        add_tip(order, FIVE, NOW + TIPPED_WITHIN + timedelta(milliseconds=1))


def test_an_order_takes_so_many_tips() -> None:
    order = replace(ended(), tips=(FIVE,) * MAX_TIPS)
    with pytest.raises(Conflict):
        add_tip(order, FIVE, NOW)


def test_a_tip_is_a_line_of_the_price_and_of_no_payment() -> None:
    """It stands outside: neither what is to be paid nor what percentages are of has it."""
    meal = a_job(flow="food", merchant_id="r", items=(OrderItem("dal", 2, 4_55),))
    order = replace(ended(), details=meal)
    before = compute_final_price(order)
    order = replace(order, tips=(FIVE, Tip(2_50, "other")))
    assert list_price_lines(order) == (
        PriceLine(ITEMS, 9_10),
        PriceLine(BASE, 30_00),
        PriceLine(TIP, 7_50),
    )
    assert compute_final_price(order) == before


def test_only_a_view_of_a_tipped_order_has_a_price() -> None:
    assert "price" not in render_order_options(ended())
    shown = render_order_options(replace(ended(), tips=(FIVE,)))["price"]
    assert shown == {"lines": [{"kind": "tip", "amount": 5}], "total": 5, "currency": "INR"}


@given(st.lists(st.integers(1, 10**9), max_size=10), st.integers(0, 10))
def test_each_tip_is_owed_once_and_booked_once(amounts: list[int], booked: int) -> None:
    """Whoever books all of it after somebody who has booked some of it adds the rest."""
    order = replace(ended(), tips=tuple(Tip(n, str(i)) for i, n in enumerate(amounts)))
    before = replace(order, tips=order.tips[:booked])
    new = list_new_debts(before, order)
    assert (*list_debts(before), *new) == list_debts(order)
    wallet = Wallet("dan")
    for debts in (list_debts(before), new):
        wallet = book_debts(wallet, debts, NOW) if debts else wallet
    assert wallet.balance_minor == sum(amounts)
    if new:
        with pytest.raises(AlreadyBooked):
            book_debts(wallet, new[-1:], NOW)
