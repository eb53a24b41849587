"""A courier's ledger, as only tests read it: whole."""

from __future__ import annotations

from itertools import islice

import msgspec

from chalicelib.domain.money.wallets import Booking
from chalicelib.store.tables import LedgerRow
from chalicelib.store.wallets import WalletTable


def list_bookings(wallets: WalletTable, courier_id: str, limit: int) -> list[Booking]:
    """List the bookings of a courier, strongly consistent, by key, at most `limit`."""
    # The wallet first: its latest bookings may become rows of the ledger meanwhile.
    newest = wallets.get_wallet(courier_id).latest_bookings
    rows = LedgerRow.query(courier_id, consistent_read=True, limit=limit)
    stored = (msgspec.json.decode(row.doc, type=Booking) for row in islice(rows, limit))
    found = {booking.key: booking for booking in (*newest, *stored)}
    return [found[key] for key in sorted(found)][:limit]
