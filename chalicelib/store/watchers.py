"""Those who watch the board: rows of its room that say, besides, what each has been shown.

What somebody has been shown is kept when their connection joins again, as it does with each newer
token: only its own attributes are written then.
"""

from __future__ import annotations

from datetime import datetime
from math import ceil

import msgspec
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.messaging.watching import BOARD_ROOM, Watch, Watcher
from chalicelib.domain.people import Role
from chalicelib.store.clock import from_epoch_ms, to_epoch_ms
from chalicelib.store.conditional import try_update
from chalicelib.store.tables import RoomRow


class WatchDoc(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody may see, as it is stored."""

    watch: Watch
    restaurant_ids: tuple[str, ...] = msgspec.field(default=(), name="restaurants")


def add_watcher(room: str, connection: Connection) -> None:
    """Subscribe a connection that watches. Harmless twice; of two writes the one with the newer
    version of the connection stays, in whatever order they come."""
    assert connection.watch is not None, "only those who watch are added"
    doc = WatchDoc(connection.watch, connection.restaurant_ids)
    actions: list[Action] = [
        RoomRow.person_id.set(connection.person_id),
        RoomRow.contract.set(connection.contract),
        RoomRow.version.set(connection.version),
        RoomRow.expires.set(ceil(connection.subscribed_until.timestamp())),
        RoomRow.watch.set(msgspec.json.encode(doc).decode()),
    ]
    if connection.role:
        actions.append(RoomRow.role.set(connection.role.value))
    unknown: Condition = RoomRow.version.does_not_exist()
    not_older = unknown | (RoomRow.version <= connection.version)
    try_update(RoomRow(room, connection.id), actions, not_older)


class WatcherTable:
    """The room of those who watch the board."""

    def list_watchers(self, now: datetime) -> list[Watcher]:
        """List everybody who watches, strongly consistent: one read."""
        rows = RoomRow.query(BOARD_ROOM, consistent_read=True)
        return [_decode_watcher(row) for row in rows if row.expires > now.timestamp()]

    def find_shown(self, connection_id: str) -> str:
        """Find as of which tick a connection was shown all; "" while that is to come, or where it
        has gone."""
        try:
            row = RoomRow.get(BOARD_ROOM, connection_id, consistent_read=True)
        except DoesNotExist:
            return ""
        return row.told or ""

    def note_shown(self, watcher: Watcher, shown: str, paused_until: datetime | None) -> None:
        """Write as of which tick somebody was shown all ("": it is to be shown), and until when
        they are left alone. Nothing is written of somebody who has gone."""
        paused = RoomRow.paused_until
        actions: list[Action] = [
            RoomRow.told.set(shown),
            paused.remove() if paused_until is None else paused.set(to_epoch_ms(paused_until)),
        ]
        row = RoomRow(BOARD_ROOM, watcher.connection_id)
        try_update(row, actions, RoomRow.version.exists())

    def note_answered(self, watcher: Watcher) -> None:
        """Write that somebody was told what becomes of the position that they hold."""
        actions: list[Action] = [RoomRow.answered.set(watcher.watch.asked or "")]
        row = RoomRow(BOARD_ROOM, watcher.connection_id)
        try_update(row, actions, RoomRow.version.exists())


def _decode_watcher(row: RoomRow) -> Watcher:
    doc = msgspec.json.decode(row.watch, type=WatchDoc) if row.watch else WatchDoc(Watch())
    return Watcher(
        row.connection_id,
        row.person_id,
        row.contract,
        Role(row.role) if row.role else None,
        doc.restaurant_ids,
        doc.watch,
        row.told or "",
        row.answered or "",
        from_epoch_ms(row.paused_until) if row.paused_until is not None else None,
    )
