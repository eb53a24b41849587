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
from chalicelib.domain.events import Event, draft_event, name_order_stream
from chalicelib.domain.messaging.connections import MAX_CONNECTION_AGE, Subscriber, name_person_room
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.tips import get_end_time
from chalicelib.domain.orders.tracked import find_visible_fix, track_order
from chalicelib.domain.orders.tracking_link import TrackingLink
from chalicelib.domain.orders.tracking_links import name_bearer
from chalicelib.domain.people import Courier, Role
from chalicelib.services.messaging.connections import ConnectionRegistry
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock, ConnectionStore

# Each is a post for each fix: a link that was put on a wall must not cost what it likes.
MAX_SOCKETS = 100


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
        # Where links live on for longer than any socket, each ends by itself before its link does.
        if self._ends_after >= MAX_CONNECTION_AGE or not order.is_terminal or stored.is_terminal:
            return
        for one in subscribers:
            ends_at = get_end_time(order) + self._ends_after
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

    def is_full(self, link: TrackingLink) -> bool:
        """Say whether a link has MAX_SOCKETS. Of many that open at once more may be let in, as a
        socket is counted once it is greeted: those are posted nothing (_list_subscribers)."""
        return len(self._list_sockets(link)) >= MAX_SOCKETS

    def close_sockets(self, links: tuple[TrackingLink, ...]) -> None:
        """Close the sockets of links that have ended. Raises Unavailable."""
        sockets = [one.connection_id for link in links for one in self._list_sockets(link)]
        self._registry.close_connections(sockets)

    def _list_subscribers(self, links: tuple[TrackingLink, ...]) -> list[Subscriber]:
        """List who is told of an order with these links: MAX_SOCKETS of each at most."""
        return [one for link in links for one in self._list_sockets(link)[:MAX_SOCKETS]]

    def _list_sockets(self, link: TrackingLink) -> list[Subscriber]:
        now: datetime = self._clock()
        return self._connections.list_subscribers(name_person_room(name_bearer(link.hash)), now)

    def _draft(self, type_: str, order: Order, **data: Any) -> Event:
        data = {"version": order.version, **data}
        stream, status = name_order_stream(order.id), order.status.value
        now, audience = self._clock(), Role.RECIPIENT
        return draft_event(type_, "", stream, now, status=status, audience=audience, data=data)


def _is_of_links(stored: Order, order: Order) -> bool:
    """Say whether nothing was changed but an order's links."""
    same = {"version": order.version, "entries": order.entries, "links": order.links}
    return replace(stored, **same) == order
