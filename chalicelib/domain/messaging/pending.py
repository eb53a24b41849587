"""What a mailbox's head lists as pending, for the holder of its lease to append.

An entry is a text, a *pending id*, of one of two kinds:

    order#12@3                      the events of a stream up to a version are to be appended
    arrival#<connection>@{"*": 7}   a connection has subscribed; its cursors begin here
"""

from __future__ import annotations

import msgspec

from chalicelib.domain.messaging.connections import Connection

_ARRIVAL_PREFIX = "arrival#"


def parse_stream_version(pending_id: str) -> tuple[str, int]:
    """Read which stream is to be appended, and up to which version."""
    stream, _, version = pending_id.rpartition("@")
    return stream, int(version)


def encode_arrival(connection: Connection, mailbox: str) -> str:
    """Write the pending id of a connection that subscribes to a mailbox, with its start cursors.

    It is stored by the very write that adds the subscriber, so that no holder ends its lease
    without having seen it.
    """
    start = connection.start_cursors.get(mailbox, {})
    return f"{_ARRIVAL_PREFIX}{connection.id}@{msgspec.json.encode(start).decode()}"


def parse_arrival(pending_id: str) -> str | None:
    """Read which connection has subscribed; None where the pending id is a stream's."""
    if not pending_id.startswith(_ARRIVAL_PREFIX):
        return None
    return pending_id.removeprefix(_ARRIVAL_PREFIX).partition("@")[0]


def parse_arrival_cursors(pending_id: str) -> dict[str, int]:
    """Read the start cursors of an arrival; {} where it begins with the others."""
    start = msgspec.json.decode(pending_id.partition("@")[2])
    return start if isinstance(start, dict) else {}  # older rows have a version there
