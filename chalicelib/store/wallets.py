"""Wallets, their ledgers and payouts: a balance changes with its entries, in one transaction."""

from __future__ import annotations

from itertools import islice

import msgspec
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PutError, TransactWriteError
from pynamodb.transactions import TransactWrite

from chalicelib.domain.payouts import Payout
from chalicelib.domain.wallets import Booking, Change, Wallet
from chalicelib.errors import NotFound, Stale
from chalicelib.store.failures import cancelled, lost_race
from chalicelib.store.tables import LedgerRow, PayoutRow, WalletRow


class Wallets:
    """The wallets, ledger and payouts tables."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, courier_id: str) -> Wallet:
        """Read a wallet, strongly consistent; an empty one where there is none yet."""
        try:
            row = WalletRow.get(courier_id, consistent_read=True)
        except DoesNotExist:
            return Wallet(courier_id)
        return msgspec.json.decode(row.doc, type=Wallet)

    def has(self, courier_id: str, key: str) -> bool:
        """Whether something is booked, strongly consistent."""
        try:
            LedgerRow.get(courier_id, key, consistent_read=True)
        except DoesNotExist:
            return False
        return True

    def bookings(self, courier_id: str, limit: int) -> list[Booking]:
        """The entries of a ledger, strongly consistent, by key, at most `limit`."""
        rows = LedgerRow.query(courier_id, consistent_read=True, limit=limit)
        return [msgspec.json.decode(row.doc, type=Booking) for row in islice(rows, limit)]

    def book(self, before: Wallet, change: Change, payout: Payout | None = None) -> None:
        """Write a change of the wallet `before`, with the payout that it is for, if any.

        Raises Stale if the wallet changed meanwhile or one of the bookings is there already;
        nothing is written then.
        """
        unchanged = (
            WalletRow.version == before.version
            if before.version
            else WalletRow.courier_id.does_not_exist()
        )
        try:
            with TransactWrite(connection=self._connection) as write:
                write.save(_wallet_row(change.wallet), condition=unchanged)
                for booking in change.bookings:
                    write.save(
                        LedgerRow(before.courier_id, booking.key, doc=_json(booking)),
                        condition=LedgerRow.key.does_not_exist(),
                    )
                if payout:
                    write.save(_payout_row(payout), condition=PayoutRow.payout_id.does_not_exist())
        except TransactWriteError as error:
            if cancelled(error) is None:
                raise
            raise Stale from None

    def payout(self, payout_id: str) -> Payout:
        """Read a payout, strongly consistent. Raises NotFound."""
        try:
            row = PayoutRow.get(payout_id, consistent_read=True)
        except DoesNotExist:
            raise NotFound("There is no such payout.") from None
        return msgspec.json.decode(row.doc, type=Payout)

    def update_payout(self, before: Payout, after: Payout) -> None:
        """Write `after` if the payout is still `before`. Raises Stale."""
        try:
            _payout_row(after).save(condition=PayoutRow.version == before.version)
        except PutError as error:
            if lost_race(error):
                raise Stale from None
            raise


def _wallet_row(wallet: Wallet) -> WalletRow:
    return WalletRow(wallet.courier_id, doc=_json(wallet), version=wallet.version)


def _payout_row(payout: Payout) -> PayoutRow:
    return PayoutRow(payout.id, doc=_json(payout), version=payout.version)


def _json(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
