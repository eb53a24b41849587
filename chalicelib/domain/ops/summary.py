"""Summaries: what of an order is counted, once it has ended.

A summary is kept with the order's row in its list, so that a day's figures are read with the list.
It is a hint: where there is none, or none yet, the order says the same itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import msgspec

from chalicelib.domain.ops.board import find_active_since
from chalicelib.domain.ops.promises import was_on_time
from chalicelib.domain.ops.zones import find_zone
from chalicelib.domain.orders.changes import Change, measure_ms_between
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.offer_tally import OfferTally, tally_offers
from chalicelib.domain.orders.tips import get_end_time, had_courier
from chalicelib.domain.orders.tracked import REACHED

_AT_PICKUP, _IN_TRANSIT = Status.AT_PICKUP.value, Status.IN_TRANSIT.value
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class OrderSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of an order is counted. Times are epoch ms: it is kept by the thousand.

    `started_ms` is when it became active. `end` None: it has not ended. `offers` are all that were
    made, and the next three those of them that were answered, or lapsed. `on_time` None: nothing
    was promised, or nobody can tell.
    """

    flow: str = msgspec.field(name="f")
    started_ms: int = msgspec.field(name="s")
    end: Status | None = msgspec.field(default=None, name="e")
    ended_ms: int | None = msgspec.field(default=None, name="t")
    zone: str | None = msgspec.field(default=None, name="z")
    merchant_id: str | None = msgspec.field(default=None, name="m")
    reason: str | None = msgspec.field(default=None, name="r")
    first_offer_ms: int | None = msgspec.field(default=None, name="o")
    assign_ms: int | None = msgspec.field(default=None, name="a")
    offers: int = msgspec.field(default=0, name="n")
    accepted: int = msgspec.field(default=0, name="y")
    declined: int = msgspec.field(default=0, name="d")
    ignored: int = msgspec.field(default=0, name="i")
    pickup_wait_s: int | None = msgspec.field(default=None, name="p")
    door_wait_s: int | None = msgspec.field(default=None, name="w")
    on_time: bool | None = msgspec.field(default=None, name="k")

    @property
    def is_unserved(self) -> bool:
        """True where nobody was found."""
        return self.end is Status.UNSERVED


class ListedOrder(msgspec.Struct, frozen=True):
    """A row of a list: an order's id, and its summary, once there is one."""

    order_id: int
    summary: OrderSummary | None = None


def summarize_order(
    order: Order, changes: Sequence[Change], resolution: int, now: datetime
) -> OrderSummary:
    """Summarize an order, as far as it has come. `changes` are its history, or what is at hand of
    it: without any the order's own times say some of that. `resolution` is that of the zones."""
    tally = tally_offers(changes) if changes else _guess_tally(order)
    is_over = order.is_terminal
    wanted_ms = tally.wanted_at_ms
    return OrderSummary(
        flow=order.details.flow,
        started_ms=measure_ms_between(_EPOCH, find_active_since(order)),
        end=order.status if is_over else None,
        ended_ms=measure_ms_between(_EPOCH, get_end_time(order)) if is_over else None,
        zone=find_zone(order.details.pickup.point, resolution),
        merchant_id=order.details.merchant_id,
        reason=order.reason.code if is_over and order.reason else None,
        first_offer_ms=_measure(wanted_ms, tally.first_at_ms),
        assign_ms=_measure(wanted_ms, tally.taken_at_ms),
        offers=tally.offers,
        accepted=tally.accepted,
        declined=tally.declined,
        ignored=tally.ignored,
        pickup_wait_s=_measure_wait(order, _AT_PICKUP, (_IN_TRANSIT,)),
        door_wait_s=_measure_wait(order, REACHED, (Status.RETURNING.value,)),
        on_time=was_on_time(order, now),
    )


def _guess_tally(order: Order) -> OfferTally:
    """Count the offers of an order whose history is not at hand."""
    accepted = int(had_courier(order)) if order.is_terminal else int(order.courier is not None)
    offers = max(order.offers_made, int(bool(order.offered_to)), accepted)
    return OfferTally(offers=offers, accepted=accepted)


def _measure(start_ms: int | None, end_ms: int | None) -> int | None:
    return None if start_ms is None or end_ms is None else max(0, end_ms - start_ms)


def _measure_wait(order: Order, came: str, left: tuple[str, ...]) -> int | None:
    """Measure the seconds that a courier was at a stop; None where they were not, or still are."""
    start = order.timeline.get(came)
    ends = [order.timeline[name] for name in left if name in order.timeline]
    if order.is_terminal:
        ends.append(get_end_time(order))
    after = [at for at in ends if start and at >= start]
    return round((min(after) - start).total_seconds()) if start and after else None
