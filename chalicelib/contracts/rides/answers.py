"""Makes the data of the answers of spec 001: what is said beside `status` in `<event>_response`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.contracts.base import Data, SocketMessage
from chalicelib.contracts.placing import render_windows
from chalicelib.contracts.rides import bodies
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Role

RIDER, DRIVER = frozenset({Role.CUSTOMER}), frozenset({Role.COURIER})
BOTH = RIDER | DRIVER


def get_role(connection: Connection) -> Role:
    """Return the role of a connection that is admitted."""
    assert connection.role in BOTH, "nobody else is admitted"
    return connection.role


def answer_with(words: str) -> Callable[[Any, Connection, SocketMessage], Data]:
    """Make an answer that is always this message."""
    return lambda result, connection, message: {"message": words}


def answer_authenticate(actor: Any, connection: Connection, message: SocketMessage) -> Data:
    """Answer who has authenticated."""
    return {
        "message": "Authenticated successfully",
        "user_type": bodies.USER_TYPES[get_role(connection)],
        "user_id": connection.person_id,
    }


def answer_go_online(result: Any, connection: Connection, message: SocketMessage) -> Data:
    """Answer a driver who is on duty now."""
    return {"message": "Driver is now online", "driver_id": connection.person_id}


def answer_update_location(stored: bool, connection: Connection, message: SocketMessage) -> Data:
    """Answer whether a fix was newer than the one that is known."""
    return {"message": "Location updated" if stored else "A newer location is known"}


def answer_accept_ride(order: Order, connection: Connection, message: SocketMessage) -> Data:
    """Answer the driver who has the ride now, with what its rider is shown of them."""
    assert order.courier is not None, "whoever accepted it has it"
    return {"message": "Ride accepted", "driver_info": bodies.render_driver(order.courier)}


def answer_complete_ride(order: Order, connection: Connection, message: SocketMessage) -> Data:
    """Answer with what the ride came to."""
    return {"message": "Ride completed", "ride_data": bodies.render_completed_ride(order)}


def answer_request_ride(order: Order, connection: Connection, message: SocketMessage) -> Data:
    """Answer with the new ride and its estimate, and its windows where it has some."""
    windows = render_windows(order.options.windows)
    return {"message": "Ride requested", **bodies.render_estimate(order), **windows}


def answer_send_chat(sent: ChatMessage, connection: Connection, message: SocketMessage) -> Data:
    """Answer with the id of the message that was sent."""
    return {"message": "Message sent", "chat_id": str(sent.id)}


def render_conversation(found: Sequence[ChatMessage]) -> dict[str, Any]:
    """Render a page of a conversation."""
    return {
        "message": f"Retrieved {len(found)} chat messages",
        "chats": [bodies.render_chat_entry(one) for one in found],
    }
