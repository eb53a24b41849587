"""Wallets, their ledgers and payouts.

A balance changes with its newest entries in one write, of the wallet; they are put into the ledger
before the next write takes them out of it.
"""

from __future__ import annotations

from itertools import islice
from uuid import uuid4

import msgspec
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, TransactWriteError
from pynamodb.transactions import TransactWrite

from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.wallets import Booking, Wallet
from chalicelib.errors import NotFound, Stale
from chalicelib.store.compression import pack, unpack
from chalicelib.store.failures import read_cancellation
from chalicelib.store.saving import save_if, save_once
from chalicelib.store.tables import LedgerRow, PayoutRow, WalletRow


class WalletTable:
    """The wallets, ledger and payouts tables."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_wallet(self, courier_id: str) -> Wallet:
        """Read a wallet, strongly consistent; an empty one where there is none yet."""
        try:
            row = WalletRow.get(courier_id, consistent_read=True)
        except DoesNotExist:
            return Wallet(courier_id)
        return unpack(row.doc, Wallet)

    def has_booking(self, wallet: Wallet, key: str) -> bool:
        """Whether something is booked in a wallet as it was read, or was before: a wallet that is
        still the same when it is written did not book it either."""
        if any(booking.key == key for booking in wallet.latest_bookings):
            return True
        try:
            LedgerRow.get(wallet.courier_id, key, consistent_read=True)
        except DoesNotExist:
            return False
        return True

    def list_bookings(self, courier_id: str, limit: int) -> list[Booking]:
        """The entries of a ledger, strongly consistent, by key, at most `limit`."""
        newest = self.get_wallet(
            courier_id
        ).latest_bookings  # first: they may be put into the ledger meanwhile
        rows = LedgerRow.query(courier_id, consistent_read=True, limit=limit)
        written = (msgspec.json.decode(row.doc, type=Booking) for row in islice(rows, limit))
        found = {booking.key: booking for booking in (*newest, *written)}
        return [found[key] for key in sorted(found)][:limit]

    def commit_wallet(self, before: Wallet, after: Wallet, payout: Payout | None = None) -> None:
        """Write `after` if the wallet is still `before`, with the payout that it is for, if any.

        A write whose answer got lost is sent again by the SDK and finds itself done, unless
        another wrote meanwhile: that is Stale, too, and whoever tries again has to look whether
        the entries are booked. Raises Stale if the wallet changed meanwhile; it, and the payout,
        are not written then.
        """
        for booking in before.latest_bookings:
            row = LedgerRow(before.courier_id, booking.key, doc=_encode_json(booking))
            save_once(row, LedgerRow.key.does_not_exist())
        unchanged = (
            WalletRow.version == before.version
            if before.version
            else WalletRow.courier_id.does_not_exist()
        )
        wallet_row = _make_wallet_row(after)
        unchanged |= WalletRow.commit == wallet_row.commit
        if payout is None:
            save_if(wallet_row, unchanged)
            return
        payout_row = _make_payout_row(payout)
        new = PayoutRow.payout_id.does_not_exist() | (PayoutRow.commit == payout_row.commit)
        try:
            with TransactWrite(connection=self._connection) as write:
                write.save(wallet_row, condition=unchanged)
                write.save(payout_row, condition=new)
        except TransactWriteError as error:
            if read_cancellation(error) is None:
                raise
            raise Stale from None

    def get_payout(self, payout_id: str) -> Payout:
        """Read a payout, strongly consistent. Raises NotFound."""
        try:
            row = PayoutRow.get(payout_id, consistent_read=True)
        except DoesNotExist:
            raise NotFound("There is no such payout.") from None
        return msgspec.json.decode(row.doc, type=Payout)

    def update_payout(self, before: Payout, after: Payout) -> None:
        """Write `after` if the payout is still `before`; sent twice, it finds itself done. Raises
        Stale."""
        row = _make_payout_row(after)
        save_if(row, (PayoutRow.version == before.version) | (PayoutRow.commit == row.commit))


def _make_wallet_row(wallet: Wallet) -> WalletRow:
    return WalletRow(
        wallet.courier_id, doc=pack(wallet), version=wallet.version, commit=uuid4().hex
    )


def _make_payout_row(payout: Payout) -> PayoutRow:
    return PayoutRow(
        payout.id, doc=_encode_json(payout), version=payout.version, commit=uuid4().hex
    )


def _encode_json(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
