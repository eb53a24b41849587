"""The board: which rows there are, what they say, and who sees which."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.contracts.ops.rows import render_courier_row
from chalicelib.domain.ops.board import (
    Board,
    find_wanted_since,
    index_rows,
    is_shown,
    make_courier_row,
    make_order_row,
    select_board,
)
from chalicelib.domain.ops.current import count_board
from chalicelib.domain.ops.promises import was_on_time
from chalicelib.domain.ops.zones import find_zone, read_zone
from chalicelib.domain.orders.changes import Change
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.orders.windows import Windows
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import InvalidInput
from tests.builders import DEPOT, NOW, a_courier, a_fix, a_job, an_order, north_of

FAR = north_of(DEPOT, 200_000)


def a_promise(minutes: float) -> OrderOptions:
    return OrderOptions(windows=Windows(dropoff_by=NOW + timedelta(minutes=minutes)))


def a_board(*orders: Order, couriers: tuple[str, ...] = ()) -> Board:
    people = [a_courier(id_) for id_ in couriers]
    held = {order.courier_id: order.id for order in orders if order.courier_id}
    people = [replace(one, order_id=held.get(one.id)) for one in people]
    rows = [make_order_row(order, None, 5, NOW) for order in orders]
    return index_rows(NOW, rows, [make_courier_row(one, None, 5) for one in people])


def test_a_zone_is_the_cell_of_a_point() -> None:
    zone = find_zone(DEPOT, 5)
    assert zone
    assert read_zone(zone, 5) == zone
    assert find_zone(None, 5) is None
    assert find_zone(FAR, 5) != zone


@pytest.mark.parametrize("text", [None, ""])
def test_no_zone_is_all_of_them(text: str | None) -> None:
    assert read_zone(text, 5) is None


@pytest.mark.parametrize(
    "text",
    [
        "nowhere",
        "0x8560145bfffffff",
        "٨" * 15,
        "8" * 500,
        "\0",
        (find_zone(DEPOT, 5) or "").upper(),
        find_zone(DEPOT, 6),
    ],
)
def test_what_is_no_zone_of_the_resolution_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_zone(text, 5)


def test_an_order_is_shown_from_its_activation_to_its_end() -> None:
    assert is_shown(an_order(Status.SEARCHING), NOW)
    assert not is_shown(an_order(Status.SCHEDULED), NOW)
    assert not is_shown(an_order(Status.DONE), NOW)
    unserved = an_order(Status.UNSERVED, timeline={"placed": NOW, "unserved": NOW})
    assert is_shown(unserved, NOW + timedelta(hours=23))
    assert not is_shown(unserved, NOW + timedelta(hours=24))


def test_an_order_is_late_past_what_was_promised_or_as_it_will_be() -> None:
    """The door is 2 km from the depot: 7 minutes."""
    fix = a_fix(DEPOT, at=NOW)
    dan = a_courier("dan", order_id=4711, fix=fix, fix_received_at=NOW)
    timeline = {"placed": NOW, "in_transit": NOW}
    for minutes, late in ((30, False), (5, True), (-1, True)):
        order = an_order(Status.IN_TRANSIT, options=a_promise(minutes), timeline=timeline)
        row = make_order_row(order, dan, 5, NOW)
        assert row.is_late is late
        assert row.eta
        assert NOW < row.eta < NOW + timedelta(minutes=9)
        assert row.eta.second == 0
    assert not make_order_row(an_order(), None, 5, NOW).is_late
    assert make_order_row(an_order(options=a_promise(-1)), None, 5, NOW).is_late


def test_a_pickup_that_was_promised_is_late_until_it_happens_and_after_it() -> None:
    windows = Windows(pickup_from=NOW - timedelta(minutes=30), pickup_by=NOW)
    options = OrderOptions(windows=windows)
    later = NOW + timedelta(minutes=1)
    waiting = an_order(options=options)
    assert not make_order_row(waiting, None, 5, NOW).is_late
    assert make_order_row(waiting, None, 5, later).is_late
    picked = an_order(Status.IN_TRANSIT, options=options, timeline={"in_transit": NOW})
    assert not make_order_row(picked, None, 5, later).is_late


def test_on_time_is_said_of_what_was_promised_and_delivered() -> None:
    done = {"placed": NOW, "done": NOW}
    assert was_on_time(an_order(Status.DONE, options=a_promise(1), timeline=done), NOW) is True
    assert was_on_time(an_order(Status.DONE, options=a_promise(-1), timeline=done), NOW) is False
    assert was_on_time(an_order(Status.DONE, timeline=done), NOW) is None
    assert was_on_time(an_order(Status.CANCELLED, options=a_promise(-1)), NOW) is None
    assert was_on_time(an_order(options=a_promise(1)), NOW) is None
    assert was_on_time(an_order(options=a_promise(-1)), NOW) is False


def test_a_search_is_as_old_as_its_first_look_whoever_declined() -> None:
    changes = tuple(
        Change(ms, step, to)
        for ms, step, to in (
            (0, "place", "searching"),
            (10, "offer", "offered"),
            (20, "accept", "accepted"),
            (3000, "release", "searching"),
            (3010, "offer", "offered"),
            (5000, "decline", "searching"),
        )
    )
    order = an_order(changes=changes)
    assert find_wanted_since(order) == NOW + timedelta(seconds=3)
    assert find_wanted_since(an_order(changes=changes[:2])) == NOW
    released = {"placed": NOW, "released": NOW + timedelta(seconds=3)}
    for rest in (changes[4:], ()):  # the others are archived
        order = an_order(changes=rest, timeline=released, history_token="t")
        assert find_wanted_since(order) == NOW + timedelta(seconds=3)
    assert find_wanted_since(an_order(Status.ACCEPTED)) is None


def test_a_meal_wants_a_courier_once_it_is_ready() -> None:
    job = a_job(flow="food", merchant_id="r1")
    assert find_wanted_since(an_order(Status.PENDING, details=job, courier_id=None)) is None
    changes = (Change(0, "place", "pending"), Change(9000, "make_ready", "ready"))
    ready = an_order(Status.READY, details=job, courier_id=None, courier=None, changes=changes)
    assert find_wanted_since(ready) == NOW + timedelta(seconds=9)


def test_a_merchant_sees_its_own_orders_and_who_has_them() -> None:
    theirs = an_order(Status.ACCEPTED, id=1, details=a_job(merchant_id="r1"))
    placed = an_order(id=2, details=a_job(customer_id="mary"))
    other = an_order(Status.ACCEPTED, id=3, details=a_job(merchant_id="r2"), courier_id="eve")
    asked = an_order(Status.OFFERED, id=4, details=a_job(merchant_id="r1"), courier_id="fay")
    board = a_board(theirs, placed, other, asked, couriers=("dan", "eve", "fay", "gil"))
    mary = Actor("mary", Role.MERCHANT, restaurant_ids=("r1",))
    seen = select_board(board, owner=mary)
    assert set(seen.orders) == {1, 2, 4}
    assert set(seen.couriers) == {"dan"}
    assert select_board(board, owner=Actor("ada", Role.ADMIN)) == board
    nobody = select_board(board, owner=Actor("moe", Role.MERCHANT))
    assert not nobody.orders
    assert not nobody.couriers


def test_a_zone_has_what_is_picked_up_or_was_last_seen_in_it() -> None:
    here, zone = an_order(id=1), find_zone(DEPOT, 5)
    pickup = replace(a_job().pickup, lat=FAR[0], lng=FAR[1])
    board = a_board(here, an_order(id=2, details=a_job(pickup=pickup)), couriers=("dan",))
    assert set(select_board(board, zone).orders) == {1}
    assert set(select_board(board, zone).couriers) == {"dan"}
    assert set(select_board(board, find_zone(FAR, 5)).orders) == {2}
    assert not select_board(board, find_zone(FAR, 5)).couriers


def test_who_is_paused_is_on_duty_and_not_idle() -> None:
    row = make_courier_row(a_courier("dan", is_paused=True), "Dan", 5)
    figures = count_board(index_rows(NOW, [], [row]))
    assert (figures.couriers, figures.couriers_idle) == (1, 0)


def test_who_has_an_order_off_duty_is_shown_so_and_counts_for_no_share() -> None:
    """An order by hand goes to whomever a dispatcher names."""
    off = make_courier_row(a_courier("dan", available=False, order_id=4711), "Dan", 5)
    row = render_courier_row(off, NOW)
    assert (row["on_duty"], row["order_id"]) == (False, "4711")
    figures = count_board(index_rows(NOW, [], [off]))
    assert (figures.couriers, figures.couriers_idle_percent) == (0, None)


def test_a_fix_is_as_old_as_it_is_here_whatever_the_phone_s_clock_says() -> None:
    behind = a_fix(DEPOT, at=NOW - timedelta(hours=1))
    dan = a_courier("dan", fix=behind, fix_received_at=NOW - timedelta(seconds=2))
    assert render_courier_row(make_courier_row(dan, None, 5), NOW)["fix_age_s"] == 2


def test_figures_count_what_is_on_the_board() -> None:
    unserved = an_order(Status.UNSERVED, id=3)
    board = a_board(
        an_order(id=1, options=a_promise(-1)),
        an_order(Status.ACCEPTED, id=2),
        unserved,
        couriers=("dan", "eve"),
    )
    figures = count_board(replace(board, at=NOW + timedelta(seconds=90)))
    assert (figures.orders, figures.searching, figures.unassigned) == (2, 1, 1)
    assert (figures.late, figures.unserved, figures.oldest_searching_s) == (1, 1, 90)
    assert (figures.couriers, figures.couriers_idle) == (2, 1)
    assert figures.couriers_idle_percent == 50.0
    empty = count_board(Board(NOW, {}, {}))
    assert (empty.orders, empty.oldest_searching_s, empty.couriers_idle_percent) == (0, None, None)
