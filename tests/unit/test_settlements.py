"""An order's settlement: its final price against what was paid. (That every end at which the price
may change is looked at: test_reachable.py.)"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.domain.money.payments import Payment, PaymentStatus
from chalicelib.domain.money.pricing import compute_final_price
from chalicelib.domain.money.settlements import compute_rest_minor, settle_order
from chalicelib.domain.orders.model import TERMINAL_STATUSES, Order, Status
from chalicelib.domain.price_lines import BASE, RETURN_FEE, PriceLine
from tests.builders import NOW, a_contact, a_job, an_order

PRICE = (PriceLine(BASE, 100_00),)


def paid(*amounts: int, status: PaymentStatus = PaymentStatus.COMPLETED) -> list[Payment]:
    return [
        Payment(4711, n, "cara", amount, "upi", NOW, status=status)
        for n, amount in enumerate(amounts, 1)
    ]


def ended(status: Status = Status.RETURNED, fee: int = 60_00) -> Order:
    fees = (PriceLine(RETURN_FEE, fee),) if fee else ()
    return an_order(status, courier_id="dan", courier=a_contact(), price=PRICE, fees=fees)


@pytest.mark.parametrize("status", sorted(set(Status) - TERMINAL_STATUSES))
def test_before_its_end_an_order_is_not_settled(status: Status) -> None:
    order = an_order(status, price=PRICE)
    assert settle_order(order, paid(1), NOW) == (order, ())


def test_what_may_be_searched_for_again_has_none_either() -> None:
    order = an_order(Status.UNSERVED, price=PRICE)
    assert settle_order(order, paid(1_00), NOW) == (order, ())
    assert compute_final_price(order).total_minor == 100_00
    ride = replace(order, details=a_job(flow="ride"))
    after, _ = settle_order(ride, paid(100_00), NOW)
    assert after.refund is not None
    assert after.refund.amount_minor == 100_00


@pytest.mark.parametrize("status", [PaymentStatus.INITIATED, PaymentStatus.FAILED])
def test_what_nobody_has_paid_is_not_said_to_be_due(status: PaymentStatus) -> None:
    """Others may be paid otherwise."""
    for attempts in ([], paid(160_00, status=status)):
        assert settle_order(ended(), attempts, NOW) == (ended(), ())


@given(st.lists(st.integers(0, 200_00), min_size=1, max_size=4))
def test_a_settlement_adds_up_and_is_noted_once(amounts: list[int]) -> None:
    order, told = settle_order(ended(), paid(*amounts), NOW)
    refunded = order.refund.amount_minor if order.refund else 0
    assert sum(amounts) - refunded + order.due_minor == 160_00
    assert not (order.refund and order.due_minor)
    assert len(told) == bool(order.refund or order.due_minor)
    assert settle_order(order, paid(*amounts), NOW) == (order, ())
    if order.due_minor:
        rest = compute_rest_minor(order, paid(*amounts))
        even, silent = settle_order(order, paid(*amounts, rest), NOW)
        assert (even, silent) == (replace(order, due_minor=0), ())
