"""Counts what orders' commits mean for the figures."""

from __future__ import annotations

from chalicelib.domain.measures import ENDS, Sample, Zones
from chalicelib.domain.orders.measuring import label_end, measure_commit
from chalicelib.domain.orders.model import Order
from chalicelib.services.ports import RecordSample


class OrderMeter:
    """Records each commit's samples. It writes and sends nothing: who dies before they are printed
    has counted nothing, and who repeats has committed nothing to count."""

    def __init__(self, record: RecordSample, zones: Zones) -> None:
        self._record = record
        self._zones = zones

    def on_committed(self, before: Order | None, after: Order) -> None:
        """Record what a commit adds to the figures."""
        place: dict[str, str] = {}
        for metric, value in measure_commit(before, after):
            if not place:
                pickup = after.details.pickup.point
                place = {"flow": after.details.flow, "zone": self._zones.name_zone(pickup)}
            end = label_end(after) if metric is ENDS else {}
            self._record(Sample(metric, value, {**place, **end}))
