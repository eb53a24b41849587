"""What becomes of a person, table by table.

Each step may be done again: it finds what is left of the person, and the same pseudonym, which is
noted before anything else is written and forgotten after everything else. So whoever was stopped,
or lost a race against the live system, runs it once more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import msgspec

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.messaging.mailboxes import REMEMBERED_FOR
from chalicelib.domain.money.payouts import PayoutStatus
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.orders.chat import Message
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Rating
from chalicelib.domain.rate_limits import LIMITS
from chalicelib.errors import PostFailed, Stale
from chalicelib.store.compression import pack, unpack
from chalicelib.store.tables import (
    AllowanceRow,
    ChatRow,
    CourierRow,
    EventRow,
    LedgerRow,
    MailboxRow,
    PersonRow,
    RatingRow,
    RoomRow,
    WalletRow,
)
from infra.erase import rows
from infra.erase.redaction import Redaction

_SETTLED_AFTER = REMEMBERED_FOR + timedelta(minutes=1)  # an order's last wakeups have run by then
_TRIES = 6
_PAUSE_S = 3.0  # a mailbox is served for seconds

Close = Callable[[str], None]
"""Closes a connection by its id. Raises PostFailed."""


class Unfinished(Exception):
    """The person can't be erased yet; the text says what must end first."""


class Busy(Exception):
    """Somebody else wrote each time: what is left is for another run."""


class Done(msgspec.Struct, frozen=True):
    """What was done to a table: to how many rows."""

    table: str
    rows: int
    what: str


