"""Erase a person, table by table.

Each step may be done again: it finds what is left of the person, and the same pseudonym, which is
noted before anything else is written and deleted after everything else. So a run that was stopped,
or lost a race against the live system, is started once more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import msgspec

from chalicelib.domain.courier_changes import CourierChange
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.messaging.mailboxes import APPLIED_KEPT_FOR
from chalicelib.domain.money.payouts import PayoutStatus
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.orders.changes import History
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.listing import (
    name_courier_list,
    name_customer_list,
    name_external_id_list,
)
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.proof import FILE_KINDS
from chalicelib.domain.people import Rating
from chalicelib.domain.rate_limits import DEFAULT_LIMITS
from chalicelib.errors import PostFailed
from chalicelib.store.compression import pack, unpack
from chalicelib.store.tables import (
    AllowanceRow,
    ChatRow,
    CourierHistoryRow,
    CourierRow,
    EventRow,
    HistoryRow,
    LedgerRow,
    ListingRow,
    MailboxRow,
    PersonRow,
    RatingRow,
    RoomRow,
    WalletRow,
)
from infra.erase import rows
from infra.erase.files import FileEraser
from infra.erase.redaction import Redaction
from infra.erase.writer import RowWriter

_SETTLED_AFTER = APPLIED_KEPT_FOR + timedelta(minutes=1)  # an order's last wakeups have run by then

Close = Callable[[str], None]
"""Closes a connection by its id. Raises PostFailed."""


class CannotEraseYet(Exception):
    """The person can't be erased yet; the text says what must end first."""


class ErasedRows(msgspec.Struct, frozen=True):
    """The number of a table's rows that were changed, and how."""

    table: str
    rows: int
    what: str


