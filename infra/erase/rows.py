"""Find the rows that may speak of a person, and write them back without them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

import msgspec
from msgspec.structs import replace
from pynamodb.exceptions import DoesNotExist

from chalicelib.domain.courier_changes import CourierChange
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, name_person_room
from chalicelib.domain.money.payments import Payment
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.orders.changes import History
from chalicelib.domain.orders.model import Order
from chalicelib.domain.webhooks.delivery import parse_reminder_id
from chalicelib.domain.webhooks.endpoint import Endpoint
from chalicelib.domain.webhooks.registry import EndpointRegistry, unregister_endpoint
from chalicelib.errors import Stale
from chalicelib.store import orders
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import save_if, save_once, try_update, update_if
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.mailboxes import StoredHead
from chalicelib.store.tables import (
    ConnectionRow,
    CourierHistoryRow,
    CourierRow,
    EventRow,
    HistoryRow,
    ListingRow,
    MailboxRow,
    OrderRow,
    PaymentRow,
    PayoutRow,
    PersonRow,
    WebhookRow,
)
from chalicelib.store.webhooks import REGISTRY_ID, is_unchanged, make_registry_row
from infra.erase.redaction import Redaction

_NOTE = "erasure#"


def scan_rows(model: type[Any]) -> Iterator[Any]:
    """Yield every row of a table, strongly consistent. Nothing but this tool scans."""
    yield from model.scan(consistent_read=True)


def find_row(model: type[Any], *key: Any) -> Any:
    """Return one row, strongly consistent; None if there is none."""
    try:
        return model.get(*key, consistent_read=True)
    except DoesNotExist:
        return None


def scan_orders() -> Iterator[Order]:
    """Return every order."""
    return (unpack(row.doc, Order) for row in scan_rows(OrderRow))


def read_list(name: str) -> list[ListingRow]:
    """Return the rows of a list of orders, strongly consistent."""
    return list(ListingRow.query(name, consistent_read=True))


def scan_payments() -> Iterator[Payment]:
    """Return every attempt to pay."""
    return (msgspec.json.decode(row.doc, type=Payment) for row in scan_rows(PaymentRow))


def scan_payouts() -> Iterator[Payout]:
    """Return every payout."""
    return (msgspec.json.decode(row.doc, type=Payout) for row in scan_rows(PayoutRow))


def scan_endpoints() -> Iterator[WebhookRow]:
    """Return the rows of every webhook endpoint."""
    return (row for row in scan_rows(WebhookRow) if row.endpoint_id != REGISTRY_ID)


def get_owner_id(row: WebhookRow) -> str:
    """Return whose a webhook endpoint is."""
    return unpack(row.doc, Endpoint).owner_id


def unregister_endpoints(owner_id: str) -> None:
    """Take a person's endpoints out of the registry. Raises Stale if it changed meanwhile."""
    row = find_row(WebhookRow, REGISTRY_ID)
    registry = unpack(row.doc, EndpointRegistry) if row is not None else EndpointRegistry()
    ids = registry.list_owned(owner_id)
    if not ids:
        return
    after = registry
    for id_ in ids:
        after = unregister_endpoint(after, id_)
    changed = make_registry_row(replace(after, version=registry.version + 1))
    save_if(changed, is_unchanged(changed))


def scan_connections() -> Iterator[Connection]:
    """Return every socket that is noted as open. (Reminders of webhooks, in the same table, speak
    of nobody.)"""
    found = (row for row in scan_rows(ConnectionRow) if not parse_reminder_id(row.connection_id))
    return (msgspec.json.decode(row.doc, type=Connection) for row in found)


def read_note(person_id: str) -> str | None:
    """Return the pseudonym of a person who is being erased; None where that has not begun."""
    row = find_row(PersonRow, _NOTE + person_id)
    return str(msgspec.json.decode(row.doc)["pseudonym"]) if row is not None else None


def write_note(person_id: str, pseudonym: str) -> None:
    """Note the pseudonym, so that another run goes on with it. Raises Stale if there is another."""
    doc = msgspec.json.encode({"pseudonym": pseudonym}).decode()
    row = PersonRow(_NOTE + person_id, doc=doc, version=1)
    save_once(row, PersonRow.person_id.does_not_exist())
    if read_note(person_id) != pseudonym:
        raise Stale


def delete_note(person_id: str) -> None:
    """Forget what leads from the person to the pseudonym. Harmless twice."""
    PersonRow(_NOTE + person_id).delete()


