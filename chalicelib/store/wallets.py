"""Wallets, their ledgers and payouts.

A balance changes together with its newest bookings in one write, of the wallet: they are a part of
the wallet's document first. The next write of the wallet takes them out of it, and only once they
are rows of the ledger. So a wallet and its ledger agree whoever dies between two writes, and the
usual write is one row and no transaction.
"""

from __future__ import annotations

from uuid import uuid4

import msgspec
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.request_keys import RequestKey
from chalicelib.errors import NotFound
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import save_if, save_once, transaction
from chalicelib.store.decoding import decode_json
from chalicelib.store.keys import make_key_put
from chalicelib.store.tables import LedgerRow, PayoutRow, WalletRow


class WalletTable:
    """Reads and writes the wallets, ledger and payouts tables."""

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
        """Tell whether a key is booked in a wallet as it was read, or was before.

        The wallet must be read first and the ledger after it. A booking that is in neither was not
        made before the read; one that is made after it changes the wallet's version, so that
        whoever writes on the strength of this answer fails with Stale.
        """
        if any(booking.key == key for booking in wallet.latest_bookings):
            return True
        try:
            LedgerRow.get(wallet.courier_id, key, consistent_read=True)
        except DoesNotExist:
            return False
        return True

    def commit_wallet(
        self,
        before: Wallet,
        after: Wallet,
        payout: Payout | None = None,
        key: RequestKey | None = None,
    ) -> None:
        """Write `after` if the wallet is still `before`, with the payout that it is for, if any,
        and the key of the request for that.

        Raises Stale if the wallet changed meanwhile, or the key is used; then none is written. It
        is Stale as well if this write was done, its answer got lost, and another wrote before the
        SDK sent it again: whoever tries again has to look first whether the bookings are there.
        """
        # The order matters: `after` no longer has these bookings, so they must be rows by then.
        self._move_to_ledger(before)
        wallet_row = _make_wallet_row(after)
        if payout is None:
            save_if(wallet_row, _is_wallet(before, wallet_row))
            return
        payout_row = _make_payout_row(payout)
        is_new = PayoutRow.payout_id.does_not_exist() | (PayoutRow.commit == payout_row.commit)
        with transaction(self._connection) as write:
            write.save(wallet_row, condition=_is_wallet(before, wallet_row))
            write.save(payout_row, condition=is_new)
            if key:
                now = payout.requested_at
                make_key_put(key, payout.outbox.stream, now, payout_row.commit).add_to(write)

    @staticmethod
    def _move_to_ledger(wallet: Wallet) -> None:
        """Make ledger rows of a wallet's latest bookings. Whoever did so before wrote the same."""
        for booking in wallet.latest_bookings:
            row = LedgerRow(wallet.courier_id, booking.key, doc=_encode_json(booking))
            save_once(row, LedgerRow.key.does_not_exist())

    def get_payout(self, payout_id: str) -> Payout:
        """Read a payout, strongly consistent. Raises NotFound."""
        try:
            row = PayoutRow.get(payout_id, consistent_read=True)
        except DoesNotExist:
            raise NotFound("There is no such payout.") from None
        return decode_json(row.doc, Payout)

    def update_payout(self, before: Payout, after: Payout) -> None:
        """Write `after` if the payout is still `before`. Raises Stale."""
        row = _make_payout_row(after)
        save_if(row, (PayoutRow.version == before.version) | (PayoutRow.commit == row.commit))


def _is_wallet(before: Wallet, row: WalletRow) -> Condition:
    """Make the condition that the table has `before` still, or this very row already."""
    is_before: Condition = (
        WalletRow.version == before.version
        if before.version
        else WalletRow.courier_id.does_not_exist()
    )
    is_mine: Condition = WalletRow.commit == row.commit
    either: Condition = is_before | is_mine
    return either


def _make_wallet_row(wallet: Wallet) -> WalletRow:
    return WalletRow(
        wallet.courier_id, doc=pack(wallet), version=wallet.version, commit=uuid4().hex
    )


def _make_payout_row(payout: Payout) -> PayoutRow:
    doc = _encode_json(payout)
    return PayoutRow(payout.id, doc=doc, version=payout.version, commit=uuid4().hex)


def _encode_json(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
