"""Orders that are open to a pool: shown to every courier in it, taken by one of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.domain import events
from chalicelib.domain.messaging.connections import pool_room
from chalicelib.domain.orders.commands import Command, MakeReady
from chalicelib.domain.orders.effects import draft_for_courier
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Actor
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock, ConnectionStore, CourierStore, OrderStore

MAX_LISTED = 100  # spec 002: lists are bounded


class OpenPool:
    """Tells a pool what opens and what is taken, and lists what is there."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        connections: ConnectionStore,
        broadcast: FanOut,
        ready_ttl: timedelta,
        clock: Clock,
    ) -> None:
        """`ready_ttl` is how long an order waits for a courier to collect it."""
        self._orders = orders
        self._couriers = couriers
        self._connections = connections
        self._broadcast = broadcast
        self._ready_ttl = ready_ttl
        self._clock = clock

    def complete_command(self, order: Order, who: str, command: Command, now: datetime) -> Command:
        """Complete a permitted command: what becomes ready waits for so long."""
        if isinstance(command, MakeReady):
            return MakeReady(collect_until=now + self._ready_ttl)
        return command

    def on_committed(self, before: Order | None, after: Order) -> None:
        """Tell the pool if an order has just become anybody's to take, or no longer is."""
        was_open = before is not None and before.is_open
        if after.is_open and not was_open:
            self._post_opened(after)
        elif was_open and not after.is_open:
            self._post_taken(after)

    def list_open_orders(self, pool: str) -> list[Order]:
        """What is anybody's to take, the newest last: the newest, where there is more than LISTED.
        What nobody wants must not hide what is new."""
        return self._orders.list_open(pool, MAX_LISTED)

    def list_restaurant_orders(self, actor: Actor) -> list[Order]:
        """The unfinished orders of all of an owner's restaurants: the oldest of them, where there
        are more than LISTED, the newest last."""
        found = [
            order
            for restaurant_id in actor.restaurant_ids
            for order in self._orders.list_active_of_merchant(restaurant_id, MAX_LISTED)
        ]
        return sorted(found, key=lambda order: order.id)[:MAX_LISTED]

    def _post_opened(self, order: Order) -> None:
        """Those in the middle of another order could not take it: they are not told."""
        now = self._clock()
        listeners = self._connections.list_subscribers(pool_room(order.details.flow), now)
        holding = self._couriers.find_occupied({listener.person_id for listener in listeners})
        event = draft_for_courier(order, events.ORDER_OPENED, "", now, details=order.details)
        self._broadcast.post_to_subscribers(
            [li for li in listeners if li.person_id not in holding], event
        )

    def _post_taken(self, order: Order) -> None:
        event = draft_for_courier(order, events.ORDER_TAKEN, "", self._clock())
        taker = frozenset({order.courier_id} if order.courier_id else ())
        self._broadcast.post_to_room(pool_room(order.details.flow), event, but=taker)
