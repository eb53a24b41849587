"""Orders: one conditional write a change, in a transaction where it takes or releases couriers.

Where an order occupies other couriers than before, some are released and others claimed in the same
transaction, so that a courier never has too many (courier_claims.py). The courier of an order that
is done is released afterwards: it harms nobody if that comes later.

A write whose answer got lost is sent again by the SDK; it finds itself done, and that is no race
lost. (A transaction carries a token for that, which not every engine knows; so its conditions allow
for it, too.)

The keys that an order names are written with it, and only if its `unpaid_attempt` has not begun:
whoever begins to pay looks at the order's version in the same way, so that a price and what is paid
of it never change side by side.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import uuid4

from msgspec.structs import replace
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from chalicelib.domain.due import Due
from chalicelib.domain.events import name_order_stream
from chalicelib.domain.messaging.mailboxes import PlannedLease
from chalicelib.domain.ops.zones import name_search_pool
from chalicelib.domain.orders.acceptance import find_answer
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import HeldOrder
from chalicelib.errors import NotFound
from chalicelib.store.clock import from_epoch_ms, to_epoch_ms
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import RowUpdate, save_if, transaction
from chalicelib.store.courier_claims import Claim, make_claim, make_release
from chalicelib.store.courier_histories import make_history_row
from chalicelib.store.failures import read_cancellation
from chalicelib.store.keys import make_key_put
from chalicelib.store.listings import ListingWriter
from chalicelib.store.mailboxes import make_lease_update
from chalicelib.store.order_parts import OrderParts, ReleasesRefused
from chalicelib.store.shards import is_due, read_in_turns
from chalicelib.store.tables import SHARDS, OrderRow

log = logging.getLogger(__name__)

KEPT_FOR = timedelta(days=400)
HISTORY_KEPT_FOR = timedelta(days=90)
_PAGE_SIZE = 100
_MAX_LOOKED_AT = 10


class OrderTable:
    """The orders table. An order that has ended is kept for `kept_for`, and what a hand did with a
    courier for `history_kept_for`; a courier has `max_orders` at once at most.
    Orders that search are listed by zones of `batch_resolution`, where they are matched at once.
    With `notes_answers` couriers' rows have when they were asked and how they answered."""

    def __init__(
        self,
        connection: Connection,
        kept_for: timedelta = KEPT_FOR,
        history_kept_for: timedelta = HISTORY_KEPT_FOR,
        max_orders: int = 1,
        batch_resolution: int | None = None,
        notes_answers: bool = False,
    ) -> None:
        self._connection = connection
        self._history_kept_for = history_kept_for
        self._kept_for = kept_for
        self._max_orders = max_orders
        self._batch_resolution = batch_resolution
        self._notes_answers = notes_answers
        self._listings = ListingWriter(kept_for)

    def get_order(self, order_id: int) -> Order:
        """Read an order, strongly consistent. Raises NotFound."""
        return self._read_order(order_id, is_consistent=True)

    def get_order_eventually(self, order_id: int) -> Order:
        """Read an order as it was a moment ago, for half the price. Raises NotFound."""
        return self._read_order(order_id, is_consistent=False)

    @staticmethod
    def _read_order(order_id: int, is_consistent: bool) -> Order:
        try:
            row = OrderRow.get(order_id, consistent_read=is_consistent)
        except DoesNotExist:
            raise NotFound("There is no such order.") from None
        return _decode_order(row)

    def add_to_lists(self, stored: Order | None, order: Order) -> None:
        """Put an order that is about to be committed into the lists in which it is not yet. Raises
        Unavailable; the order must not be committed then (store/listings.py says why)."""
        self._listings.add_order(stored, order)

    def commit_order(
        self,
        stored: Order | None,
        order: Order,
        *,
        available_only: bool = True,
        lease: PlannedLease | None = None,
    ) -> bool:
        """Write `order` if it is still `stored` in the table (None: if there is none of that id).

        `available_only` False claims couriers who are off duty, too. `lease` is taken with the
        write, where that is a transaction and the lease can be taken; returns whether it was. It
        never hinders the order.

        Raises Stale if the order, the attempt or the courier released changed meanwhile; KeyTaken
        if one of its keys is used; CourierTaken with those of the couriers to claim who are not
        free; CourierContended if nothing but rows of such couriers hinder it, which another write
        holds or which are throttled. Nothing is written then.
        """
        row = encode_order(order, self._kept_for, self._batch_resolution)
        is_unchanged: Condition = (
            OrderRow.version == stored.version if stored else OrderRow.order_id.does_not_exist()
        )
        is_unchanged |= OrderRow.commit == row.commit
        if _is_alone(stored, order):
            save_if(row, is_unchanged)
            return False
        parts = self._make_parts(row, is_unchanged, stored, order, available_only)
        if lease and self._commit_together(parts, make_lease_update(lease)):
            return True
        try:
            self._commit_together(parts)
        except ReleasesRefused as error:
            if parts.claims or order.status is not Status.ACCEPTED:
                raise
            # Who has accepted must not lose an order as others were asked for it as well: these
            # are released after it (services/dispatch/courier_releaser.py).
            self._commit_together(parts.without(error.releases))
        return False

    def _make_parts(
        self,
        row: OrderRow,
        is_unchanged: Condition,
        stored: Order | None,
        order: Order,
        available_only: bool,
    ) -> OrderParts:
        """Make the parts of the transaction that writes an order. Reads the rows of the couriers
        whom it lets go, and of those it takes where they may have several orders."""
        now, stream = order.updated_at, name_order_stream(order.id)
        changes = order.courier_changes
        return OrderParts(
            row,
            is_unchanged,
            [make_key_put(key, stream, now, row.commit) for key in order.keys],
            self._make_claims(stored, order, available_only),
            self._make_releases(stored, order),
            order.unpaid_attempt,
            [make_history_row(change, self._history_kept_for) for change in changes],
            may_be_behind=self._max_orders > 1,
        )

    def _make_claims(
        self, stored: Order | None, order: Order, available_only: bool
    ) -> list[RowUpdate]:
        """Make the claims of the couriers whom an order takes."""
        before = stored.occupied_ids if stored else ()
        asked_at = order.updated_at if self._notes_answers and order.offer else None
        return [
            _make_claim(order, id_, available_only, self._max_orders, asked_at)
            for id_ in order.occupied_ids
            if id_ not in before
        ]

    def _make_releases(self, stored: Order | None, order: Order) -> list[RowUpdate]:
        """Make the releases of the couriers whom an order lets go, if it occupies them still."""
        now, most = order.updated_at, self._max_orders
        releases = (
            make_release(id_, order.id, now, most, self._find_answer(stored, order, id_))
            for id_ in (stored.occupied_ids if stored else ())
            if id_ not in order.occupied_ids
        )
        return [release for release in releases if release]

    def _find_answer(self, stored: Order | None, order: Order, courier_id: str) -> bool | None:
        return find_answer(stored, order, courier_id) if self._notes_answers else None

    def release_left(self, courier_id: str, order: Order, now: datetime) -> bool:
        """Release a courier whom an order left occupied that is another's by now; return whether
        that was done. Only while the order is as it was read, so that it does not occupy them
        anew. Raises Stale."""
        release = make_release(courier_id, order.id, now, self._max_orders)
        if release is None or courier_id in order.occupied_ids:
            return False
        with transaction(self._connection) as write:
            write.condition_check(OrderRow, order.id, condition=OrderRow.version == order.version)
            release.add_to(write)
        return True

    def _commit_together(self, parts: OrderParts, lease: RowUpdate | None = None) -> bool:
        """Write an order, what belongs to it, and a mailbox's lease in one transaction. Returns
        False, and nothing is written, if nothing but the lease hinders it. Raises as commit_order
        does."""
        try:
            with TransactWrite(connection=self._connection) as write:
                parts.add_to(write)
                if lease:
                    lease.add_to(write)
        except TransactWriteError as error:
            reasons = read_cancellation(error)
            if reasons is None:
                raise
            if lease and not any(reasons[:-1]):
                return False
            raise parts.explain_refusal(reasons[:-1] if lease else reasons) from None
        return True

    def find_newest_active(self, customer_id: str) -> Order | None:
        """Read a customer's newest unfinished order; None if there is none."""
        rows = OrderRow.by_customer.query(
            customer_id, scan_index_forward=False, limit=_MAX_LOOKED_AT
        )
        for hit in islice(rows, _MAX_LOOKED_AT):
            order = self.get_order(int(hit.order_id))
            if not order.is_terminal:
                return order
        return None

    def list_open(self, pool: str, limit: int) -> list[Order]:
        """List orders that any courier of a pool may take: those placed last, the newest last."""
        hits = OrderRow.by_pool.query(pool, scan_index_forward=False, limit=limit, page_size=limit)
        return [order for order in self._read_hits(hits) if order.is_open]

    def list_searching(self, pool: str, limit: int) -> list[Order]:
        """List orders that search for couriers in a zone, a moment behind: those placed first."""
        hits = OrderRow.by_pool.query(pool, limit=limit, page_size=limit)
        return [order for order in self._read_hits(hits) if order.is_sought]

    def list_active_of_merchant(self, merchant_id: str, limit: int) -> list[Order]:
        """List a merchant's unfinished orders: those placed first, the newest last."""
        hits = OrderRow.by_merchant.query(merchant_id, limit=limit, page_size=limit)
        return [order for order in self._read_hits(hits) if not order.is_terminal]

    def read_listed(
        self, ids: Sequence[int], now: datetime, is_consistent: bool = True
    ) -> list[Order]:
        """Read the orders of these ids that there are, strongly consistent unless that is not
        needed, in no order. Those that have expired are left out, which DynamoDB deletes some days
        late, and so are those that can't be read."""
        rows = OrderRow.batch_get(ids, consistent_read=is_consistent) if ids else ()
        live = (row for row in rows if row.expires is None or row.expires > now.timestamp())
        return [order for order in map(_try_decode, live) if order is not None]

    @staticmethod
    def _read_hits(hits: Iterable[OrderRow]) -> list[Order]:
        """Read the orders that an index names, as they are now, the newest last. Those that can't
        be read are left out."""
        ids = [int(hit.order_id) for hit in hits]
        rows = OrderRow.batch_get(ids, consistent_read=True) if ids else ()
        found = [order for order in map(_try_decode, rows) if order is not None]
        return sorted(found, key=lambda order: order.id)

    def list_due(self, now: datetime, since: datetime | None = None) -> Iterator[Due[int]]:
        """Yield orders whose deadline has passed, since a time if one is given: the longest overdue
        of each shard first, the shards in turns. Raises in the end what a shard raised that can't
        be read."""
        late = is_due(OrderRow.deadline_at, now, since)

        def read(shard: int) -> Iterator[Due[int]]:
            for hit in OrderRow.by_deadline.query(shard, late, page_size=_PAGE_SIZE):
                yield Due(int(hit.order_id), from_epoch_ms(hit.deadline_at))

        return read_in_turns(read)


