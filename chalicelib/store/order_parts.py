"""What is written with an order in one transaction, and what its refusal means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from chalicelib.errors import CourierContended, CourierTaken, KeyTaken, Stale
from chalicelib.store.conditional import RowUpdate
from chalicelib.store.failures import BUSY_REASONS, CONDITION_FAILED
from chalicelib.store.keys import KeyPut
from chalicelib.store.tables import CourierHistoryRow, OrderRow, PaymentRow


class ReleasesRefused(Stale):
    """Nothing hinders a commit but the rows of couriers whom it lets go."""

    def __init__(self, releases: Sequence[RowUpdate]) -> None:
        super().__init__()
        self.releases = releases


class OrderParts(NamedTuple):
    """What is written with an order in one transaction: its row, its keys, the couriers it takes,
    those it lets go, what a hand did with them; and the attempt to pay that must not be there. A
    claim `may_be_behind` where it rests on the orders that its courier had when they were read."""

    row: OrderRow
    is_unchanged: Condition
    keys: Sequence[KeyPut]
    claims: Sequence[RowUpdate]
    releases: Sequence[RowUpdate]
    unpaid_attempt: int | None
    changes: Sequence[CourierHistoryRow] = ()
    may_be_behind: bool = False

    def add_to(self, write: TransactWrite) -> None:
        """Make these the parts of a transaction."""
        if self.unpaid_attempt is not None:
            is_unpaid: Condition = PaymentRow.order_id.does_not_exist()
            write.condition_check(
                PaymentRow, self.row.order_id, self.unpaid_attempt, condition=is_unpaid
            )
        write.save(self.row, condition=self.is_unchanged)
        for key in self.keys:
            key.add_to(write)
        for change in self.changes:
            write.save(change)
        for update in (*self.claims, *self.releases):
            update.add_to(write)

    def without(self, releases: Sequence[RowUpdate]) -> OrderParts:
        """Return the parts without some of the releases."""
        left = {id(one) for one in releases}
        return self._replace(releases=[one for one in self.releases if id(one) not in left])

    def explain_refusal(self, reasons: list[str]) -> Exception:
        """Tell from the reason of each part ("": it was fine) what the caller does next. pynamodb
        sends them in this order: checks, puts, updates."""
        checks = 0 if self.unpaid_attempt is None else 1
        end_of_puts = checks + 1 + len(self.keys) + len(self.changes)
        of_puts, of_couriers = reasons[checks:end_of_puts], reasons[end_of_puts:]
        if CONDITION_FAILED in of_puts[1:]:
            return KeyTaken()
        of_claims, of_releases = (
            of_couriers[: len(self.claims)],
            of_couriers[len(self.claims) :],
        )
        if any(reasons[:checks]) or any(of_puts):
            return Stale()
        if not any(of_claims):
            hindered = zip(self.releases, of_releases, strict=True)
            return ReleasesRefused([release for release, reason in hindered if reason])
        named = [
            (str(claim.row.courier_id), reason)
            for claim, reason in zip(self.claims, of_claims, strict=True)
        ]
        if taken := [id_ for id_, reason in named if reason == CONDITION_FAILED]:
            # Where another order was quicker, there may be room yet.
            return CourierContended(*taken) if self.may_be_behind else CourierTaken(*taken)
        if any(of_releases):
            return Stale()
        return CourierContended(*(id_ for id_, reason in named if reason in BUSY_REASONS))
