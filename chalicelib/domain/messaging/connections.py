"""A WebSocket as the core knows it: an opaque id, a person, and the name of a contract."""

from __future__ import annotations

from datetime import datetime, timedelta
from zlib import crc32

import msgspec
from msgspec.structs import replace

from chalicelib.domain.people import Actor, Role

MAX_CONNECTION_AGE = timedelta(hours=2, minutes=5)  # AWS quota: 2 h; older rows are void
CHECK_INTERVAL = timedelta(minutes=10)  # AWS quota: 10 min idle; a $disconnect may be lost
PUBLIC_SHARDS = 8  # rooms for everybody on a contract
SUBSCRIBER_SHARDS = 8  # rooms for everybody who subscribes to some types
_PERSON_PREFIX = "person#"
LINK_PREFIX = "track#"  # of whoever has a tracking link: no token names such a person


class Connection(msgspec.Struct, frozen=True, omit_defaults=True):
    """One open socket.

    `person_id` is "" until it has authenticated; `rooms` are those it is in, once it is `greeted`:
    once its first frames went out. `handshake_actor` is whom the handshake's token named, where a
    contract admits by a message only; `token_ends_at` is when the token of whoever speaks on it
    ends: nothing is done for it from then on.
    `subscriptions` are the types of event that it asked for; None: every type.
    `recent_requests` are the times (epoch ms) of its latest requests, where a contract limits them.
    `start_cursors` say for each of its mailboxes where it begins: the mailbox's cursors of when it
    opened, or subscribed to other types.
    `check_at` is when the sweep is to check whether it still lives.
    """

    id: str
    contract: str
    connected_at: datetime
    person_id: str = ""
    role: Role | None = None
    restaurant_ids: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    greeted: bool = False
    version: int = 0
    check_at: datetime | None = None
    handshake_actor: Actor | None = msgspec.field(default=None, name="vouched")
    subscriptions: tuple[str, ...] | None = msgspec.field(default=None, name="hears")
    recent_requests: tuple[int, ...] = msgspec.field(default=(), name="asked_at")
    token_ends_at: datetime | None = msgspec.field(default=None, name="until")
    start_cursors: dict[str, dict[str, int]] = msgspec.field(default={}, name="starts")

    @property
    def ends_at(self) -> datetime:
        """When the connection has certainly ended."""
        return self.connected_at + MAX_CONNECTION_AGE

    @property
    def subscribed_until(self) -> datetime:
        """When events stop being delivered to it: at its token's end, or its own."""
        return min(self.ends_at, self.token_ends_at) if self.token_ends_at else self.ends_at

    def is_token_expired(self, now: datetime) -> bool:
        """Tell whether the token of whoever speaks on it has ended."""
        return self.token_ends_at is not None and now >= self.token_ends_at

    def is_void(self, now: datetime) -> bool:
        """Tell whether it is older than any connection can be: gone, deleted or not."""
        return now >= self.ends_at


class Heartbeat(msgspec.Struct, frozen=True):
    """A frame that is posted to a contract's connections, and how often: so the client knows of us,
    and a connection that is gone is found out."""

    interval: timedelta
    frame: str


class Subscriber(msgspec.Struct, frozen=True):
    """One connection in one room: enough to render an event for it and post it."""

    connection_id: str
    person_id: str
    contract: str
    subscriptions: tuple[str, ...] | None = msgspec.field(default=None, name="hears")
    role: Role | None = None

    def subscribes_to(self, type_: str) -> bool:
        """Tell whether it subscribes to a type of event, or to every type."""
        return self.subscriptions is None or type_ in self.subscriptions


def mark_greeted(connection: Connection, rooms: tuple[str, ...]) -> Connection:
    """Return the connection after its first frames, in its person's room and in `rooms`."""
    joined = (person_room(connection.person_id), *rooms)
    return replace(connection, greeted=True, rooms=joined, handshake_actor=None)


def person_room(person_id: str) -> str:
    """Name the room of one person, or of one restaurant: its subscribers are those of a mailbox.
    The bearers of a tracking link have a room without one: what they hear is kept nowhere."""
    return person_id if person_id.startswith(LINK_PREFIX) else f"{_PERSON_PREFIX}{person_id}"


def parse_mailbox_room(room: str) -> str | None:
    """Read whose mailbox a room is; None for the rooms of many."""
    return room.removeprefix(_PERSON_PREFIX) if is_mailbox_room(room) else None


def is_mailbox_room(room: str) -> bool:
    """Tell whether a room's subscribers are those of a mailbox."""
    return room.startswith(_PERSON_PREFIX)


def pool_room(pool: str) -> str:
    """Name the room of the couriers who may take a pool's orders."""
    return f"pool#{pool}"


def public_room(contract: str, connection_id: str) -> str:
    """Name the room that a connection shares with others of its contract: one of several, as a room
    is one partition of a table."""
    return _public_shard(contract, crc32(connection_id.encode()) % PUBLIC_SHARDS)


def list_public_rooms(contract: str) -> tuple[str, ...]:
    """List the rooms that together hold everybody on a contract."""
    return tuple(_public_shard(contract, shard) for shard in range(PUBLIC_SHARDS))


def _public_shard(contract: str, shard: int) -> str:
    return f"public#{contract}#{shard}"


def list_mailboxes(connection: Connection) -> tuple[str, ...]:
    """List the mailboxes that a connection subscribes to: its person's first, then those of the
    restaurants it is in."""
    return tuple(filter(None, map(parse_mailbox_room, connection.rooms)))


def list_subscriber_rooms() -> tuple[str, ...]:
    """List the rooms that together hold every connection that subscribes to some types (spec 003):
    it is counted there."""
    return tuple(f"feed#{shard}" for shard in range(SUBSCRIBER_SHARDS))


def subscriber_room(connection_id: str) -> str:
    """Name the one of these rooms that a connection is in."""
    return f"feed#{crc32(connection_id.encode()) % SUBSCRIBER_SHARDS}"
