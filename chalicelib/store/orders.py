"""Orders: one conditional write a change; one transaction where a courier is taken or let go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from uuid import uuid4

from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from chalicelib.domain.due import Due
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import Order, Status
from chalicelib.errors import CourierContended, CourierTaken, NotFound, Stale
from chalicelib.store import couriers
from chalicelib.store.clock import from_epoch_ms, to_epoch_ms
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import save_if
from chalicelib.store.failures import BUSY_REASONS, CONDITION_FAILED, read_cancellation
from chalicelib.store.shards import read_in_turns
from chalicelib.store.tables import SHARDS, OrderRow

_PAGE_SIZE = 100
_MAX_LOOKED_AT = 10


class OrderTable:
    """The orders table."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_order(self, order_id: int) -> Order:
        """Read an order, strongly consistent. Raises NotFound."""
        try:
            row = OrderRow.get(order_id, consistent_read=True)
        except DoesNotExist:
            raise NotFound("There is no such order.") from None
        return _decode_order(row)

    def commit_order(
        self, before: Order | None, after: Order, *, available_only: bool = True
    ) -> None:
        """Write `after` if the order is still `before` (None: if there is none of that id).

        Where the two occupy different couriers, one is let go and the other claimed in the same
        transaction, so that a courier never holds two orders. `available_only` False claims a
        courier who is off duty too. The courier of an order that is done is let go afterwards: it
        harms nobody if that comes later.
        A write whose answer got lost is sent again by the SDK; it finds itself done, and that is
        no race lost. (A transaction carries a token for that, which not every engine knows; so its
        conditions allow for it, too.)
        Raises Stale if the order, or the courier let go, changed meanwhile; CourierTaken if the
        courier to claim is not free; CourierContended if nothing but their row hinders it, which
        another write holds or which is throttled. Nothing is written then.
        """
        row = encode_order(after)
        unchanged: Condition = (
            OrderRow.version == before.version if before else OrderRow.order_id.does_not_exist()
        )
        unchanged |= OrderRow.commit == row.commit
        held, holds = before.occupied_courier_id if before else None, after.occupied_courier_id
        if held == holds or after.status is Status.DONE:
            save_if(row, unchanged)
            return
        self._commit_with_couriers(row, unchanged, held, holds, after, available_only)

    def _commit_with_couriers(
        self,
        row: OrderRow,
        unchanged: Condition,
        held: str | None,
        holds: str | None,
        after: Order,
        available_only: bool,
    ) -> None:
        release = couriers.make_release(held, after.id, after.updated_at) if held else None
        shown_to = after.details.customer_id if FLOWS[after.details.flow].shows_fixes else None
        claim = couriers.make_claim(holds, after.id, available_only, shown_to) if holds else None
        try:
            with TransactWrite(connection=self._connection) as write:
                write.save(row, condition=unchanged)
                for change in (claim, release):
                    if change:
                        write.update(change.row, actions=change.actions, condition=change.condition)
        except TransactWriteError as error:
            reasons = read_cancellation(error)
            if reasons is None:
                raise
            if holds and claim and not reasons[0] and reasons[1] == CONDITION_FAILED:
                raise CourierTaken(holds) from None
            if (
                holds
                and claim
                and reasons[1] in BUSY_REASONS
                and not any(reasons[:1] + reasons[2:])
            ):
                raise CourierContended(holds) from None
            raise Stale from None

    def find_newest_active(self, customer_id: str) -> Order | None:
        """The customer's newest unfinished order, or None."""
        rows = OrderRow.by_customer.query(
            customer_id, scan_index_forward=False, limit=_MAX_LOOKED_AT
        )
        for hit in islice(rows, _MAX_LOOKED_AT):
            order = self.get_order(int(hit.order_id))
            if not order.is_terminal:
                return order
        return None

    def list_open(self, pool: str, limit: int) -> list[Order]:
        """Orders that any courier of a pool may take now: those placed last, in order of age."""
        hits = OrderRow.by_pool.query(pool, scan_index_forward=False, limit=limit, page_size=limit)
        return [order for order in self._read_hits(hits) if order.is_open]

    def list_active_of_merchant(self, merchant_id: str, limit: int) -> list[Order]:
        """A merchant's unfinished orders: the longest placed, in order of age."""
        hits = OrderRow.by_merchant.query(merchant_id, limit=limit, page_size=limit)
        return [order for order in self._read_hits(hits) if not order.is_terminal]

    @staticmethod
    def _read_hits(hits: Iterable[OrderRow]) -> list[Order]:
        """The orders that an index names as they are now, the newest last."""
        ids = [int(hit.order_id) for hit in hits]
        rows = OrderRow.batch_get(ids, consistent_read=True) if ids else ()
        return sorted(map(_decode_order, rows), key=lambda order: order.id)

    def list_due(self, now: datetime) -> Iterator[Due[int]]:
        """Orders whose deadline has passed: the longest overdue of each shard first, the shards in
        turns. A shard that can't be read is raised in the end."""

        def read(shard: int) -> Iterator[Due[int]]:
            late: Condition = OrderRow.deadline_at <= to_epoch_ms(now)
            for hit in OrderRow.by_deadline.query(shard, late, page_size=_PAGE_SIZE):
                yield Due(int(hit.order_id), from_epoch_ms(hit.deadline_at))

        return read_in_turns(read)


def encode_order(order: Order) -> OrderRow:
    """An order as its row."""
    row = OrderRow(
        order_id=order.id,
        version=order.version,
        doc=pack(order),
        commit=uuid4().hex,
    )
    if not order.is_terminal:
        row.active_customer = order.details.customer_id
        row.active_merchant = order.details.merchant_id
    if order.is_open:
        row.open_pool = order.details.flow
    if order.deadline_at:
        row.deadline_shard = order.id % SHARDS
        row.deadline_at = to_epoch_ms(order.deadline_at)
    return row


def _decode_order(row: OrderRow) -> Order:
    return unpack(row.doc, Order)