class Eraser:
    """The erasing of one person from every table.

    `close` None: sockets can't be closed from here. `files` None: the stage keeps none. `dry`: only
    count. `notes` are what else is to be said, once it has run.
    """

    def __init__(
        self,
        person_id: str,
        close: Close | None,
        clock: Callable[[], datetime],
        sleep: Callable[[float], object],
        *,
        files: FileEraser | None = None,
        dry: bool = False,
    ) -> None:
        self._files = files
        self._person_id = person_id
        self._close = close
        self._clock = clock
        self._writer = RowWriter(sleep, dry=dry)
        self.notes: list[str] = []

    def run(self) -> Iterator[ErasedRows]:
        """Erase, a table at a time; yield what was done to each.

        Raises CannotEraseYet before anything is written. Later it raises Busy, and what DynamoDB
        raises: then it is to be run again.
        """
        who = self._begin()
        # Sockets come first: whoever is still connected would write again what is gone.
        yield self._delete_rooms()
        yield self._end_connections()
        yield self._delete_endpoints()
        # While the orders still say that they are theirs: by that another run finds them again.
        yield self._delete_files(who)
        yield from self._redact_books(who)
        yield from self._remove_traces(who)
        yield self._delete_profile()

    def _begin(self) -> Redaction:
        """Refuse who can't be erased yet; note the pseudonym, before anything else is written.

        A run that was cut short has noted it already: the next one goes on with the same.
        """
        noted = rows.read_note(self._person_id)
        who = Redaction(self._person_id, noted or f"erased-{secrets.token_hex(6)}")
        orders = [order for order in rows.scan_orders() if who.owns(order)]
        self._refuse_unfinished(orders)
        self._refuse_owed()
        self._writer.change_row(rows.write_note, self._person_id, who.pseudonym)
        if not self._writer.dry:
            self.notes.append(
                f"In the books they are {who.pseudonym}, which is noted nowhere else."
            )
        return msgspec.structs.replace(who, order_ids=frozenset(order.id for order in orders))

    def _redact_books(self, who: Redaction) -> Iterator[ErasedRows]:
        """Put the pseudonym into what stays."""
        # Before the orders: afterwards none of them would be the person's any more.
        yield self._move_listings(who)
        # An order that lives may be about to archive what it read in one of these rows: it fails,
        # as its own row has changed, or it read what is redacted. What it put by then is found by
        # the second time.
        yield self._redact_histories(who)
        yield self._redact_orders(who)
        if not self._writer.dry:
            self._redact_histories(who)
        yield self._redact_payments(who)
        yield self._redact_payouts(who)
        yield self._move_ledger(who)
        yield self._move_wallet(who)

    def _remove_traces(self, who: Redaction) -> Iterator[ErasedRows]:
        """Take the person out of everything that is not of the books."""
        yield self._delete_chats(who)
        yield self._redact_ratings(who)
        yield self._delete_allowances()
        yield self._delete_courier()
        yield self._delete_courier_changes()
        yield self._redact_courier_changes(who)
        yield self._stop_showing()
        yield self._delete_mailbox()
        yield self._redact_mailboxes(who)
        yield self._delete_events()
        yield self._redact_events(who)

    def _refuse_unfinished(self, orders: list[Order]) -> None:
        """Raise CannotEraseYet for an order that is not finished, or just ended.

        Word of the latter, and what it earns, may be on the way, and would come in under the
        person's own name.
        """
        unfinished = [str(order.id) for order in orders if not order.is_terminal]
        if unfinished:
            raise CannotEraseYet(
                f"They have orders that are not finished: {', '.join(unfinished)}."
            )
        settled = max((order.updated_at for order in orders), default=datetime.min) + _SETTLED_AFTER
        if orders and settled > self._clock():
            raise CannotEraseYet(
                f"Their last order just ended: try again after {settled:%H:%M} UTC."
            )

    def _refuse_owed(self) -> None:
        owed = [
            payout.id
            for payout in rows.scan_payouts()
            if payout.courier_id == self._person_id and payout.status is not PayoutStatus.COMPLETED
        ]
        if owed:
            raise CannotEraseYet(f"They have payouts that are not completed: {', '.join(owed)}.")

    def _end_connections(self) -> ErasedRows:
        """Close sockets, and let them hear nothing, even those that can't be closed."""
        mine = [one for one in rows.scan_connections() if self._is_theirs(one)]
        # Closed before their rows are deleted: afterwards nobody would know their ids.
        unclosed = sum(not self._close_socket(one.id) for one in mine)
        for one in mine:
            self._writer.write_row(partial(rows.delete_connection, one, self._person_id))
        if unclosed:
            self.notes.append(
                f"{unclosed} sockets could not be closed. They hear nothing any more, and end "
                "within 2 hours."
            )
        return ErasedRows("connections", len(mine), "closed and deleted")

    def _is_theirs(self, connection: Connection) -> bool:
        vouched = connection.handshake_actor.id if connection.handshake_actor else ""
        return self._person_id in (connection.person_id, vouched)

    def _close_socket(self, connection_id: str) -> bool:
        if self._writer.dry:
            return True
        if self._close is None:
            return False
        try:
            self._close(connection_id)
        except PostFailed:
            return False
        return True

    def _delete_rooms(self) -> ErasedRows:
        mine = [row for row in rows.scan_rows(RoomRow) if row.person_id == self._person_id]
        return ErasedRows(
            "rooms", sum(self._writer.write_row(row.delete) for row in mine), "deleted"
        )

    def _delete_endpoints(self) -> ErasedRows:
        """Delete their webhook endpoints, so that nothing more leaves by them."""
        mine = [row for row in rows.scan_endpoints() if rows.get_owner_id(row) == self._person_id]
        if mine:
            # First the registry: a row that no commit knows of is told nothing, and found again.
            self._writer.change_row(rows.unregister_endpoints, self._person_id)
        count = sum(self._writer.write_row(row.delete) for row in mine)
        return ErasedRows("webhooks", count, "deleted: their endpoints are sent nothing more")

    def _move_listings(self, who: Redaction) -> ErasedRows:
        """Move the person's lists of orders to the pseudonym, and take their orders out of those by
        which a customer's own numbers are found."""
        moved = 0
        for name_list in (name_customer_list, name_courier_list):
            for row in rows.read_list(name_list(self._person_id)):
                kept = ListingRow(name_list(who.pseudonym), row.order_id, expires=row.expires)
                # Written before it is deleted, as the ledger is.
                self._writer.write_row(kept.save)
                moved += self._writer.write_row(row.delete)
        for order in rows.scan_orders():
            external_id = order.options.external_id
            if order.details.customer_id == self._person_id and external_id is not None:
                name = name_external_id_list(self._person_id, external_id)
                moved += self._writer.delete_row(rows.find_row(ListingRow, name, order.id))
        return ErasedRows("listings", moved, "kept under the pseudonym")

    def _delete_files(self, who: Redaction) -> ErasedRows:
        if self._files is None:
            return ErasedRows("files", 0, "deleted: the stage has no bucket")
        dry = self._writer.dry
        asked = [
            order.id
            for order in rows.scan_orders()
            if order.id in who.order_ids and order.options.proof.list_kinds() & FILE_KINDS
        ]
        count = sum(self._files.delete_files(id_, dry=dry) for id_ in asked)
        return ErasedRows("files", count, "deleted: photos and signatures of their orders")

    def _redact_orders(self, who: Redaction) -> ErasedRows:
        named = [order.id for order in rows.scan_orders() if who.redact_order(order) != order]
        count = sum(self._writer.change_row(rows.rewrite_order, who, id_) for id_ in named)
        done = "kept under a pseudonym, without names, phones, addresses, coordinates, notes"
        return ErasedRows("orders", count, done)

    def _redact_histories(self, who: Redaction) -> ErasedRows:
        count = 0
        for row in rows.scan_rows(HistoryRow):
            before = unpack(row.doc, History)
            after = who.redact_history(int(row.order_id), before)
            if after != before:
                count += self._writer.write_row(partial(rows.rewrite_history, row, after))
        done = "kept under a pseudonym, without positions and words, until they expire"
        return ErasedRows("histories", count, done)

    def _redact_payments(self, who: Redaction) -> ErasedRows:
        mine = [one for one in rows.scan_payments() if one.customer_id == self._person_id]
        count = sum(
            self._writer.change_row(rows.rewrite_payment, who, p.order_id, p.attempt) for p in mine
        )
        return ErasedRows("payments", count, "kept under the pseudonym, without the payer's UPI id")

    def _redact_payouts(self, who: Redaction) -> ErasedRows:
        mine = [one.id for one in rows.scan_payouts() if one.courier_id == self._person_id]
        count = sum(self._writer.change_row(rows.rewrite_payout, who, id_) for id_ in mine)
        return ErasedRows("payouts", count, "kept under the pseudonym, without the account")

    def _move_ledger(self, who: Redaction) -> ErasedRows:
        """Write each entry under the pseudonym, then delete it: a ledger's key is the person."""
        entries = list(LedgerRow.query(self._person_id, consistent_read=True))
        # Written before it is deleted: a run that is cut short between the two writes it again.
        for entry in entries:
            self._writer.write_row(LedgerRow(who.pseudonym, entry.key, doc=entry.doc).save)
            self._writer.write_row(entry.delete)
        return ErasedRows("ledger", len(entries), "kept under the pseudonym")

    def _move_wallet(self, who: Redaction) -> ErasedRows:
        row = rows.find_row(WalletRow, self._person_id)
        if row is None:
            return ErasedRows("wallets", 0, "kept under the pseudonym")
        wallet = unpack(row.doc, Wallet)
        moved = pack(who.redact_wallet(wallet))
        kept = {"version": row.version, "commit": row.commit}
        self._writer.write_row(WalletRow(who.pseudonym, doc=moved, **kept).save)
        self._writer.write_row(row.delete)
        if wallet.balance_minor:
            self.notes.append(
                f"A balance of {wallet.balance_minor} (minor units) was not paid out."
            )
        return ErasedRows("wallets", 1, "kept under the pseudonym")

    def _delete_chats(self, who: Redaction) -> ErasedRows:
        mine = [
            row
            for row in rows.scan_rows(ChatRow)
            if who.concerns_message(msgspec.json.decode(row.doc, type=ChatMessage))
        ]
        done = "deleted, both sides of their conversations"
        return ErasedRows("chats", sum(self._writer.write_row(row.delete) for row in mine), done)

    def _redact_ratings(self, who: Redaction) -> ErasedRows:
        changed = 0
        for row in rows.scan_rows(RatingRow):
            before = msgspec.json.decode(row.doc, type=Rating)
            after = who.redact_rating(before)
            if after != before:
                row.doc = rows.to_json(after)
                changed += self._writer.write_row(row.save)
        return ErasedRows("ratings", changed, "kept under the pseudonym, without the words")

    def _delete_allowances(self) -> ErasedRows:
        names = [f"{limit}#{self._person_id}" for limit in DEFAULT_LIMITS]
        found = [row for row in (rows.find_row(AllowanceRow, name) for name in names) if row]
        return ErasedRows(
            "allowances", sum(self._writer.write_row(row.delete) for row in found), "deleted"
        )

    def _delete_courier(self) -> ErasedRows:
        row = rows.find_row(CourierRow, self._person_id)
        return ErasedRows("couriers", self._writer.delete_row(row), "deleted: positions, duty")

    def _delete_courier_changes(self) -> ErasedRows:
        mine = list(CourierHistoryRow.query(self._person_id, consistent_read=True))
        done = "deleted: what dispatchers did with them"
        count = sum(self._writer.write_row(row.delete) for row in mine)
        return ErasedRows("courierhistories", count, done)

    def _redact_courier_changes(self, who: Redaction) -> ErasedRows:
        changed = 0
        for row in rows.scan_rows(CourierHistoryRow):
            before = msgspec.json.decode(row.doc, type=CourierChange)
            after = who.redact_courier_change(before)
            if row.courier_id != self._person_id and after != before:
                changed += self._writer.write_row(partial(rows.rewrite_courier_change, row, after))
        return ErasedRows("courierhistories", changed, "others': without them, and their words")

    def _stop_showing(self) -> ErasedRows:
        me = self._person_id
        shown = [
            row
            for row in rows.scan_rows(CourierRow)
            if row.shown_to == me or any(rows.is_shown_to(one, me) for one in row.others or ())
        ]
        for row in shown:
            self._writer.write_row(partial(rows.stop_showing, row, self._person_id))
        return ErasedRows("couriers", len(shown), "others': no longer shown to them")

    def _delete_mailbox(self) -> ErasedRows:
        return ErasedRows(
            "mailboxes",
            self._writer.delete_row(rows.find_row(MailboxRow, self._person_id)),
            "deleted",
        )

    def _redact_mailboxes(self, who: Redaction) -> ErasedRows:
        others = [
            row.person_id
            for row in rows.scan_rows(MailboxRow)
            if row.person_id != self._person_id and rows.redact_mailbox_head(who, row) is not None
        ]
        for id_ in others:
            self._writer.change_row(self._redact_head, who, id_)
        return ErasedRows("mailboxes", len(others), "others': without what tells about them")

    def _redact_head(self, who: Redaction, mailbox: str) -> None:
        rows.rewrite_head(who, mailbox, self._clock())

    def _delete_events(self) -> ErasedRows:
        mine = list(EventRow.query(self._person_id, consistent_read=True))
        return ErasedRows(
            "events", sum(self._writer.write_row(row.delete) for row in mine), "deleted"
        )

    def _redact_events(self, who: Redaction) -> ErasedRows:
        changed = 0
        for row in rows.scan_rows(EventRow):
            before = unpack(row.doc, tuple[Event, ...])
            after = who.redact_events(before)
            if row.person_id != self._person_id and after != before:
                changed += self._writer.write_row(partial(rows.rewrite_events, row, after))
        return ErasedRows("events", changed, "others': without what tells about them")

    def _delete_profile(self) -> ErasedRows:
        """Delete the profile, then the note: afterwards nothing leads from person to pseudonym."""
        count = self._writer.delete_row(rows.find_row(PersonRow, self._person_id))
        self._writer.write_row(partial(rows.delete_note, self._person_id))
        return ErasedRows("people", count, "deleted")
