"""What whoever has a tracking link open is told: that the order changed, and where its courier is.

Both are posted to the links' rooms and kept nowhere. A page reads the order itself whenever it
hears of a change, and once a minute besides: one that is lost is made up for by that. Of an order
without links nothing is read, and nothing is written.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Event, draft_event, order_stream
from chalicelib.domain.messaging.connections import Subscriber, person_room
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.tips import get_end_time
from chalicelib.domain.orders.tracked import find_visible_fix, track_order
from chalicelib.domain.orders.tracking_link import TrackingLink
from chalicelib.domain.orders.tracking_links import name_bearer
from chalicelib.domain.people import Courier, Role
from chalicelib.services.messaging.connections import ConnectionRegistry
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock, ConnectionStore


class LinkNotices:
    """Tells the bearers of links. `ends_after` an order's end its links end; `near_m` is how near
    the drop-off a courier is shown before the pickup."""

    def __init__(
        self,
        fanout: FanOut,
        connections: ConnectionStore,
        registry: ConnectionRegistry,
        ends_after: timedelta,
        near_m: float,
        clock: Clock,
    ) -> None:
        self._fanout = fanout
        self._connections = connections
        self._registry = registry
        self._ends_after = ends_after
        self._near_m = near_m
        self._clock = clock

    def on_committed(self, stored: Order | None, order: Order) -> None:
        """Tell of a change of an order, and let the sockets of an order that ends end with it."""
        if stored is None or not order.links or _is_of_links(stored, order):
            return
        subscribers = self._list_subscribers(order.links)
        self._fanout.post_to_subscribers(subscribers, self._draft(events.TRACKED_CHANGED, order))
        if order.is_terminal and not stored.is_terminal:
            ends_at = get_end_time(order) + self._ends_after
            for one in subscribers:
                self._registry.end_connection_at(one.connection_id, ends_at)

    def post_position(self, order: Order, courier: Courier) -> None:
        """Tell where an order's courier is, if that is to be seen."""
        now = self._clock()
        if not order.links or find_visible_fix(order, courier, self._near_m, now) is None:
            return
        seen = track_order(order, courier, None, self._near_m, now)
        where = {"fix": msgspec.to_builtins(seen.position), "dropoff": seen.dropoff}
        event = self._draft(events.TRACKED_MOVED, order, **where, eta_minutes=seen.eta_minutes)
        self._fanout.post_to_subscribers(self._list_subscribers(order.links), event)

    def count_sockets(self, link: TrackingLink) -> int:
        """Count the sockets of a link."""
        return len(self._list_subscribers((link,)))

    def close_sockets(self, links: tuple[TrackingLink, ...]) -> None:
        """Close the sockets of links that have ended. Raises Unavailable."""
        for one in self._list_subscribers(links):
            self._registry.close_connection(one.connection_id)

    def _list_subscribers(self, links: tuple[TrackingLink, ...]) -> list[Subscriber]:
        now: datetime = self._clock()
        rooms = [person_room(name_bearer(link.hash)) for link in links]
        return [one for room in rooms for one in self._connections.list_subscribers(room, now)]

    def _draft(self, type_: str, order: Order, **data: Any) -> Event:
        data = {"version": order.version, **data}
        stream, status = order_stream(order.id), order.status.value
        now, audience = self._clock(), Role.RECIPIENT
        return draft_event(type_, "", stream, now, status=status, audience=audience, data=data)


def _is_of_links(stored: Order, order: Order) -> bool:
    """Say whether nothing was changed but an order's links."""
    same = {"version": order.version, "entries": order.entries, "links": order.links}
    return replace(stored, **same) == order
