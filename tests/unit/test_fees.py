"""What an end costs: by flow, by how far the order was, and by who ended it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import OrderItem
from chalicelib.domain.money.debts import list_debts
from chalicelib.domain.money.fees import CancelFee, FeePolicy
from chalicelib.domain.money.pricing import compute_final_price, list_price_lines
from chalicelib.domain.orders.changes import Change
from chalicelib.domain.orders.model import TERMINAL_STATUSES, Order, Status
from chalicelib.domain.price_lines import BASE, DISTANCE, TIME, WAITING_FEE, PriceLine, sum_minor
from tests.builders import NOW, a_contact, a_job, an_order

POLICY = FeePolicy({"delivery": CancelFee(20_00, 30_00)}, {"delivery": 40_00}, 60)
QUOTED = (PriceLine(BASE, 60_00), PriceLine(DISTANCE, 24_01), PriceLine(TIME, 3_00))


def held(status: Status, **changes: Any) -> Order:
    return an_order(status, courier_id="dan", courier=a_contact(), **changes)


def end(before: Order, status: Status = Status.CANCELLED, by: str = "c") -> Order:
    """The order as it is about to be written when somebody has ended it."""
    change = Change(1000, "cancel", status.value, by)
    return replace(before, status=status, changes=(change,))


@pytest.mark.parametrize(
    ("status", "fee"),
    [
        (Status.SEARCHING, 0),
        (Status.OFFERED, 0),
        (Status.ACCEPTED, 20_00),
        (Status.AT_PICKUP, 30_00),
    ],
)
def test_to_cancel_costs_its_customer_what_the_state_says(status: Status, fee: int) -> None:
    before = held(status, price=QUOTED)
    order, drafts = POLICY.charge_end(before, end(before))
    assert compute_final_price(order).total_minor == sum_minor(order.fees) == fee
    assert [draft.type for draft in drafts] == ([events.ORDER_CHARGED] if fee else [])
    assert [debt.amount_minor for debt in list_debts(order)] == ([fee] if fee else [])
    if fee:
        assert list_price_lines(order) == order.fees


@pytest.mark.parametrize("by", ["aada", "ddan", "mmia", "s", "u"])
def test_what_others_cancel_is_free(by: str) -> None:
    before = held(Status.AT_PICKUP)
    assert POLICY.charge_end(before, end(before, by=by)) == (end(before, by=by), ())


def test_without_settings_to_cancel_is_free() -> None:
    before = held(Status.AT_PICKUP)
    assert FeePolicy().charge_end(before, end(before)) == (end(before), ())


@pytest.mark.parametrize(("price", "fee"), [(QUOTED, 50_41), ((), 0)])
def test_bringing_back_costs_a_part_of_base_and_distance(
    price: tuple[PriceLine, ...], fee: int
) -> None:
    """84.01 of them: 60 % are 50.406. A parcel that was not quoted has no price."""
    before = held(Status.RETURNING, price=price)
    order, _ = POLICY.charge_end(before, end(before, Status.RETURNED, by="ddan"))
    assert sum_minor(order.fees) == fee
    assert compute_final_price(order).total_minor == sum_minor(price) + fee


def test_bringing_a_meal_back_costs_a_part_of_its_delivery_fee() -> None:
    meal = a_job(flow="food", merchant_id="r", items=(OrderItem("dal", 2, 4_55),))
    before = held(Status.RETURNING, details=meal)
    order, _ = POLICY.charge_end(before, end(before, Status.RETURNED, by="ddan"))
    assert sum_minor(order.fees) == 18_00
    assert compute_final_price(order).total_minor == 9_10 + 30_00 + 18_00


@given(st.sampled_from(sorted(TERMINAL_STATUSES)), st.sampled_from(sorted(Status)))
def test_charging_twice_is_charging_once_and_adds_up(ended: Status, was: Status) -> None:
    """The wakeup is made of it before the commit, so it must come out the same there."""
    before = held(was, price=QUOTED)
    order, drafts = POLICY.charge_end(before, end(before, ended))
    assert POLICY.charge_end(before, order) == (order, drafts)
    assert POLICY.charge_end(order, order) == (order, ())
    assert sum(debt.amount_minor for debt in list_debts(order)) == sum_minor(order.fees)
    if order.fees:
        total = sum_minor(list_price_lines(order))
        assert compute_final_price(order).total_minor == total
    assert order.updated_at == NOW


@pytest.mark.parametrize(
    ("pickup_s", "dropoff_s", "minutes"),
    [
        (180, 180, 0),
        (180.001, 0, 1),
        (240, 240, 2),
        (240.5, 0, 2),
        (0, 600, 7),
        (None, 300, 2),
        (300, None, 2),
    ],
)
def test_each_started_minute_at_a_stop_costs_after_three(
    pickup_s: float | None, dropoff_s: float | None, minutes: int
) -> None:
    """Each stop has its own free minutes."""
    policy = FeePolicy(waiting_minute_minor=2_00)
    took, done = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    timeline = {"placed": NOW, "in_transit": took, "done": done}
    if pickup_s is not None:
        timeline["at_pickup"] = took - timedelta(seconds=pickup_s)
    if dropoff_s is not None:
        timeline["reached"] = done - timedelta(seconds=dropoff_s)
    before = held(Status.IN_TRANSIT, timeline=timeline)
    order, _ = policy.charge_end(before, end(before, Status.DONE, by="ddan"))
    expected = (PriceLine(WAITING_FEE, minutes * 2_00),) if minutes else ()
    assert order.fees == expected
    assert FeePolicy().charge_end(before, end(before, Status.DONE)) == (
        end(before, Status.DONE),
        (),
    )


def test_waiting_for_one_who_cancels_is_in_the_fee_of_that() -> None:
    policy = FeePolicy({"delivery": CancelFee(1, 2)}, waiting_minute_minor=2_00)
    before = held(Status.AT_PICKUP, timeline={"at_pickup": NOW - timedelta(hours=1)})
    order, _ = policy.charge_end(before, end(before))
    assert sum_minor(order.fees) == 2
