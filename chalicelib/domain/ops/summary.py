"""Summaries: what of an order is counted, once it has ended.

A summary is kept with the order's row in its list, so that a day's figures are read with the list.
It is a hint: where there is none, or none yet, the order says the same itself.
"""

from __future__ import annotations

import msgspec

from chalicelib.domain.orders.model import Status


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