def delete_connection(connection: Connection, person_id: str) -> None:
    """Take a socket out of the rooms and mailboxes where it hears, and drop its row."""
    # Its row last: by that an interrupted run finds the socket again.
    store = ConnectionTable()
    for room in {*connection.rooms, name_person_room(person_id)}:
        store.remove_from_room(room, connection.id)
    store.delete_connection(connection.id)


def rewrite_order(who: Redaction, order_id: int) -> None:
    """Write an order back without the person. Raises Stale if it changed meanwhile."""
    row = find_row(OrderRow, order_id)
    before = unpack(row.doc, Order)
    after = orders.encode_order(who.redact_order(before))
    after.expires = row.expires  # as the stage's setting had it
    save_if(after, OrderRow.version == before.version)


def rewrite_payment(who: Redaction, order_id: int, attempt: int) -> None:
    """Write a payment back without the person. Raises Stale if it changed meanwhile."""
    row = find_row(PaymentRow, order_id, attempt)
    before = msgspec.json.decode(row.doc, type=Payment)
    after = who.redact_payment(before)
    row.doc, row.version = to_json(after), after.version
    save_if(row, PaymentRow.version == before.version)


def rewrite_payout(who: Redaction, payout_id: str) -> None:
    """Write a payout back without the person. Raises Stale if it changed meanwhile."""
    row = find_row(PayoutRow, payout_id)
    before = msgspec.json.decode(row.doc, type=Payout)
    after = who.redact_payout(before)
    row.doc, row.version = to_json(after), after.version
    save_if(row, PayoutRow.version == before.version)


def redact_mailbox_head(who: Redaction, row: MailboxRow) -> bytes | None:
    """Return a mailbox's head without the person; None where it does not speak of them."""
    before = unpack(row.doc, StoredHead) if row.doc else StoredHead()
    lags = {id_: lag for id_, lag in before.lags.items() if lag.person_id != who.person_id}
    after = replace(before, tail=who.redact_events(before.tail), lags=lags)
    return pack(after) if after != before else None


def rewrite_head(who: Redaction, mailbox: str, now: datetime) -> None:
    """Write a head back without the person. Raises Stale while the mailbox is being served: its
    writer has what it read in its hands, and would write that."""
    row = find_row(MailboxRow, mailbox)
    doc = redact_mailbox_head(who, row) if row is not None else None
    if row is None or doc is None:
        return
    # No one serves it now, and it still says what was read.
    free = MailboxRow.lease.does_not_exist() | (MailboxRow.lease_until < to_epoch_ms(now))
    unchanged = MailboxRow.doc == row.doc
    # Who read it before, and plans to take its lease with what they read, must see that it changed.
    actions = [MailboxRow.doc.set(doc), MailboxRow.last_holder.set(token_urlsafe(9))]
    update_if(row, actions, unchanged & free)


def rewrite_events(row: EventRow, events: tuple[Event, ...]) -> None:
    """Write a run of events back, unless it has expired meanwhile."""
    # An update without the condition would make the row anew, and it would never expire.
    try_update(row, [EventRow.doc.set(pack(events))], EventRow.seq.exists())


def rewrite_history(row: HistoryRow, history: History) -> None:
    """Write a history back, unless it has expired meanwhile."""
    try_update(row, [HistoryRow.doc.set(pack(history))], HistoryRow.token.exists())


def rewrite_courier_change(row: CourierHistoryRow, change: CourierChange) -> None:
    """Write back what a dispatcher did with a courier, unless it has expired meanwhile."""
    try_update(
        row, [CourierHistoryRow.doc.set(to_json(change))], CourierHistoryRow.change_id.exists()
    )


def stop_showing(row: CourierRow, person_id: str) -> None:
    """Stop showing a customer where a courier is."""
    # Meanwhile the courier may have taken another customer's order: that one may go on looking.
    if row.shown_to == person_id:
        shown = CourierRow.shown_to == person_id
        try_update(row, [CourierRow.shown_to.remove()], shown)
    for place, held in enumerate(row.others or ()):
        if is_shown_to(held, person_id):
            order_id = held.partition("@")[0]
            unshown = [CourierRow.others[place].set(f"{order_id}@")]
            try_update(CourierRow(row.courier_id), unshown, CourierRow.others[place] == held)


def is_shown_to(held: str, person_id: str) -> bool:
    """Say whether an order beside a courier's first one, as the row has it, is a customer's who may
    see where they are."""
    return str(held.partition("@")[2]) == person_id


def to_json(value: msgspec.Struct) -> str:
    """Return a value as most rows hold it."""
    return msgspec.json.encode(value).decode()