def _is_alone(stored: Order | None, order: Order) -> bool:
    """Say whether an order's row is all that its write concerns: it needs no transaction then. The
    courier of an order that is done is released after it."""
    before = stored.occupied_ids if stored else ()
    keeps_couriers = set(before) == {*order.occupied_ids} or order.status is Status.DONE
    has_others = order.keys or order.courier_changes or order.unpaid_attempt is not None
    return keeps_couriers and not has_others


def _make_claim(
    order: Order,
    courier_id: str,
    available_only: bool,
    max_orders: int,
    asked_at: datetime | None,
) -> RowUpdate:
    shows_fixes = FLOWS[order.details.flow].shows_fixes
    visible_to = order.details.customer_id if shows_fixes else None
    held = HeldOrder(order.id, visible_to)
    return make_claim(Claim(courier_id, held, available_only, max_orders, asked_at))


def encode_order(
    order: Order, kept_for: timedelta = KEPT_FOR, batch_resolution: int | None = None
) -> OrderRow:
    """Write an order as its row. Indexes have it only while an attribute of theirs is there, and it
    expires only once it has ended: a retry of an unserved order takes that back."""
    row = OrderRow(
        order_id=order.id,
        version=order.version,
        # The keys and changes are rows of their own; neither they nor the attempt are of use later.
        doc=pack(replace(order, keys=(), unpaid_attempt=None, courier_changes=())),
        commit=uuid4().hex,
    )
    if not order.is_terminal and order.status is not Status.SCHEDULED:
        row.active_customer = order.details.customer_id
        row.active_merchant = order.details.merchant_id
    if order.is_open:
        row.open_pool = order.details.flow
    elif order.is_sought and batch_resolution is not None:
        details = order.details
        row.open_pool = name_search_pool(details.flow, details.pickup.point, batch_resolution)
    if order.deadline_at:
        row.deadline_shard = order.id % SHARDS
        row.deadline_at = to_epoch_ms(order.deadline_at)
    if order.is_terminal:
        row.expires = int((order.updated_at + kept_for).timestamp())
    return row


def _decode_order(row: OrderRow) -> Order:
    return unpack(row.doc, Order)


def _try_decode(row: OrderRow) -> Order | None:
    """Decode a row; None where it is not to be read. One such row must not hide all others."""
    try:
        return _decode_order(row)
    except Exception:  # whatever is wrong with it
        log.exception("parked: order %d can't be read", row.order_id)
        return None
