"""A WebSocket as the core knows it: an opaque id, a person, and the name of a contract."""

from __future__ import annotations

from datetime import datetime, timedelta
from zlib import crc32

import msgspec
from msgspec.structs import replace

from chalicelib.domain.messaging.positions import LogPlace, encode_position
from chalicelib.domain.messaging.watching import Watch
from chalicelib.domain.people import Actor, Role

MAX_CONNECTION_AGE = timedelta(hours=2, minutes=5)  # AWS quota: 2 h; older rows are void
CHECK_INTERVAL = timedelta(minutes=10)  # AWS quota: 10 min idle; a $disconnect may be lost
WATCH_CHECK_INTERVAL = timedelta(minutes=1)  # whether what it watches is still kept up to date
PUBLIC_SHARDS = 8  # rooms for everybody on a contract
SUBSCRIBER_SHARDS = 8  # rooms for everybody who subscribes to some types
_PERSON_PREFIX = "person#"
LINK_PREFIX = "track#"  # of whoever has a tracking link: no token names such a person


class Resumption(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a connection hears from a position on that its client holds, and how far that has got.

    `asked` is that position, or NOW until its person is known. For NOW it is then the ends of the
    logs, and `from_now` says so. `start` is by mailbox the place after which its events are told,
    `reached` up to where they have been; both have the log's epoch. `types` are those that are
    told, None for all. With `is_answered` its client knows what comes; with `is_done` it is told
    what is kept, and hears the rest as others do. `claim` names who is at it, until `claimed_until`
    (epoch ms).
    """

    asked: str
    from_now: bool = False
    start: dict[str, LogPlace] = {}
    reached: dict[str, LogPlace] = {}
    types: tuple[str, ...] | None = None
    is_answered: bool = False
    is_done: bool = False
    claim: str = ""
    claimed_until: int = 0

    def is_claimed(self, now: datetime) -> bool:
        """Tell whether somebody is just telling what is kept."""
        return self.claimed_until > now.timestamp() * 1000

    def with_types(self, types: tuple[str, ...] | None) -> Resumption:
        """Return it to tell these types: from its start, where some are new. Whoever is at it stays
        so, or two would tell side by side, each with positions that skip what the other has not
        told yet."""
        is_more = not set(types or ()) <= set(self.types or ())
        return replace(self, types=types, reached=self.start if is_more else self.reached)

    def encode_others(self, mailbox: str) -> str:
        """Encode what has been told of the logs other than one mailbox's."""
        return encode_position(at for name, at in self.reached.items() if name != mailbox)


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
    `resumption` is there where its client holds its own position (positions.py).
    `watch` is there where it is shown the dispatcher's board, and nothing else (watching.py).
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
    resumption: Resumption | None = msgspec.field(default=None, name="resume")
    watch: Watch | None = None

    @property
    def check_interval(self) -> timedelta:
        """How often it is checked where it has no heartbeat."""
        return CHECK_INTERVAL if self.watch is None else WATCH_CHECK_INTERVAL

    @property
    def is_positioned(self) -> bool:
        """True once it hears with positions what is new: its mailboxes keep no place for its
        person, and it takes none from there."""
        return self.resumption is not None and self.resumption.is_done

    @property
    def is_resuming(self) -> bool:
        """True while it is to be told what is kept. (Where its client says what types it wants, not
        before it has.)"""
        resumption = self.resumption
        if resumption is None or resumption.is_done:
            return False
        return self.subscriptions is None or resumption.types is not None

    def with_due_resumption(self, before: Connection) -> Connection:
        """Return the connection, which was as `before`, to be told what is kept: of the types that
        it has just subscribed to, where it is told of the others already. As it is, if it holds no
        position or there is nothing new to tell."""
        resumption = self.resumption
        if resumption is None or (not before.person_id and self.subscriptions is not None):
            return self
        if before.is_resuming:
            return replace(self, resumption=resumption.with_types(self._list_due_types(before)))
        types = self.subscriptions
        if resumption.is_done:
            types = tuple(t for t in types or () if t not in (before.subscriptions or ()))
            if not types:
                return self
        due = replace(
            resumption,
            types=types,
            reached=resumption.start,
            is_done=False,
            claim="",
            claimed_until=0,
        )
        return replace(self, resumption=due)

    def _list_due_types(self, before: Connection) -> tuple[str, ...] | None:
        """List the types that are to be told of a connection that was being told some: those, and
        what it has subscribed to since. (What it had been told before is not among them.)"""
        if self.subscriptions is None:
            return None
        told = (before.resumption.types if before.resumption else None) or ()
        others = before.subscriptions or ()
        return tuple(t for t in self.subscriptions if t in told or t not in others)

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
    """One connection in one room: enough to render an event for it and post it.

    `other_logs` is there where its client holds its own position: what that says of the logs other
    than this mailbox's.
    """

    connection_id: str
    person_id: str
    contract: str
    subscriptions: tuple[str, ...] | None = msgspec.field(default=None, name="hears")
    role: Role | None = None
    other_logs: str | None = None

    @property
    def is_positioned(self) -> bool:
        """True where its client holds its own position."""
        return self.other_logs is not None

    def subscribes_to(self, type_: str) -> bool:
        """Tell whether it subscribes to a type of event, or to every type."""
        return self.subscriptions is None or type_ in self.subscriptions


def mark_greeted(connection: Connection, rooms: tuple[str, ...]) -> Connection:
    """Return the connection after its first frames, in its person's room and in `rooms`. One that
    watches has no part in what its person is told."""
    own = (name_person_room(connection.person_id),) if connection.watch is None else ()
    joined = (*own, *rooms)
    return replace(connection, greeted=True, rooms=joined, handshake_actor=None)


def name_person_room(person_id: str) -> str:
    """Name the room of one person, or of one restaurant: its subscribers are those of a mailbox.
    The bearers of a tracking link have a room without one: what they hear is kept nowhere."""
    return person_id if person_id.startswith(LINK_PREFIX) else f"{_PERSON_PREFIX}{person_id}"


def parse_mailbox_room(room: str) -> str | None:
    """Read whose mailbox a room is; None for the rooms of many."""
    return room.removeprefix(_PERSON_PREFIX) if is_mailbox_room(room) else None


def is_mailbox_room(room: str) -> bool:
    """Tell whether a room's subscribers are those of a mailbox."""
    return room.startswith(_PERSON_PREFIX)


def name_pool_room(pool: str) -> str:
    """Name the room of the couriers who may take a pool's orders."""
    return f"pool#{pool}"


def name_public_room(contract: str, connection_id: str) -> str:
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


def name_subscriber_room(connection_id: str) -> str:
    """Name the one of these rooms that a connection is in."""
    return f"feed#{crc32(connection_id.encode()) % SUBSCRIBER_SHARDS}"
