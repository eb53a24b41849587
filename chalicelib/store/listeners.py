"""Who hears a mailbox: a map in its head, so that one write takes the lease and finds them all."""

from __future__ import annotations

from typing import Any

import msgspec
from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition, size

from chalicelib.domain.connections import Connection, Listener
from chalicelib.domain.mailboxes import Hearing
from chalicelib.domain.people import Role
from chalicelib.errors import Stale, TooManySockets
from chalicelib.store.clock import from_ms
from chalicelib.store.failures import lost_race
from chalicelib.store.tables import MailboxRow

MOST = 100  # of one mailbox: a head with more would cost too much to write
_NO_MAP = "ValidationException"  # what a write into a map is told where there is none


def join(mailbox: str, connection: Connection) -> None:
    """Let a socket hear a mailbox: what it asked for last, whichever message gets here first.
    Harmless twice. Raises TooManySockets, and Stale where it can't be written."""
    mine = MailboxRow.listeners[connection.id]
    room: Condition = MailboxRow.listeners.does_not_exist() | (size(MailboxRow.listeners) < MOST)
    listener = encode(mailbox, connection)
    for _ in range(2):
        try:
            MailboxRow(mailbox).update(
                actions=[mine.set(listener)],
                condition=(mine.does_not_exist() & room) | (mine["v"] <= connection.version),
            )
        except UpdateError as error:
            if lost_race(error):
                _check(mailbox, connection.id)
                return
            if error.cause_response_code != _NO_MAP:
                raise
            if _first(mailbox, connection.id, listener):
                return
        else:
            return
    raise Stale


def _first(mailbox: str, connection_id: str, listener: dict[str, Any]) -> bool:
    """Make the map, with the first who hears. False if there is one by now."""
    try:
        MailboxRow(mailbox).update(
            actions=[MailboxRow.listeners.set({connection_id: listener})],
            condition=MailboxRow.listeners.does_not_exist(),
        )
    except UpdateError as error:
        if lost_race(error):
            return False
        raise
    return True


def _check(mailbox: str, connection_id: str) -> None:
    """Whether a socket that was not let in had been before, and asked for something newer."""
    row = MailboxRow.get(mailbox, consistent_read=True)
    if connection_id not in (row.listeners.as_dict() if row.listeners else {}):
        raise TooManySockets


def leave(mailbox: str, connection_id: str) -> None:
    """Take a socket out. Harmless if it was not there."""
    mine = MailboxRow.listeners[connection_id]
    try:
        MailboxRow(mailbox).update(actions=[mine.remove()], condition=mine.exists())
    except UpdateError as error:
        if not lost_race(error):
            raise


def encode(mailbox: str, connection: Connection) -> dict[str, Any]:
    """A connection as a mailbox's head has it: short, as it is written with it each time."""
    whose, role, hears = connection.person_id, connection.role, connection.hears
    return {
        "c": connection.contract,
        "v": connection.version,
        "x": int(connection.ends_at.timestamp()),
        **({"p": whose} if whose != mailbox else {}),
        **({"r": role.value} if role else {}),
        **({"h": msgspec.json.encode(hears).decode()} if hears is not None else {}),
    }


def weight(hearing: tuple[Hearing, ...]) -> int:
    """About how many bytes of a head they take."""
    return sum(
        50 + len(one.listener.connection_id) + sum(map(len, one.listener.hears or ()))
        for one in hearing
    )


def decode(row: MailboxRow) -> tuple[Hearing, ...]:
    """Those who hear, with when their connections have certainly ended."""
    return tuple(
        Hearing(_listener(str(row.person_id), id_, one), from_ms(1000 * int(one["x"])))
        for id_, one in (row.listeners.as_dict() if row.listeners else {}).items()
    )


def _listener(mailbox: str, connection_id: str, one: dict[str, Any]) -> Listener:
    return Listener(
        connection_id,
        one.get("p", mailbox),
        one["c"],
        msgspec.json.decode(one["h"], type=tuple[str, ...]) if "h" in one else None,
        Role(one["r"]) if "r" in one else None,
    )
