"""One message of a client, as it is handed from step to step until it is answered."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from chalicelib.contracts.base import Contract, SocketMessage
from chalicelib.domain.messaging.connections import Connection
from chalicelib.edge.app_services import Services
from chalicelib.errors import PostFailed, Unavailable, WaybillError

log = logging.getLogger(__name__)


class SocketCall(msgspec.Struct, frozen=True):
    """Hold a client's message with all it takes to handle and to answer it.

    `connection` is the row as it was last read: another Lambda may have written it since.
    `message` is empty until the frame could be read, and `fault` says what is wrong with it; a
    message with a fault has its name wherever that could be read. `waited_for_identity` says that
    the message came before its connection was authenticated, and was held back for that.
    """

    services: Services
    contract: Contract
    connection: Connection
    message: SocketMessage = SocketMessage()
    fault: WaybillError | None = None
    waited_for_identity: bool = False


def post_frames(call: SocketCall, frames: Sequence[str]) -> None:
    """Post frames to the client of a call. Raises FrameTooLarge.

    A client that can't be posted to now gets no answer, nor does one that watches while it can't be
    read where it is. What it asked for is done and stays done, so the failure is logged and goes no
    further: the client asks again, or connects again.
    """
    try:
        for frame in call.services.renderer.add_watch_position(call.connection, frames):
            call.services.connections.post_frame(call.connection.id, frame)
    except (PostFailed, Unavailable) as failure:
        log.warning("an answer was not posted: %s", failure)
