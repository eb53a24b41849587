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
from chalicelib.domain.messaging.connections import (
    CHECK_INTERVAL,
    Connection,
    Subscriber,
    parse_mailbox_room,
)
from chalicelib.domain.people import Role
from chalicelib.store import mailbox_subscribers as listeners
from chalicelib.store.clock import from_epoch_ms, to_epoch_ms
from chalicelib.store.conditional import save_if
from chalicelib.store.failures import is_lost_race
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.shards import read_in_turns
from chalicelib.store.tables import SHARDS, ConnectionRow, RoomRow

_PAGE = 100


class ConnectionTable:
    """The connections and rooms tables. Rows past their age are never returned."""

    def insert_connection(self, connection: Connection) -> None:
        """Note a new socket."""
        encode_connection(connection).save()

    def get_connection(self, connection_id: str, now: datetime) -> Connection | None:
        """Read a socket's row, strongly consistent; None once it is gone or void."""
        connection = self.get_at_any_age(connection_id)
        return None if connection is None or connection.is_void(now) else connection

    def get_at_any_age(self, connection_id: str) -> Connection | None:
        """Read a socket's row whatever its age: what it was in must be left."""
        try:
            row = ConnectionRow.get(connection_id, consistent_read=True)
        except DoesNotExist:
            return None
        connection: Connection = msgspec.json.decode(row.doc, type=Connection)
        return connection

    def update_connection(self, before: Connection, after: Connection) -> Connection:
        """Write `after` if the row is still `before`; sent twice, it finds itself done. Raises
        Stale if it changed or is gone."""
        written = replace(after, version=before.version + 1)
        row = encode_connection(written)
        row.commit = token_urlsafe(6)
        unchanged = ConnectionRow.version == before.version
        save_if(row, unchanged | (ConnectionRow.commit == row.commit))
        return written

    def delete_connection(self, connection_id: str) -> None:
        """Forget a socket. Harmless if it is forgotten already."""
        ConnectionRow(connection_id).delete()

    def add_to_room(self, room: str, connection: Connection) -> None:
        """Let a socket hear what is said in a room: what it asked for last, whichever message
        gets here first. Harmless twice. Raises TooManySockets."""
        if mailbox := parse_mailbox_room(room):
            listeners.add_subscriber(mailbox, connection)
            return
        known: Condition = RoomRow.version.does_not_exist()
        try:
            row = encode_room_row(room, connection)
            row.save(condition=known | (RoomRow.version <= connection.version))
        except PutError as error:
            if not is_lost_race(error):
                raise

    def remove_from_room(self, room: str, connection_id: str) -> None:
        """Take a socket out of a room. Harmless if it was not there."""
        if mailbox := parse_mailbox_room(room):
            listeners.remove_subscriber(mailbox, connection_id)
        else:
            RoomRow(room, connection_id).delete()

    def list_subscribers(self, room: str, now: datetime) -> list[Subscriber]:
        """Everybody in a room, strongly consistent: one read."""
        if mailbox := parse_mailbox_room(room):
            return MailboxTable().get_mailbox(mailbox).list_subscribers(now)
        rows = RoomRow.query(room, consistent_read=True)
        return [
            Subscriber(
                row.connection_id,
                row.person_id,
                row.contract,
                _decode_subscriptions(row.hears),
                Role(row.role) if row.role else None,
            )
            for row in rows
            if row.expires > now.timestamp()
        ]

    def list_due(self, now: datetime) -> Iterator[Due[str]]:
        """Sockets whose liveness is to be looked at: the longest overdue of each shard first, the
        shards in turns. A shard that can't be read is raised in the end."""

        def read(shard: int) -> Iterator[Due[str]]:
            late: Condition = ConnectionRow.check_at <= to_epoch_ms(now)
            for hit in ConnectionRow.by_check.query(shard, late, page_size=_PAGE):
                yield Due(str(hit.connection_id), from_epoch_ms(hit.check_at))

        return read_in_turns(read)


def _encode_subscriptions(connection: Connection) -> str | None:
    return (
        None
        if connection.subscriptions is None
        else msgspec.json.encode(connection.subscriptions).decode()
    )


def _decode_subscriptions(hears: str | None) -> tuple[str, ...] | None:
    return None if hears is None else msgspec.json.decode(hears, type=tuple[str, ...])


def _get_expiry(connection: Connection) -> int:
    return int(connection.ends_at.timestamp())


def encode_connection(connection: Connection) -> ConnectionRow:
    """A connection as its row."""
    return ConnectionRow(
        connection_id=connection.id,
        doc=msgspec.json.encode(connection).decode(),
        version=connection.version,
        expires=_get_expiry(connection),
        check_shard=crc32(connection.id.encode()) % SHARDS,
        check_at=to_epoch_ms(connection.check_at or connection.connected_at + CHECK_INTERVAL),
    )


def encode_room_row(room: str, connection: Connection) -> RoomRow:
    """A connection as a listener in a room."""
    return RoomRow(
        room=room,
        connection_id=connection.id,
        person_id=connection.person_id,
        contract=connection.contract,
        hears=_encode_subscriptions(connection),
        role=connection.role.value if connection.role else None,
        version=connection.version,
        expires=ceil(connection.subscribed_until.timestamp()),
    )
