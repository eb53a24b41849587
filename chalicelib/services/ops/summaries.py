"""Summaries are kept as orders end: by the relay wakeup of the version that ends one.

The writer of that version need not wait for it, and may die: the wakeup was on the queue before.
"""

from __future__ import annotations

from chalicelib.domain.events import Outbox
from chalicelib.domain.ops.summary import summarize_order
from chalicelib.domain.orders.listing import name_home_list
from chalicelib.domain.orders.model import Order
from chalicelib.services.dispatch.history_archive import HistoryArchive
from chalicelib.services.ports import Clock, ListingStore


class Summaries:
    """Keeps summaries. `zone_resolution` is that of the zones' cells."""

    def __init__(
        self,
        listings: ListingStore,
        archive: HistoryArchive,
        zone_resolution: int,
        clock: Clock,
    ) -> None:
        self._listings = listings
        self._archive = archive
        self._resolution = zone_resolution
        self._clock = clock

    def summarize_end(self, outbox: Outbox) -> None:
        """Keep the summary of the order whose outbox this is, if it has ended: one write, and half
        a read of its history. Again it writes the same. What nobody knew of is not counted."""
        order = outbox.aggregate
        if not isinstance(order, Order) or not order.is_terminal or order.is_dormant:
            return
        history = self._archive.read_history_eventually(order)
        summary = summarize_order(order, history.changes, self._resolution, self._clock())
        self._listings.save_summary(name_home_list(order), order.id, summary)
