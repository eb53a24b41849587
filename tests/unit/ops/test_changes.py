"""How boards differ, and frames of at most so many bytes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.contracts.ops.parts import MAX_FRAME, split_rows
from chalicelib.contracts.ops.socket import OpsContract, split_frame
from chalicelib.domain import events
from chalicelib.domain.events import draft_event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.ops.board import (
    Board,
    BoardOrder,
    LeftOrder,
    index_rows,
    make_courier_row,
    make_order_row,
    select_board,
)
from chalicelib.domain.ops.changes import compare_boards, list_changes_since
from chalicelib.domain.ops.owners import OwnedRows
from chalicelib.domain.people import Actor, Role
from tests.builders import NOW, a_courier, an_order

MINUTE = timedelta(minutes=1)
LISTENER = Subscriber("socket", "ada", "ops", role=Role.ADMIN)


def a_row(id_: int, **changes: Any) -> BoardOrder:
    return replace(make_order_row(an_order(id=id_), None, 5, NOW), **changes)


def a_board(*rows: BoardOrder, couriers: tuple[str, ...] = (), left: tuple[Any, ...] = ()) -> Board:
    people = [make_courier_row(a_courier(id_), None, 5) for id_ in couriers]
    return index_rows(NOW, rows, people, left=left)


def test_what_is_the_same_is_not_told() -> None:
    board = a_board(a_row(1), a_row(2), couriers=("dan",))
    assert compare_boards(board, replace(board, at=NOW + MINUTE)).is_empty


@given(
    st.dictionaries(st.integers(1, 9), st.integers(0, 3)),
    st.dictionaries(st.integers(1, 9), st.integers(0, 3)),
)
def test_what_differs_makes_one_board_of_the_other(
    was: dict[int, int], is_: dict[int, int]
) -> None:
    before, after = (a_board(*(a_row(i, offers=n) for i, n in rows.items())) for rows in (was, is_))
    changes = compare_boards(before, after)
    known = dict(before.orders) | {row.id: row for row in changes.orders}
    for id_ in changes.removed:
        del known[id_]
    assert known == after.orders
    assert all(before.orders.get(row.id) != row for row in changes.orders)


def test_without_memory_all_is_told_that_may_have_changed() -> None:
    since = NOW - MINUTE
    rows = {
        "old": a_row(1, updated_at=NOW - 2 * MINUTE),
        "written": a_row(2, updated_at=NOW),
        "has become late": a_row(3, updated_at=NOW - 2 * MINUTE, due=NOW - MINUTE / 2),
        "late for long": a_row(4, updated_at=NOW - 2 * MINUTE, due=NOW - 2 * MINUTE),
        "its courier moves": a_row(5, updated_at=NOW - 2 * MINUTE, eta=NOW, courier_id="dan"),
        "again": a_row(6, updated_at=NOW),
    }
    left = (LeftOrder(7, NOW), LeftOrder(8, NOW - 2 * MINUTE), LeftOrder(6, NOW))
    changes = list_changes_since(a_board(*rows.values(), couriers=("dan",), left=left), since)
    assert [row.id for row in changes.orders] == [2, 3, 5, 6]
    assert changes.removed == [7]
    assert (changes.resets_couriers, [one.id for one in changes.couriers]) == (True, ["dan"])


def test_what_has_left_is_not_told_to_others() -> None:
    left = (
        LeftOrder(1, NOW, "z", "shop"),
        LeftOrder(2, NOW, "z", "rival"),
        LeftOrder(3, NOW, "y", None, "mia"),
        LeftOrder(4, NOW),
    )
    board = a_board(left=left)
    mia = Actor("mia", Role.MERCHANT, restaurant_ids=("shop",))
    assert [one.id for one in select_board(board, None, mia).left] == [1, 3]
    assert [one.id for one in select_board(board, "z", mia).left] == [1]
    assert [one.id for one in select_board(board, "z", None).left] == [1, 2]


@pytest.mark.parametrize("zone", [None, "z"])
def test_what_is_found_of_an_owners_is_all_of_it(zone: str | None) -> None:
    shops, people = [None, "shop", "cafe", "rival"], ["mia", "cara"]
    rows = [
        a_row(n, merchant_id=shops[n % 4], customer_id=people[n % 2], zone="zy"[n % 3 % 2],
              courier_id=f"c{n}" if n % 5 == 0 else None)
        for n in range(1, 40)
    ]  # fmt: skip
    held = [
        replace(make_courier_row(a_courier(f"c{n}"), None, 5), order_id=n, zone="z")
        for n in range(5, 40, 5)
    ]
    left = tuple(LeftOrder(n, NOW, "z", shops[n % 4], people[n % 2]) for n in range(50, 60))
    board = index_rows(NOW, rows, held, left=left)
    for owner in (
        Actor("mia", Role.MERCHANT, restaurant_ids=("shop", "cafe", "gone")),
        Actor("mia", Role.MERCHANT),
        Actor("nobody", Role.MERCHANT, restaurant_ids=("rival",)),
    ):
        found = select_board(OwnedRows(board).narrow_board(owner), zone, owner)
        wanted = select_board(board, zone, owner)
        assert (found.orders, found.couriers) == (wanted.orders, wanted.couriers)
        assert sorted(one.id for one in found.left) == [one.id for one in wanted.left]


# Parts


@given(st.lists(st.text(max_size=30)), st.lists(st.text(max_size=30)), st.integers(1, 90))
def test_parts_hold_all_in_order_and_no_more_than_they_may(
    one: list[str], other: list[str], most: int
) -> None:
    parts = split_rows({"one": one, "other": other}, most)
    decoded = [json.loads(msgspec.json.encode(part)) for part in parts]
    assert [row for part in decoded for row in part["one"]] == one
    assert [row for part in decoded for row in part["other"]] == other
    for part in parts:
        rows = [bytes(row) for rows in part.values() for row in rows]
        assert len(rows) <= 1 or sum(len(row) + 1 for row in rows) <= most


def test_a_large_board_is_shown_in_parts_that_fit() -> None:
    rows = [a_row(10**15 + n, customer_id="ü" * 100) for n in range(900)]
    board = a_board(*rows, couriers=tuple(f"c{n}" for n in range(700)))
    event = draft_event(events.BOARD_SHOWN, "ada", "", NOW, data={"board": board, "zone": None})
    frames = OpsContract(5).render_event(event, LISTENER)
    assert all(len(frame.encode()) < MAX_FRAME - 200 for frame in frames)
    told = [json.loads(frame) for frame in frames]
    assert [one["part"] for one in told] == [*range(1, len(told) + 1)]
    assert {one["parts"] for one in told} == {len(told)}
    assert [i for i, one in enumerate(told) if "figures" in one] == [len(told) - 1]
    assert len({row["id"] for one in told for row in one["orders"]}) == 900
    assert len({row["id"] for one in told for row in one["couriers"]}) == 700


def test_couriers_are_forgotten_by_the_first_frame_alone() -> None:
    data = {"reset": ["couriers"], "orders": ["x" * 80_000] * 3, "couriers": [], "figures": {}}
    frames = split_frame(data)
    assert ["reset" in frame for frame in frames] == [True, False, False]
