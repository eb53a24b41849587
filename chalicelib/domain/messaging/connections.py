"""A WebSocket as the core knows it: an opaque id, a person, and the name of a contract."""

from __future__ import annotations

from datetime import datetime, timedelta
from zlib import crc32

import msgspec
from msgspec.structs import replace

from chalicelib.domain.people import Actor, Role

MAX_CONNECTION_AGE = timedelta(
    hours=2, minutes=5
)  # AWS quota: 2 h a connection; then the row is void
CHECK_INTERVAL = timedelta(minutes=10)  # AWS quota: 10 min idle; a $disconnect may be lost
PUBLIC_SHARDS = 8
_PERSON_PREFIX = "person#"


class Connection(msgspec.Struct, frozen=True, omit_defaults=True):
    """One open socket. `state` belongs to the contract; `greeted` says its first frames went out.

    `person_id` is "" until it has authenticated; `rooms` are those it listens in, once admitted.
    `vouched` is who its handshake's token named, where a contract admits by a message only.
    `hears` are the types of event that it has asked for; None: whatever its contract words.
    `asked_at` are the times (epoch ms) of its latest requests, where a contract sets a pace.
    `until` is when the token of whoever speaks on it ends: nothing is done for it from then on.
    `starts` says for each mailbox where the connection begins to hear it: the mailbox's cursors as
    of when it opened, or asked for something else.
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
        """When it has certainly ended."""
        return self.connected_at + MAX_CONNECTION_AGE

    @property
    def subscribed_until(self) -> datetime:
        """When events stop being told to it: at its token's end, or its own."""
        return min(self.ends_at, self.token_ends_at) if self.token_ends_at else self.ends_at

    def is_token_expired(self, now: datetime) -> bool:
        """Whether the token of whoever speaks on it has ended."""
        return self.token_ends_at is not None and now >= self.token_ends_at

    def is_void(self, now: datetime) -> bool:
        """Older than any connection can be: as good as gone, whether or not it was deleted."""
        return now >= self.ends_at


class Heartbeat(msgspec.Struct, frozen=True):
    """What a contract's connections are told, and how often, so that both sides know of each other.
    A connection that is gone is found out by it."""

    interval: timedelta
    frame: str


class Subscriber(msgspec.Struct, frozen=True):
    """One connection in one room: enough to word an event for it and post it."""

    connection_id: str
    person_id: str
    contract: str
    subscriptions: tuple[str, ...] | None = msgspec.field(default=None, name="hears")
    role: Role | None = None

    def subscribes_to(self, type_: str) -> bool:
        """Whether it has asked for this type of event, or for none in particular."""
        return self.subscriptions is None or type_ in self.subscriptions


def mark_greeted(connection: Connection, rooms: tuple[str, ...]) -> Connection:
    """The connection after its first frames, listening in its person's room and in `rooms`."""
    joined = (person_room(connection.person_id), *rooms)
    return replace(connection, greeted=True, rooms=joined, handshake_actor=None)


def person_room(person_id: str) -> str:
    """The room of everything that is for one person, or for one restaurant."""
    return f"{_PERSON_PREFIX}{person_id}"


def parse_mailbox_room(room: str) -> str | None:
    """Whose mailbox is heard in a room; None for the rooms of many."""
    return room.removeprefix(_PERSON_PREFIX) if room.startswith(_PERSON_PREFIX) else None


def pool_room(pool: str) -> str:
    """The room of the couriers who are told of orders that are open to them all."""
    return f"pool#{pool}"


def public_room(contract: str, connection_id: str) -> str:
    """The room of everybody on a contract that a connection listens in: one of several, as a room
    is one partition."""
    return _public_shard(contract, crc32(connection_id.encode()) % PUBLIC_SHARDS)


def list_public_rooms(contract: str) -> tuple[str, ...]:
    """All the rooms of everybody on a contract."""
    return tuple(_public_shard(contract, shard) for shard in range(PUBLIC_SHARDS))


def _public_shard(contract: str, shard: int) -> str:
    return f"public#{contract}#{shard}"


def list_mailboxes(connection: Connection) -> tuple[str, ...]:
    """Whose mailboxes a connection hears: its person's, and those of the restaurants it is in."""
    return tuple(filter(None, map(parse_mailbox_room, connection.rooms)))


SUBSCRIBER_SHARDS = 8


def list_subscriber_rooms() -> tuple[str, ...]:
    """The rooms that all connections of spec 003 are in, one of them each."""
    return tuple(f"feed#{shard}" for shard in range(SUBSCRIBER_SHARDS))


def subscriber_room(connection_id: str) -> str:
    """Which of them a connection is in."""
    return f"feed#{crc32(connection_id.encode()) % SUBSCRIBER_SHARDS}"
