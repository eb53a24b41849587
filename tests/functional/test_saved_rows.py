"""What the version before wrote is read whole: each row of each table, each kind of message."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from pynamodb.models import Model

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.messaging.wakeups import Wakeup, decode_wakeup, encode_wakeup
from chalicelib.domain.money.payments import Payment
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.wallets import Booking, Wallet
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Person, Rating, Restaurant
from chalicelib.store import tables
from chalicelib.store.mailboxes import StoredHead
from chalicelib.store.tables import OrderRow, get_short_name
from tests.functional.saved_rows import OLD_MODELS, ROWS, document_of, read_sample, rows_of

# Messages that the version before did not send.
NEW_KINDS = {"no_show", "replay", "sweep"}
# What the documents in rows are.
DOCUMENTS: dict[type[Model], Any] = {
    tables.OrderRow: Order,
    tables.PersonRow: Person,
    tables.RestaurantRow: Restaurant,
    tables.ChatRow: ChatMessage,
    tables.RatingRow: Rating,
    tables.ConnectionRow: Connection,
    tables.MailboxRow: StoredHead,
    tables.EventRow: tuple[Event, ...],
    tables.WalletRow: Wallet,
    tables.LedgerRow: Booking,
    tables.PayoutRow: Payout,
    tables.PaymentRow: Payment,
}
# Of these tables, each attribute is read by itself: test_saved_stories goes on with them.
NO_DOCUMENT = {tables.CourierRow, tables.AllowanceRow, tables.RoomRow, tables.CounterRow}


def test_there_are_rows_of_every_table() -> None:
    """A new table needs a story of its own in row_stories."""
    assert {path.stem for path in ROWS.glob("*.json")} == {
        get_short_name(model) for model in OLD_MODELS
    }
    assert set(DOCUMENTS) | NO_DOCUMENT == set(OLD_MODELS)
    assert all(rows_of(model) for model in OLD_MODELS)


def test_there_are_orders_in_every_state_of_every_flow() -> None:
    found = {
        (order["job"]["flow"], order["status"])
        for order in (document_of(OrderRow, row) for row in rows_of(OrderRow))
    }
    assert found >= {
        *(("delivery", one) for one in ["offered", "accepted", "at_pickup", "in_transit", "done"]),
        *(("delivery", one) for one in ("cancelled", "unserved")),
        *(("hail", one) for one in ("searching", "offered", "accepted")),
        *(("ride", one) for one in ("searching", "accepted", "in_transit", "done")),
        *(
            ("food", one)
            for one in ["pending", "confirmed", "preparing", "ready", "in_transit", "done"]
        ),
        ("food", "cancelled"),
    }


@pytest.mark.parametrize("model", OLD_MODELS, ids=get_short_name)
def test_every_attribute_of_a_row_is_known(model: type[Model]) -> None:
    """pynamodb reads over what it does not know: it would be lost in silence."""
    known = {attribute.attr_name for attribute in model.get_attributes().values()}
    found = {name for row in rows_of(model) for name in row}
    if model is tables.CounterRow:  # its columns are named after types of events
        found = {name for name in found if ":" not in name and not name.startswith("w")}
    assert found <= known


@pytest.mark.parametrize("model", DOCUMENTS, ids=get_short_name)
def test_nothing_in_a_document_is_lost(model: type[Model]) -> None:
    """Read and written again, it says all that it said, under the same names."""
    for row in rows_of(model):
        was = document_of(model, row)
        is_ = msgspec.json.decode(json.dumps(was), type=DOCUMENTS[model])
        assert_holds(msgspec.json.decode(msgspec.json.encode(is_)), was)


def assert_holds(now: Any, was: Any) -> None:
    """All of `was` is in `now`, too."""
    if isinstance(was, dict):
        assert set(was) <= set(now)
        for key, value in was.items():
            assert_holds(now[key], value)
    elif isinstance(was, list):
        assert len(now) == len(was)
        for one, other in zip(now, was, strict=True):
            assert_holds(one, other)
    else:
        assert now == was


def test_every_kind_of_message_is_read_as_it_was_sent() -> None:
    bodies = read_sample("messages/kinds")
    for body in bodies:
        assert_holds(json.loads(encode_wakeup(decode_wakeup(body))), json.loads(body))
    kinds = {json.loads(body)["type"] for body in bodies}
    assert kinds | NEW_KINDS == {kind.__struct_config__.tag for kind in get_args(Wakeup)}
