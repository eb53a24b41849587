"""Keys of requests: rows that are written in the transaction of what the keys stand for."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from chalicelib.domain.request_keys import RequestKey, UsedKey
from chalicelib.store.clock import from_epoch_ms
from chalicelib.store.conditional import save_if, transaction, try_save, try_update
from chalicelib.store.tables import ChatRow, KeyRow, PaymentRow


class KeyPut(NamedTuple):
    """The write of a key, for a transaction."""

    row: KeyRow
    condition: Condition

    def add_to(self, write: TransactWrite) -> None:
        """Make this a part of a transaction."""
        write.save(self.row, condition=self.condition)


class KeyTable:
    """Reads the keys table."""

    def find_key(self, name: str, now: datetime) -> UsedKey | None:
        """Read what a key was used for, strongly consistent; None if it was not, or is expired.
        (DynamoDB deletes what is expired some days late.)"""
        try:
            row = KeyRow.get(name, consistent_read=True)
        except DoesNotExist:
            return None
        expires_at = from_epoch_ms(row.expires * 1000) if row.expires else None
        if expires_at and expires_at <= now:
            return None
        return UsedKey(RequestKey(name, row.request, expires_at), row.target)

    def insert_key(self, key: RequestKey, target: str, now: datetime) -> bool:
        """Write a key by itself. Returns False if it is used."""
        put = make_key_put(key, target, now, uuid4().hex)
        return try_save(put.row, put.condition)

    def replace_target(self, name: str, before: str, after: str) -> bool:
        """Write another target of a key whose target is `before`. Returns False if it is not, nor
        is `after`, which is there where the answer to this very write got lost."""
        is_before: Condition = (KeyRow.target == before) | (KeyRow.target == after)
        return try_update(KeyRow(name), [KeyRow.target.set(after)], is_before)


def save_with_key(
    connection: Connection,
    row: ChatRow | PaymentRow,
    condition: Condition,
    key: RequestKey | None,
    target: str,
    now: datetime,
) -> None:
    """Put a row together with the key of its request, if it has one.
    Raises Stale if the condition does not hold, or the key is used."""
    if key is None:
        save_if(row, condition)
        return
    with transaction(connection) as write:
        write.save(row, condition=condition)
        make_key_put(key, target, now, row.commit).add_to(write)


def make_key_put(key: RequestKey, target: str, now: datetime, commit: str) -> KeyPut:
    """Make the write of a key that nobody uses. `commit` is the token of the whole transaction."""
    expires = int(key.expires_at.timestamp()) if key.expires_at else None
    row = KeyRow(key.name, request=key.request_hash, target=target, commit=commit, expires=expires)
    is_free: Condition = KeyRow.name.does_not_exist() | (KeyRow.expires <= int(now.timestamp()))
    return KeyPut(row, is_free | (KeyRow.commit == commit))
