"""Tips: a customer gives the courier something when the order is over."""

from __future__ import annotations

from secrets import token_urlsafe

from msgspec.structs import replace

from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.tip import Tip
from chalicelib.domain.orders.tips import add_tip, find_tip
from chalicelib.domain.people import Actor
from chalicelib.domain.request_keys import RequestKey
from chalicelib.errors import NotFound
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.ports import Clock
from chalicelib.services.request_keys import RequestKeys


class Tips:
    """Takes tips. A tip is written with its order; the wallet follows (services/money/debts.py)."""

    def __init__(self, writer: OrderWriter, keys: RequestKeys, clock: Clock) -> None:
        self._writer = writer
        self._keys = keys
        self._clock = clock

    def tip_order(
        self, actor: Actor, order_id: int, amount_minor: int, key: RequestKey | None
    ) -> tuple[Order, bool]:
        """Tip the courier of one's own order; return the order, and whether the same request had
        done so before. Without a key each call is a tip of its own.

        Raises NotFound, KeyReused, and what add_tip raises.
        """
        tip = Tip(amount_minor, token_urlsafe(9), key.name if key else None)

        def change(stored: Order) -> Order:
            if stored.details.customer_id != actor.id:  # not even that it exists
                raise NotFound("There is no such order.")
            self._keys.find_target(key)  # whether another request has it
            if find_tip(stored, tip.token, tip.key):
                return stored
            order, events = add_tip(stored, tip, self._clock())
            order = replace(order, keys=(key,) if key else ())
            return self._writer.commit_order(stored, order, events)

        order = self._writer.retry_change(order_id, change)
        found = find_tip(order, tip.token, tip.key)
        return order, found is not None and found.token != tip.token
