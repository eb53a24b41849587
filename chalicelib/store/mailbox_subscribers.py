"""Who hears a mailbox: a map in its head, so that one write takes the lease and finds them all."""

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
from chalicelib.store.failures import is_lost_race
from chalicelib.store.tables import MailboxRow

MAX_SUBSCRIBERS = 100  # of one mailbox: a head with more would cost too much to write
MAX_PENDING = (
    200  # marks in one head: DynamoDB takes at most 300 operators in an expression, and 4 KB
)
_NO_MAP = "ValidationException"  # what a write into a map is told where there is none


def append_pending(mark: str) -> Action:
    """The addition of a mark to what is to be taken in."""
    action: Action = MailboxRow.todo.set((MailboxRow.todo | []).append([mark]))
    return action


def can_append(mark: str) -> Condition:
    """That there is room for a mark, and that it is not there yet."""
    todo: Any = MailboxRow.todo
    room: Condition = todo.does_not_exist() | ((size(todo) < MAX_PENDING) & ~todo.contains(mark))
    return room


def add_subscriber(mailbox: str, connection: Connection) -> None:
    """Let a socket hear a mailbox: what it asked for last, whichever message gets here first. Where
    it begins is left to the holder of the lease in the same write. Harmless twice.

    Raises TooManySockets, and Stale where it can't be written.
    """
    mine, todo = MailboxRow.listeners[connection.id], MailboxRow.todo
    few: Condition = MailboxRow.listeners.does_not_exist() | (
        size(MailboxRow.listeners) < MAX_SUBSCRIBERS
    )
    room: Condition = todo.does_not_exist() | (size(todo) < MAX_PENDING)
    listener, arrival = (
        encode_subscriber(mailbox, connection),
        append_pending(encode_arrival(connection, mailbox)),
    )
    for _ in range(2):
        try:
            MailboxRow(mailbox).update(
                actions=[mine.set(listener), arrival],
                condition=((mine.does_not_exist() & few) | (mine["v"] < connection.version)) & room,
            )
        except UpdateError as error:
            if is_lost_race(error):
                _check_refusal(mailbox, connection)
                return
            if error.cause_response_code != _NO_MAP:
                raise
            if _create_map(mailbox, connection.id, listener, arrival):
                return
        else:
            return
    raise Stale


def _create_map(
    mailbox: str, connection_id: str, listener: dict[str, Any], arrival: Action
) -> bool:
    """Make the map, with the first who hears. False if there is one by now."""
    try:
        MailboxRow(mailbox).update(
            actions=[MailboxRow.listeners.set({connection_id: listener}), arrival],
            condition=MailboxRow.listeners.does_not_exist(),
        )
    except UpdateError as error:
        if is_lost_race(error):
            return False
        raise
    return True


def _check_refusal(mailbox: str, connection: Connection) -> None:
    """Find out why a socket was not let in. It may have been before, and asked for the same or for
    something newer. Raises TooManySockets, Stale."""
    row = MailboxRow.get(mailbox, consistent_read=True)
    listening = row.listeners.as_dict() if row.listeners else {}
    one = listening.get(connection.id)
    if one and int(one["v"]) >= connection.version:
        return
    if one is None and len(listening) >= MAX_SUBSCRIBERS:
        raise TooManySockets
    raise Stale


def remove_subscriber(mailbox: str, connection_id: str) -> None:
    """Take a socket out. Harmless if it was not there."""
    mine = MailboxRow.listeners[connection_id]
    try:
        MailboxRow(mailbox).update(actions=[mine.remove()], condition=mine.exists())
    except UpdateError as error:
        if not is_lost_race(error):
            raise


def encode_subscriber(mailbox: str, connection: Connection) -> dict[str, Any]:
    """A connection as a mailbox's head has it: short, as it is written with it each time."""
    whose, role, hears = connection.person_id, connection.role, connection.subscriptions
    return {
        "c": connection.contract,
        "v": connection.version,
        "x": ceil(connection.subscribed_until.timestamp()),
        **({"p": whose} if whose != mailbox else {}),
        **({"r": role.value} if role else {}),
        **({"h": msgspec.json.encode(hears).decode()} if hears is not None else {}),
    }


def estimate_size(hearing: tuple[MailboxSubscriber, ...]) -> int:
    """About how many bytes of a head they take."""
    return sum(
        50 + len(one.subscriber.connection_id) + sum(map(len, one.subscriber.subscriptions or ()))
        for one in hearing
    )


def decode_subscribers(row: MailboxRow) -> tuple[MailboxSubscriber, ...]:
    """Those who hear, with when their connections have certainly ended."""
    return tuple(
        MailboxSubscriber(
            _decode_subscriber(str(row.person_id), id_, one), from_epoch_ms(1000 * int(one["x"]))
        )
        for id_, one in (row.listeners.as_dict() if row.listeners else {}).items()
    )


def _decode_subscriber(mailbox: str, connection_id: str, one: dict[str, Any]) -> Subscriber:
    return Subscriber(
        connection_id,
        one.get("p", mailbox),
        one["c"],
        msgspec.json.decode(one["h"], type=tuple[str, ...]) if "h" in one else None,
        Role(one["r"]) if "r" in one else None,
    )