class Eraser:
    """Takes a person out of every table. `close` None: sockets can't be closed from here. `dry`:
    only count. `notes` are what else is to be said, once it has run."""

    def __init__(
        self,
        person_id: str,
        close: Close | None,
        clock: Callable[[], datetime],
        sleep: Callable[[float], object],
        *,
        dry: bool = False,
    ) -> None:
        self._person_id = person_id
        self._close = close
        self._clock = clock
        self._sleep = sleep
        self._dry = dry
        self.notes: list[str] = []

    def run(self) -> Iterator[Done]:
        """Erase, a table at a time. Raises Unfinished before anything is written; Busy, and what
        DynamoDB raises, in between: then it is to be run again."""
        noted = rows.read_note(self._person_id)
        who = Redaction(self._person_id, noted or f"erased-{secrets.token_hex(6)}")
        orders = [order for order in rows.every_order() if who.owns(order)]
        self._refuse_unfinished(orders)
        self._refuse_owed()
        self._change(rows.write_note, self._person_id, who.pseudonym)
        if not self._dry:
            self.notes.append(
                f"In the books they are {who.pseudonym}, which is noted nowhere else."
            )
        who = msgspec.structs.replace(who, order_ids=frozenset(order.id for order in orders))
        yield self._delete_rooms()
        yield self._end_connections()
        yield self._redact_orders(who)
        yield self._redact_payments(who)
        yield self._redact_payouts(who)
        yield self._move_ledger(who)
        yield self._move_wallet(who)
        yield self._delete_chats(who)
        yield self._redact_ratings(who)
        yield self._delete_allowances()
        yield self._delete_courier()
        yield self._stop_showing()
        yield self._delete_mailbox()
        yield self._redact_mailboxes(who)
        yield self._delete_events()
        yield self._redact_events(who)
        yield self._delete_profile()

    def _write(self, write: Callable[[], object]) -> int:
        """Write one row, unless this only counts; how many were."""
        if not self._dry:
            write()
        return 1

    def _change(self, change: Callable[..., None], *arguments: object) -> int:
        """Change one row that is read first; again where somebody else wrote meanwhile."""
        for _ in range(1 if self._dry else _TRIES):
            try:
                return self._write(partial(change, *arguments))
            except Stale:
                self._sleep(_PAUSE_S)
        raise Busy("Somebody else wrote each time: run it again, it goes on where it was.")

    def _refuse_unfinished(self, orders: list[Order]) -> None:
        """An order that just ended counts as well: word of it, and what it earns, may be on the
        way, and would come in under the person's own name."""
        unfinished = [str(order.id) for order in orders if not order.terminal]
        if unfinished:
            raise Unfinished(f"They have orders that are not finished: {', '.join(unfinished)}.")
        settled = max((order.updated_at for order in orders), default=datetime.min) + _SETTLED_AFTER
        if orders and settled > self._clock():
            raise Unfinished(f"Their last order just ended: try again after {settled:%H:%M} UTC.")

    def _refuse_owed(self) -> None:
        owed = [
            payout.id
            for payout in rows.every_payout()
            if payout.courier_id == self._person_id and payout.status is not PayoutStatus.COMPLETED
        ]
        if owed:
            raise Unfinished(f"They have payouts that are not completed: {', '.join(owed)}.")

    def _end_connections(self) -> Done:
        """Close sockets, and let them hear nothing, even those that can't be closed."""
        mine = [one for one in rows.every_connection() if self._has(one)]
        unclosed = sum(not self._closed(one.id) for one in mine)
        for one in mine:
            self._write(partial(rows.forget, one, self._person_id))
        if unclosed:
            self.notes.append(
                f"{unclosed} sockets could not be closed. They hear nothing any more, and end "
                "within 2 hours."
            )
        return Done("connections", len(mine), "closed and deleted")

    def _has(self, connection: Connection) -> bool:
        vouched = connection.vouched.id if connection.vouched else ""
        return self._person_id in (connection.person_id, vouched)

    def _closed(self, connection_id: str) -> bool:
        if self._dry:
            return True
        if self._close is None:
            return False
        try:
            self._close(connection_id)
        except PostFailed:
            return False
        return True

    def _delete_rooms(self) -> Done:
        mine = [row for row in rows.every(RoomRow) if row.person_id == self._person_id]
        return Done("rooms", sum(self._write(row.delete) for row in mine), "deleted")

    def _redact_orders(self, who: Redaction) -> Done:
        named = [order.id for order in rows.every_order() if who.order(order) != order]
        count = sum(self._change(rows.redact_order, who, id_) for id_ in named)
        done = "kept under a pseudonym, without names, phones, addresses, coordinates, notes"
        return Done("orders", count, done)

    def _redact_payments(self, who: Redaction) -> Done:
        mine = [one for one in rows.every_payment() if one.customer_id == self._person_id]
        count = sum(self._change(rows.redact_payment, who, p.order_id, p.attempt) for p in mine)
        return Done("payments", count, "kept under the pseudonym, without the payer's UPI id")

    def _redact_payouts(self, who: Redaction) -> Done:
        mine = [one.id for one in rows.every_payout() if one.courier_id == self._person_id]
        count = sum(self._change(rows.redact_payout, who, id_) for id_ in mine)
        return Done("payouts", count, "kept under the pseudonym, without the account")

    def _move_ledger(self, who: Redaction) -> Done:
        """A ledger's key is the person: each entry is written under the pseudonym, then deleted."""
        entries = list(LedgerRow.query(self._person_id, consistent_read=True))
        for entry in entries:
            self._write(LedgerRow(who.pseudonym, entry.key, doc=entry.doc).save)
            self._write(entry.delete)
        return Done("ledger", len(entries), "kept under the pseudonym")

    def _move_wallet(self, who: Redaction) -> Done:
        row = rows.find(WalletRow, self._person_id)
        if row is None:
            return Done("wallets", 0, "kept under the pseudonym")
        wallet = unpack(row.doc, Wallet)
        moved = pack(who.wallet(wallet))
        kept = {"version": row.version, "commit": row.commit}
        self._write(WalletRow(who.pseudonym, doc=moved, **kept).save)
        self._write(row.delete)
        if wallet.balance_minor:
            self.notes.append(
                f"A balance of {wallet.balance_minor} (minor units) was not paid out."
            )
        return Done("wallets", 1, "kept under the pseudonym")

    def _delete_chats(self, who: Redaction) -> Done:
        mine = [
            row
            for row in rows.every(ChatRow)
            if who.speaks(msgspec.json.decode(row.doc, type=Message))
        ]
        done = "deleted, both sides of their conversations"
        return Done("chats", sum(self._write(row.delete) for row in mine), done)

    def _redact_ratings(self, who: Redaction) -> Done:
        changed = 0
        for row in rows.every(RatingRow):
            before = msgspec.json.decode(row.doc, type=Rating)
            after = who.rating(before)
            if after != before:
                row.doc = rows.text(after)
                changed += self._write(row.save)
        return Done("ratings", changed, "kept under the pseudonym, without the words")

    def _delete_allowances(self) -> Done:
        names = [f"{limit}#{self._person_id}" for limit in LIMITS]
        found = [row for row in (rows.find(AllowanceRow, name) for name in names) if row]
        return Done("allowances", sum(self._write(row.delete) for row in found), "deleted")

    def _delete_courier(self) -> Done:
        row = rows.find(CourierRow, self._person_id)
        return Done("couriers", self._delete(row), "deleted: positions, duty")

    def _stop_showing(self) -> Done:
        shown = [row for row in rows.every(CourierRow) if row.shown_to == self._person_id]
        for row in shown:
            self._write(partial(rows.stop_showing, row, self._person_id))
        return Done("couriers", len(shown), "others': no longer shown to them")

    def _delete_mailbox(self) -> Done:
        return Done("mailboxes", self._delete(rows.find(MailboxRow, self._person_id)), "deleted")

    def _redact_mailboxes(self, who: Redaction) -> Done:
        others = [
            row.person_id
            for row in rows.every(MailboxRow)
            if row.person_id != self._person_id and rows.head_without(who, row) is not None
        ]
        for id_ in others:
            self._change(self._redact_head, who, id_)
        return Done("mailboxes", len(others), "others': without what tells about them")

    def _redact_head(self, who: Redaction, mailbox: str) -> None:
        rows.redact_head(who, mailbox, self._clock())

    def _delete_events(self) -> Done:
        mine = list(EventRow.query(self._person_id, consistent_read=True))
        return Done("events", sum(self._write(row.delete) for row in mine), "deleted")

    def _redact_events(self, who: Redaction) -> Done:
        changed = 0
        for row in rows.every(EventRow):
            before = unpack(row.doc, tuple[Event, ...])
            after = who.events(before)
            if row.person_id != self._person_id and after != before:
                changed += self._write(partial(rows.put_back, row, after))
        return Done("events", changed, "others': without what tells about them")

    def _delete_profile(self) -> Done:
        """Last, with the note: after that nothing leads from the person to the pseudonym."""
        count = self._delete(rows.find(PersonRow, self._person_id))
        self._write(partial(rows.delete_note, self._person_id))
        return Done("people", count, "deleted")

    def _delete(self, row: PersonRow | MailboxRow | CourierRow | None) -> int:
        return self._write(row.delete) if row is not None else 0
