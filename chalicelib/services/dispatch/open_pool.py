"""Orders that are open to a pool: shown to every courier in it, taken by one of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.domain import events
from chalicelib.domain.messaging.connections import pool_room
from chalicelib.domain.orders.commands import Command, MakeReady
from chalicelib.domain.orders.effects import tell
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Actor
from chalicelib.services.messaging.fanout import Broadcast
from chalicelib.services.ports import Clock, ConnectionStore, CourierStore, OrderStore

LISTED = 100  # spec 002: lists are bounded


class Pool:
    """Tells a pool what opens and what is taken, and lists what is there."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        connections: ConnectionStore,
        broadcast: Broadcast,
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

    def prepare(self, order: Order, who: str, command: Command, now: datetime) -> Command:
        """Complete a permitted command: what becomes ready waits for so long."""
        if isinstance(command, MakeReady):
            return MakeReady(until=now + self._ready_ttl)
        return command

    def follow(self, before: Order | None, after: Order) -> None:
        """Tell the pool if an order has just become anybody's to take, or no longer is."""
        was_open = before is not None and before.open
        if after.open and not was_open:
            self._opened(after)
        elif was_open and not after.open:
            self._taken(after)

    def open_orders(self, pool: str) -> list[Order]:
        """What is anybody's to take, the newest last: the newest, where there is more than LISTED.
        What nobody wants must not hide what is new."""
        return self._orders.open_in(pool, LISTED)

    def restaurant_orders(self, actor: Actor) -> list[Order]:
        """The unfinished orders of all of an owner's restaurants: the oldest of them, where there
        are more than LISTED, the newest last."""
        found = [
            order
            for restaurant_id in actor.restaurant_ids
            for order in self._orders.active_of_merchant(restaurant_id, LISTED)
        ]
        return sorted(found, key=lambda order: order.id)[:LISTED]

    def _opened(self, order: Order) -> None:
        """Those in the middle of another order could not take it: they are not told."""
        now = self._clock()
        listeners = self._connections.listeners(pool_room(order.job.flow), now)
        holding = self._couriers.holding({listener.person_id for listener in listeners})
        event = tell(order, events.ORDER_OPENED, "", now, job=order.job)
        self._broadcast.say([li for li in listeners if li.person_id not in holding], event)

    def _taken(self, order: Order) -> None:
        event = tell(order, events.ORDER_TAKEN, "", self._clock())
        taker = frozenset({order.courier_id} if order.courier_id else ())
        self._broadcast.to_room(pool_room(order.job.flow), event, but=taker)
