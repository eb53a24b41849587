"""Open sockets and the rooms they listen in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import ceil
from secrets import token_urlsafe
from zlib import crc32

import msgspec
from msgspec.structs import replace
from pynamodb.exceptions import DoesNotExist, PutError
from pynamodb.expressions.condition import Condition

from chalicelib.domain.due import Due
from chalicelib.domain.messaging.connections import CHECK_EVERY, Connection, Listener, mailbox_of
from chalicelib.domain.people import Role
from chalicelib.store import mailbox_subscribers as listeners
from chalicelib.store.clock import from_ms, ms
from chalicelib.store.failures import lost_race
from chalicelib.store.mailboxes import Mailboxes
from chalicelib.store.saving import save_if
from chalicelib.store.shards import read_in_turns
from chalicelib.store.tables import SHARDS, ConnectionRow, RoomRow

_PAGE = 100


class Connections:
    """The connections and rooms tables. Rows past their age are never returned."""

    def open(self, connection: Connection) -> None:
        """Note a new socket."""
        encode(connection).save()

    def get(self, connection_id: str, now: datetime) -> Connection | None:
        """Read a socket's row, strongly consistent; None once it is gone or void."""
        connection = self.find(connection_id)
        return None if connection is None or connection.void(now) else connection

    def find(self, connection_id: str) -> Connection | None:
        """Read a socket's row whatever its age: what it was in must be left."""
        try:
            row = ConnectionRow.get(connection_id, consistent_read=True)
        except DoesNotExist:
            return None
        connection: Connection = msgspec.json.decode(row.doc, type=Connection)
        return connection

    def update(self, before: Connection, after: Connection) -> Connection:
        """Write `after` if the row is still `before`; sent twice, it finds itself done. Raises
        Stale if it changed or is gone."""
        written = replace(after, version=before.version + 1)
        row = encode(written)
        row.commit = token_urlsafe(6)
        unchanged = ConnectionRow.version == before.version
        save_if(row, unchanged | (ConnectionRow.commit == row.commit))
        return written

    def close(self, connection_id: str) -> None:
        """Forget a socket. Harmless if it is forgotten already."""
        ConnectionRow(connection_id).delete()

    def join(self, room: str, connection: Connection) -> None:
        """Let a socket hear what is said in a room: what it asked for last, whichever message
        gets here first. Harmless twice. Raises TooManySockets."""
        if mailbox := mailbox_of(room):
            listeners.join(mailbox, connection)
            return
        known: Condition = RoomRow.version.does_not_exist()
        try:
            row = room_row(room, connection)
            row.save(condition=known | (RoomRow.version <= connection.version))
        except PutError as error:
            if not lost_race(error):
                raise

    def leave(self, room: str, connection_id: str) -> None:
        """Take a socket out of a room. Harmless if it was not there."""
        if mailbox := mailbox_of(room):
            listeners.leave(mailbox, connection_id)
        else:
            RoomRow(room, connection_id).delete()

    def listeners(self, room: str, now: datetime) -> list[Listener]:
        """Everybody in a room, strongly consistent: one read."""
        if mailbox := mailbox_of(room):
            return Mailboxes().read(mailbox).listeners(now)
        rows = RoomRow.query(room, consistent_read=True)
        return [
            Listener(
                row.connection_id,
                row.person_id,
                row.contract,
                _heard(row.hears),
                Role(row.role) if row.role else None,
            )
            for row in rows
            if row.expires > now.timestamp()
        ]

    def due(self, now: datetime) -> Iterator[Due[str]]:
        """Sockets whose liveness is to be looked at: the longest overdue of each shard first, the
        shards in turns. A shard that can't be read is raised in the end."""

        def read(shard: int) -> Iterator[Due[str]]:
            late: Condition = ConnectionRow.check_at <= ms(now)
            for hit in ConnectionRow.by_check.query(shard, late, page_size=_PAGE):
                yield Due(str(hit.connection_id), from_ms(hit.check_at))

        return read_in_turns(read)


def _hears(connection: Connection) -> str | None:
    return None if connection.hears is None else msgspec.json.encode(connection.hears).decode()


def _heard(hears: str | None) -> tuple[str, ...] | None:
    return None if hears is None else msgspec.json.decode(hears, type=tuple[str, ...])


def _expires(connection: Connection) -> int:
    return int(connection.ends_at.timestamp())


def encode(connection: Connection) -> ConnectionRow:
    """A connection as its row."""
    return ConnectionRow(
        connection_id=connection.id,
        doc=msgspec.json.encode(connection).decode(),
        version=connection.version,
        expires=_expires(connection),
        check_shard=crc32(connection.id.encode()) % SHARDS,
        check_at=ms(connection.check_at or connection.connected_at + CHECK_EVERY),
    )


def room_row(room: str, connection: Connection) -> RoomRow:
    """A connection as a listener in a room."""
    return RoomRow(
        room=room,
        connection_id=connection.id,
        person_id=connection.person_id,
        contract=connection.contract,
        hears=_hears(connection),
        role=connection.role.value if connection.role else None,
        version=connection.version,
        expires=ceil(connection.heard_until.timestamp()),
    )
