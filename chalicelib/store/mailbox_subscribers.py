"""A mailbox's subscribers, and what it lists as pending: two attributes of its head's row.

Both are written without the lease, by connections that come and go and by whoever leaves something
to the holder; and taking the lease reads them in the same write. That is what lets a newcomer
subscribe with its arrival pending in one write (rule 7 of services/messaging/mailboxes.py).
"""

from __future__ import annotations

from math import ceil
from typing import Any

import msgspec
from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.update import Action

from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.messaging.mailboxes import MailboxSubscriber
from chalicelib.domain.messaging.pending import encode_arrival
from chalicelib.domain.people import Role
from chalicelib.errors import Stale, TooManySockets
from chalicelib.store.clock import from_epoch_ms
from chalicelib.store.conditional import try_update
from chalicelib.store.decoding import decode_json
from chalicelib.store.tables import MailboxRow

MAX_SUBSCRIBERS = 100  # of one mailbox: a head with more would cost too much to write
MAX_PENDING = 200  # DynamoDB takes at most 300 operators in an expression, and 4 KB
_NO_MAP = "ValidationException"  # the answer to a write into a map where there is none


def append_pending(pending_id: str) -> Action:
    """Make the action that adds to what is pending."""
    action: Action = MailboxRow.pending.set((MailboxRow.pending | []).append([pending_id]))
    return action


def can_append(pending_id: str) -> Condition:
    """Make the condition that there is room for a pending id, and that it is not there yet."""
    pending: Any = MailboxRow.pending
    condition: Condition = pending.does_not_exist() | (
        (size(pending) < MAX_PENDING) & ~pending.contains(pending_id)
    )
    return condition


def add_subscriber(mailbox: str, connection: Connection) -> None:
    """Subscribe a connection to a mailbox, with its arrival pending, in one write. Harmless twice;
    of two writes the one with the newer version of the connection stays, in whatever order they
    come. One that is there already, and would hear the same, arrives but once: it has been
    delivered what came since, and its start cursors are of before. Raises TooManySockets, and
    Stale where it can't be written.

    A mailbox has no map of subscribers until it has the first one, and DynamoDB writes into no map
    that is not there. So this is tried as usual, then as the first, and then (as another may have
    been the first meanwhile) once more as usual.
    """
    subscriber = encode_subscriber(mailbox, connection)
    arrival = append_pending(encode_arrival(connection, mailbox))
    entry = MailboxRow.subscribers[connection.id]
    for _ in range(2):
        try:
            can_arrive = _can_arrive(connection, subscriber)
            if not try_update(MailboxRow(mailbox), [entry.set(subscriber), arrival], can_arrive):
                _renew_subscriber(mailbox, connection, subscriber)
            return
        except UpdateError as error:
            if error.cause_response_code != _NO_MAP:
                raise
        created = MailboxRow.subscribers.set({connection.id: subscriber})
        no_map: Condition = MailboxRow.subscribers.does_not_exist()
        if try_update(MailboxRow(mailbox), [created, arrival], no_map):
            return
    raise Stale


def _can_arrive(connection: Connection, subscriber: dict[str, Any]) -> Condition:
    """Make the condition that a connection is new and there is room for it, or that it is there in
    an older version, for something else; and that there is room for its arrival."""
    entry, pending = MailboxRow.subscribers[connection.id], MailboxRow.pending
    few: Condition = MailboxRow.subscribers.does_not_exist() | (
        size(MailboxRow.subscribers) < MAX_SUBSCRIBERS
    )
    room: Condition = pending.does_not_exist() | (size(pending) < MAX_PENDING)
    is_older: Condition = entry["v"] < connection.version
    is_new: Condition = entry.does_not_exist() & few
    condition: Condition = (is_new | (is_older & ~_is_same(connection, subscriber))) & room
    return condition


def _is_same(connection: Connection, subscriber: dict[str, Any]) -> Condition:
    """Make the condition that a connection's entry says what it would hear, and until when."""
    entry = MailboxRow.subscribers[connection.id]
    condition: Condition = entry["x"] == subscriber["x"]
    for name in ("h", "f"):
        same = (
            entry[name] == subscriber[name] if name in subscriber else entry[name].does_not_exist()
        )
        condition &= same
    return condition


def _renew_subscriber(mailbox: str, connection: Connection, subscriber: dict[str, Any]) -> None:
    """Note the newer version of a connection that could not arrive, as it is there already. Raises
    TooManySockets or Stale where that was not why."""
    row = MailboxRow.get(mailbox, consistent_read=True)
    entries = row.subscribers.as_dict() if row.subscribers else {}
    found = entries.get(connection.id)
    if found and int(found["v"]) >= connection.version:
        return
    if found is None and len(entries) >= MAX_SUBSCRIBERS:
        raise TooManySockets
    entry = MailboxRow.subscribers[connection.id]
    is_older: Condition = entry["v"] < connection.version
    renewed = [entry.set(subscriber)]
    if not try_update(MailboxRow(mailbox), renewed, is_older & _is_same(connection, subscriber)):
        raise Stale


def remove_subscriber(mailbox: str, connection_id: str) -> None:
    """Take a connection out of a mailbox. Harmless if it was not there. Raises Stale while a
    transaction holds the head."""
    entry = MailboxRow.subscribers[connection_id]
    try_update(MailboxRow(mailbox), [entry.remove()], entry.exists())


def encode_subscriber(mailbox: str, connection: Connection) -> dict[str, Any]:
    """Encode a connection as its entry in a mailbox's head: short, as it is written, and paid for,
    with each event."""
    person_id, role, types = connection.person_id, connection.role, connection.subscriptions
    resumption = connection.resumption if connection.is_positioned else None
    others = resumption.encode_others(mailbox) if resumption else None
    return {
        "c": connection.contract,
        "v": connection.version,
        "x": ceil(connection.subscribed_until.timestamp()),
        **({"p": person_id} if person_id != mailbox else {}),
        **({"r": role.value} if role else {}),
        **({"f": others} if others is not None else {}),
        **({"h": msgspec.json.encode(types).decode()} if types is not None else {}),
    }


def estimate_size(subscribers: tuple[MailboxSubscriber, ...]) -> int:
    """Estimate how many bytes of a head its subscribers take."""
    return sum(
        50
        + len(one.subscriber.connection_id)
        + len(one.subscriber.other_logs or "")
        + sum(map(len, one.subscriber.subscriptions or ()))
        for one in subscribers
    )


def decode_subscribers(row: MailboxRow) -> tuple[MailboxSubscriber, ...]:
    """Decode the subscribers in a head's row."""
    entries = row.subscribers.as_dict() if row.subscribers else {}
    return tuple(
        MailboxSubscriber(
            _decode_subscriber(str(row.person_id), id_, entry),
            from_epoch_ms(1000 * int(entry["x"])),
        )
        for id_, entry in entries.items()
    )


def _decode_subscriber(mailbox: str, connection_id: str, entry: dict[str, Any]) -> Subscriber:
    return Subscriber(
        connection_id,
        entry.get("p", mailbox),
        entry["c"],
        decode_json(entry["h"], tuple[str, ...]) if "h" in entry else None,
        Role(entry["r"]) if "r" in entry else None,
        entry.get("f"),
    )
