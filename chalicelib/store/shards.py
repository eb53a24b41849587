"""Reading an index that is split into shards, so that none of them has to wait for another."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

from chalicelib.store.tables import SHARDS

T = TypeVar("T")


def read_in_turns(read: Callable[[int], Iterator[T]]) -> Iterator[T]:
    """Read one row of each shard after the other, beginning with any of them: whoever reads less
    than all there is, or reads at the same time as another, does not always read the same.

    A shard that can't be read keeps nobody from the others; its failure is raised in the end.
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
