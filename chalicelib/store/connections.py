"""Open connections, and the rooms that they are in.

A person's room is their mailbox: its subscribers are in the mailbox's head, so that the write that
takes its lease finds them, too. Every other room is a partition of the rooms table.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import ceil
from secrets import token_urlsafe
from zlib import crc32

import msgspec
from msgspec.structs import replace
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from chalicelib.domain.due import Due
from chalicelib.domain.messaging.connections import (
    Connection,
    Subscriber,
    parse_mailbox_room,
)
from chalicelib.domain.people import Role
from chalicelib.domain.retries import Retries
from chalicelib.domain.webhooks.delivery import REMINDER_PREFIX
from chalicelib.store import mailbox_subscribers, watchers
from chalicelib.store.clock import from_epoch_ms, to_epoch_ms
from chalicelib.store.conditional import save_if, save_once
from chalicelib.store.decoding import decode_json
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.shards import is_due, read_in_turns
from chalicelib.store.tables import SHARDS, ConnectionRow, RoomRow

_PAGE = 100
_FEW = 25


class ConnectionTable:
    """The connections and rooms tables. A row that is older than any connection can be counts as
    gone: DynamoDB deletes it some time later."""

    def __init__(self, retries: Retries | None = None) -> None:
        self._retries = retries or Retries()

    def insert_connection(self, connection: Connection) -> None:
        """Write a new connection."""
        encode_connection(connection).save()

    def get_connection(self, connection_id: str, now: datetime) -> Connection | None:
        """Read a connection, strongly consistent; None once it is gone or void."""
        connection = self.get_at_any_age(connection_id)
        return None if connection is None or connection.is_void(now) else connection

    def get_at_any_age(self, connection_id: str) -> Connection | None:
        """Read a connection though it may be void: it must leave its rooms all the same."""
        try:
            row = ConnectionRow.get(connection_id, consistent_read=True)
        except DoesNotExist:
            return None
        connection: Connection = decode_json(row.doc, Connection)
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
        """Delete a connection. Harmless if it is deleted already."""
        ConnectionRow(connection_id).delete()

    def add_to_room(self, room: str, connection: Connection) -> None:
        """Subscribe a connection to a room. Harmless twice; of two writes the one with the newer
        version of the connection stays, in whatever order they come. Raises TooManySockets and
        Stale, for a mailbox."""
        if mailbox := parse_mailbox_room(room):
            mailbox_subscribers.add_subscriber(mailbox, connection)
            return
        if connection.watch is not None:
            watchers.add_watcher(room, connection)
            return
        unknown: Condition = RoomRow.version.does_not_exist()
        row = encode_room_row(room, connection)
        save_once(row, unknown | (RoomRow.version <= connection.version))

    def remove_from_room(self, room: str, connection_id: str) -> None:
        """Take a connection out of a room. Harmless if it was not there."""
        mailbox = parse_mailbox_room(room)
        if mailbox is None:
            RoomRow(room, connection_id).delete()
            return
        # A transaction may hold the head (an offer's); a $disconnect comes but once.
        self._retries.retry_while_stale(
            lambda: mailbox_subscribers.remove_subscriber(mailbox, connection_id)
        )

    def list_subscribers(self, room: str, now: datetime) -> list[Subscriber]:
        """List everybody in a room, strongly consistent: one read."""
        if mailbox := parse_mailbox_room(room):
            return MailboxTable().get_mailbox(mailbox).list_subscribers(now)
        rows = RoomRow.query(room, consistent_read=True)
        return [_decode_room_row(row) for row in rows if row.expires > now.timestamp()]

    def has_subscriber(self, room: str, now: datetime) -> bool:
        """Say whether anybody is in a room that is no person's; behind by a moment. One page is
        read, or more while its rows have expired and are not deleted yet."""
        rows = RoomRow.query(room, page_size=_FEW)
        return any(row.expires > now.timestamp() for row in rows)

    def list_due(self, now: datetime, since: datetime | None = None) -> Iterator[Due[str]]:
        """List the connections that are to be checked, since a time if one is given: the longest
        overdue of each shard first, the shards in turns. A shard that can't be read is raised in
        the end."""
        late = is_due(ConnectionRow.check_at, now, since)

        def read(shard: int) -> Iterator[Due[str]]:
            for hit in ConnectionRow.by_check.query(shard, late, page_size=_PAGE):
                yield Due(str(hit.connection_id), from_epoch_ms(hit.check_at))

        return read_in_turns(read)

    def count_connections(self) -> int:
        """Count all open connections, a moment behind: by the index of when each is checked next,
        in which reminders of webhooks are, too."""
        is_socket = ~ConnectionRow.connection_id.startswith(REMINDER_PREFIX)
        return sum(
            ConnectionRow.by_check.count(shard, filter_condition=is_socket)
            for shard in range(SHARDS)
        )


def encode_connection(connection: Connection) -> ConnectionRow:
    """Encode a connection as its row."""
    return ConnectionRow(
        connection_id=connection.id,
        doc=msgspec.json.encode(connection).decode(),
        version=connection.version,
        expires=int(connection.ends_at.timestamp()),
        check_shard=crc32(connection.id.encode()) % SHARDS,
        check_at=to_epoch_ms(
            connection.check_at or connection.connected_at + connection.check_interval
        ),
    )


def encode_room_row(room: str, connection: Connection) -> RoomRow:
    """Encode a connection as a room's subscriber."""
    types = connection.subscriptions
    return RoomRow(
        room=room,
        connection_id=connection.id,
        person_id=connection.person_id,
        contract=connection.contract,
        subscriptions=None if types is None else msgspec.json.encode(types).decode(),
        role=connection.role.value if connection.role else None,
        version=connection.version,
        expires=ceil(connection.subscribed_until.timestamp()),
    )


def _decode_room_row(row: RoomRow) -> Subscriber:
    types = row.subscriptions
    return Subscriber(
        row.connection_id,
        row.person_id,
        row.contract,
        None if types is None else decode_json(types, tuple[str, ...]),
        Role(row.role) if row.role else None,
    )
