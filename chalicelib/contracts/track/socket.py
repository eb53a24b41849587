"""Contract `track`: whoever has a tracking link hears of one order. Messages are {"type", …}.

Read only. Nothing is kept for those who listen: what they hear is that the order has changed, which
they then read by the link's own address, and where its courier is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chalicelib.contracts.base import (
    Data,
    MessageType,
    Writer,
    encode_frame,
    omit_none,
)
from chalicelib.contracts.track.bodies import render_position
from chalicelib.contracts.typed import TypedContract, make_ping
from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Fix, Role


class TrackContract(TypedContract):
    """The contract: the bearers of a link listen, and may ping."""

    paths = ("/api/v1/ws/track",)
    roles = frozenset({Role.RECIPIENT})
    opens_by_link = True
    keepalive_frame = encode_frame({"type": "pong"})

    def render_first_frames(
        self, connection: Connection, offered: Sequence[Order]
    ) -> Sequence[str]:
        """Confirm the connection: what its page shows was read before, and may be old."""
        return (encode_frame({"type": "connected"}),)


def _render_change(event: Event) -> Data:
    return {"version": event.data["version"], "status": event.status}


def _render_move(event: Event) -> Data:
    data = event.data
    fix, dropoff = msgspec.convert(data["fix"], Fix), data["dropoff"]
    where = render_position(fix, (dropoff[0], dropoff[1]) if dropoff else None)
    return {"version": data["version"], **where, **omit_none(eta_minutes=data["eta_minutes"])}


MESSAGES: Mapping[str, MessageType] = {"ping": make_ping(TrackContract.roles)}
WRITERS: Mapping[str, Sequence[Writer]] = {
    events.TRACKED_CHANGED: (Writer("order.changed", _render_change, Role.RECIPIENT),),
    events.TRACKED_MOVED: (Writer("courier.position", _render_move, Role.RECIPIENT),),
}

TRACK = TrackContract(MESSAGES, WRITERS)
