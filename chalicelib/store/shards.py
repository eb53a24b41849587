"""Reading an index of deadlines that is split into shards, so that none of them has to wait for
another."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from pynamodb.attributes import NumberAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.tables import SHARDS

T = TypeVar("T")


def is_due(at: NumberAttribute, now: datetime, since: datetime | None) -> Condition:
    """Make the condition that a deadline, in epoch ms, has passed; since a time if one is given."""
    if since is None:
        condition: Condition = at <= to_epoch_ms(now)
        return condition
    return at.between(to_epoch_ms(since), to_epoch_ms(now))


def read_in_turns(read: Callable[[int], Iterator[T]]) -> Iterator[T]:
    """Yield one row of each shard after the other, until all are read.

    The first shard is drawn by lot: readers that stop early, or that read at the same time, must
    not all get the same rows. A shard that can't be read keeps nobody from the others: the first
    failure is raised when all others have been read.
    """
    first = random.randrange(SHARDS)
    turns = deque(read((first + n) % SHARDS) for n in range(SHARDS))
    failure: Exception | None = None
    while turns:
        rows = turns.popleft()
        try:
            row = next(rows, None)
        except Exception as error:  # noqa: BLE001 - raised below
            failure = failure or error
            continue
        if row is not None:
            turns.append(rows)
            yield row
    if failure:
        raise failure
