"""The world as the version before left it: its rows, the messages in its queue, its open sockets.

A deployment replaces the code and keeps the tables: every row of the last version is one of this
version's, too, and so is each message that waits. `row_stories` made the samples with the code of
the version before, commit cf4e613.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pynamodb.models import Model

from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Role
from chalicelib.store import tables
from chalicelib.store.compression import unpack_json
from chalicelib.store.tables import MODELS, ConnectionRow, OrderRow, PayoutRow, get_short_name
from chalicelib.store.wallets import WalletTable
from tests.fakes import Clock, Message, RecordingQueue
from tests.functional.conftest import PREFIX, Engine
from tests.functional.row_stories import SETTINGS, place_of
from tests.functional.world import Socket, Someone, World
from tests.ledgers import list_bookings

SAMPLES = Path(__file__).parents[1] / "samples"
ROWS = SAMPLES / "rows"
# The version before has not got these.
NEW_TABLES = {
    tables.KeyRow,
    tables.ListingRow,
    tables.HistoryRow,
    tables.LinkRow,
    tables.WebhookRow,
    tables.DeliveryRow,
    tables.CourierHistoryRow,
}
OLD_MODELS = [model for model in MODELS if model not in NEW_TABLES]
_BATCH = 25  # AWS quota: puts in one call


def read_sample(name: str) -> Any:
    """The contents of a sample."""
    return json.loads((SAMPLES / f"{name}.json").read_text())


def rows_of(model: type[Model]) -> list[dict[str, Any]]:
    """The rows that the version before left in a table, as DynamoDB has them."""
    rows: list[dict[str, Any]] = read_sample(f"rows/{get_short_name(model)}")
    return rows


def stored(value: Any) -> Any:
    """A sample as DynamoDB's client takes it: bytes are bytes."""
    if not isinstance(value, dict):
        return [stored(one) for one in value] if isinstance(value, list) else value
    if set(value) == {"B"}:
        return {"B": base64.b64decode(value["B"])}
    return {key: stored(one) for key, one in value.items()}


def document_of(model: type[Model], row: dict[str, Any]) -> Any:
    """The JSON in a row, whichever way it is stored; {} where there is none yet."""
    if "doc" not in row:
        return {}
    doc = stored(row["doc"])
    return json.loads(unpack_json(doc["B"]) if "B" in doc else doc["S"])


class SavedWorld(World):
    """The world as the version before left it: its rows, its messages, its open sockets."""

    def __init__(self, engine: Engine) -> None:
        _put_rows(engine)
        left = read_sample("messages/world")
        super().__init__(engine, SETTINGS, clock=Clock(datetime.fromisoformat(left["now"])))
        assert isinstance(self.queue, RecordingQueue)
        for n, message in enumerate(read_sample("messages/waiting")):
            due = datetime.fromisoformat(message["due"])
            self.queue.waiting.append(Message(due, n, message["body"]))
        self.sockets = {name: Socket(self, id_, 200) for name, id_ in left["sockets"].items()}
        for socket in self.sockets.values():
            self.gateway.connect(socket.id)
        self._sockets = 1000  # those to come have other ids

    def order_of(self, customer_id: str) -> Order:
        """The newest order of a customer, as it is now."""
        found = (self.order(int(row.order_id)) for row in OrderRow.scan())
        return max((o for o in found if o.details.customer_id == customer_id), key=lambda o: o.id)

    def dan(self, name: str) -> Someone:
        """A courier of the stories, under the name of the story."""
        return self.someone(Role.COURIER, f"dan-{name}")


def _put_rows(engine: Engine) -> None:
    for model in OLD_MODELS:
        table, rows = f"{PREFIX}-{get_short_name(model)}", rows_of(model)
        for n in range(0, len(rows), _BATCH):
            puts = [{"PutRequest": {"Item": stored(row)}} for row in rows[n : n + _BATCH]]
            engine.connection.client.batch_write_item(RequestItems={table: puts})


def near(n: int) -> dict[str, float]:
    """An order's way at a place of the stories."""
    lat, lng = place_of(n)
    return {"pickup_lat": lat, "pickup_lng": lng, "dropoff_lat": lat + 0.01, "dropoff_lng": lng}


def balance_of(world: World, courier_id: str) -> int:
    """A courier's balance in minor units; it must be what the ledger adds up to."""
    store = WalletTable(world.engine.connection)
    balance = store.get_wallet(courier_id).balance_minor
    booked = list_bookings(store, courier_id, 100)
    assert balance == sum(booking.amount_minor for booking in booked)
    return balance


def payout_id_of(name: str) -> str:
    """The id of the payout that courier dan-payout-NAME asked for."""
    documents = [document_of(PayoutRow, row) for row in rows_of(PayoutRow)]
    (found,) = (one["id"] for one in documents if one["courier_id"] == f"dan-payout-{name}")
    return str(found)


def connection_id_of(person_id: str) -> str:
    """The id of the one connection of a person."""
    documents = [document_of(ConnectionRow, row) for row in rows_of(ConnectionRow)]
    (found,) = (one["id"] for one in documents if one.get("person_id") == person_id)
    return str(found)
