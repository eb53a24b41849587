"""Orders that are open to a pool: every courier in it sees them, and one of them takes each.

An order is open while it is ready and has no courier (`Order.is_open`); the pool is the flow. What
is posted to the pool is kept nowhere: a courier who missed it finds the order in the list.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.messaging.connections import name_pool_room
from chalicelib.domain.orders.commands import Command, MakeReady, Release
from chalicelib.domain.orders.drafts import draft_for_courier
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Actor
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock, ConnectionStore, CourierStore, OrderStore

MAX_LISTED = 100  # spec 002: lists are bounded


class OpenPool:
    """Posts to a pool what opens and what is taken, and lists what is open."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        connections: ConnectionStore,
        fanout: FanOut,
        ready_ttl: timedelta,
        clock: Clock,
    ) -> None:
        """Set up the pool; `ready_ttl` is how long an order waits for a courier to collect it."""
        self._orders = orders
        self._couriers = couriers
        self._connections = connections
        self._fanout = fanout
        self._ready_ttl = ready_ttl
        self._clock = clock

    def complete_command(
        self, order: Order, actor_id: str, command: Command, now: datetime
    ) -> Command:
        """Set until when an order waits that becomes ready, or that is given back; return any other
        command as it is."""
        if isinstance(command, MakeReady):
            return MakeReady(collect_until=now + self._ready_ttl)
        if isinstance(command, Release):
            return replace(command, search_until=now + self._ready_ttl)
        return command

    def on_committed(self, stored: Order | None, order: Order) -> None:
        """Post to the pool if a commit has opened an order, or closed it."""
        was_open = stored is not None and stored.is_open
        if order.is_open and not was_open:
            self._post_opened(order)
        elif was_open and not order.is_open:
            self._post_taken(order)

    def list_open_orders(self, actor: Actor, pool: str) -> list[Order]:
        """List the orders of a pool that a courier may take, the newest last.

        Where there are more than MAX_LISTED, those are the newest: what nobody wants must not hide
        what is new. What the courier gave back is left out.
        """
        found = self._orders.list_open(pool, MAX_LISTED)
        return [order for order in found if actor.id not in order.released_by]

    def list_restaurant_orders(self, actor: Actor) -> list[Order]:
        """List the unfinished orders of all of an owner's restaurants, the newest last.

        Where there are more than MAX_LISTED, those are the oldest: they are the most urgent.
        """
        found = [
            order
            for restaurant_id in actor.restaurant_ids
            for order in self._orders.list_active_of_merchant(restaurant_id, MAX_LISTED)
        ]
        return sorted(found, key=lambda order: order.id)[:MAX_LISTED]

    def _post_opened(self, order: Order) -> None:
        """Post an opened order to those of its pool who could take it: nobody who has another, or
        who gave it back."""
        now = self._clock()
        subscribers = self._connections.list_subscribers(name_pool_room(order.details.flow), now)
        people = {one.person_id for one in subscribers} - {*order.released_by}
        free = people - self._couriers.find_occupied(people)
        event = draft_for_courier(order, events.ORDER_OPENED, "", now, details=order.details)
        self._fanout.post_to_subscribers(
            [one for one in subscribers if one.person_id in free], event
        )

    def _post_taken(self, order: Order) -> None:
        event = draft_for_courier(order, events.ORDER_TAKEN, "", self._clock())
        taker = frozenset({order.courier_id} if order.courier_id else ())
        self._fanout.post_to_room(name_pool_room(order.details.flow), event, but=taker)
