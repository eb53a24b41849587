"""Live positions: each fix of a courier is posted to the customer who waits for them."""

from __future__ import annotations

from chalicelib.domain.events import COURIER_MOVED, draft_event, name_order_stream
from chalicelib.domain.people import Courier, Role
from chalicelib.services.messaging.fanout import FanOut


class LivePosition:
    """Posts couriers' fixes to their customers. A post is kept nowhere: the next one is newer."""

    def __init__(self, fanout: FanOut) -> None:
        self._fanout = fanout

    def on_fix(self, courier: Courier) -> None:
        """Post a fix to the customer who may see it, if anybody.

        The courier's own row names that customer, so that this reads no order: the one read is for
        the customer's connections. Where the fix has no heading, it is the direction from the one
        before it.
        """
        fix, customer_id = courier.fix, courier.visible_to
        if customer_id is None or fix is None:
            return
        data = {
            "courier_id": courier.id,
            "lat": fix.lat,
            "lng": fix.lng,
            "heading": courier.odometer.heading if fix.heading is None else fix.heading,
        }
        stream = name_order_stream(courier.order_id or 0)
        moved = draft_event(
            COURIER_MOVED, customer_id, stream, fix.at, audience=Role.CUSTOMER, data=data
        )
        self._fanout.post_to_people([customer_id], moved)
