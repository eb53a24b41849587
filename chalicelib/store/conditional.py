"""Conditional writes: a row is written only while a condition holds of the one in the table.

A condition that does not hold means that another writer came first. That is no failure: it is
returned as False by the `try_…` functions, and raised as Stale by the `…_if` functions and by
`transaction`, for the caller to read again and decide again.

The SDK sends a write again whose answer got lost, and the second one meets what the first one
wrote. So every condition here must hold of that, too: a `commit` attribute with a token of the
write says so, or else the writer would take its own row for another's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from pynamodb.connection import Connection
from pynamodb.exceptions import PutError, TransactWriteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.errors import Stale
from chalicelib.store.failures import is_lost_race, read_cancellation


def try_save(row: Model, condition: Condition) -> bool:
    """Put a row; return False if the condition does not hold."""
    try:
        row.save(condition=condition)
    except PutError as error:
        if is_lost_race(error):
            return False
        raise
    return True


def try_update(row: Model, actions: Sequence[Action], condition: Condition) -> bool:
    """Update a row; return False if the condition does not hold. `row` is then as it was, and else
    as it is in the table after the update."""
    try:
        row.update(actions=list(actions), condition=condition)
    except UpdateError as error:
        if is_lost_race(error):
            return False
        raise
    return True


class RowUpdate(msgspec.Struct, frozen=True):
    """One conditional update of a row, by itself or as a part of a transaction."""

    row: Any
    actions: list[Any]
    condition: Any

    def try_alone(self) -> bool:
        """Make the update by itself; False if its condition does not hold any more."""
        return try_update(self.row, self.actions, self.condition)

    def add_to(self, write: TransactWrite) -> None:
        """Add the update to a transaction."""
        write.update(self.row, actions=self.actions, condition=self.condition)


def save_if(row: Model, condition: Condition) -> None:
    """Put a row. Raises Stale if the condition does not hold."""
    if not try_save(row, condition):
        raise Stale


def save_once(row: Model, is_absent: Condition) -> None:
    """Put a row unless it is there already: whoever came first wrote the same. Raises Stale where a
    transaction holds the row, as nobody can tell then."""
    try_save(row, is_absent)


def update_if(row: Model, actions: Sequence[Action], condition: Condition) -> None:
    """Update a row. Raises Stale if the condition does not hold."""
    if not try_update(row, actions, condition):
        raise Stale


@contextmanager
def transaction(connection: Connection) -> Iterator[TransactWrite]:
    """Write everything that the block adds, or nothing of it. Raises Stale if a condition does not
    hold, or if a row can't be written now."""
    try:
        with TransactWrite(connection=connection) as write:
            yield write
    except TransactWriteError as error:
        if read_cancellation(error) is None:
            raise
        raise Stale from None
