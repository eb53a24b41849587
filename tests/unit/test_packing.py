"""What rows hold where size is money."""

from __future__ import annotations

import base64
import zlib

import pytest

from chalicelib.domain.orders.model import Order, Status
from chalicelib.store import compression as packing
from infra.deploy.unpack import main
from tests.builders import an_order

# An order of 2026, packed with the first dictionary.
KEPT = (
    "YY2VMQ6DMAxFr5IDFGSHJI6Zc4KWtUNUWJsKsXL3pkClQBNUKUs8fNn+T/7riPS32w8/+oLjKNzwCpO4Bt9/bUVZ"
    "M6HZ3CWqNStTYkEKF8IobnGMYUoVLGtrVOxXS8IfrQMwDVagKzAdUAu2Bc4TxIiyUdqQZdjxkhyPAzdxXYiVxA6g"
    "Xd4pSL1/ZlhaqxtObvkkLbElo1UjcWnpPN4+SvfLLuW2UiHrMouZ5zc="
)


def test_what_is_packed_is_what_comes_out() -> None:
    order = an_order(Status.ACCEPTED)
    assert packing.unpack(packing.pack(order), Order) == order
    assert packing.pack(order) == packing.pack(order)


def test_rows_of_old_stay_readable() -> None:
    """A dictionary that is changed makes every row unreadable: add another instead."""
    order = packing.unpack(base64.b64decode(KEPT), Order)
    assert (order.id, order.status, order.updated_at.year) == (7, Status.ACCEPTED, 2026)


def test_the_dictionary_is_worth_having() -> None:
    order = an_order(Status.ACCEPTED)
    without = len(zlib.compress(packing.unpack_json(packing.pack(order))))
    assert len(packing.pack(order)) < 0.75 * without


def test_a_row_can_be_read_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    packed = base64.b64encode(packing.pack(an_order(Status.ACCEPTED))).decode()
    assert main([packed]) == 0
    assert '"status":"accepted"' in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["", "?", "AAAA", "YWJj"])
def test_what_is_no_row_is_told_in_one_line(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([wrong]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
