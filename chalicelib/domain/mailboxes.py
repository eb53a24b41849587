"""The head of a person's log: where it ends, what has been told, what is already in it."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

REMEMBERED_FOR = timedelta(minutes=15)  # longer than any wakeup is tried again


class Mailbox(msgspec.Struct, frozen=True):
    """`next_seq` is the place of the next event; all up to `delivered_to` have been told.

    `taken` says for each stream up to which version its events are in the log, and when that was
    noted (epoch seconds); `todo` are marks (stream@version) that others left to whoever holds the
    lease.
    """

    person_id: str
    next_seq: int = 1
    delivered_to: int = 0
    taken: dict[str, tuple[int, int]] = {}
    todo: frozenset[str] = frozenset()

    def has(self, stream: str, version: int) -> bool:
        """Whether the events of a stream are in the log up to a version."""
        return self.taken.get(stream, (0, 0))[0] >= version

    def noting(self, stream: str, version: int, now: datetime) -> Mailbox:
        """The head after the events up to `version` are in; old notes are dropped."""
        at = int(now.timestamp())
        oldest = at - int(REMEMBERED_FOR.total_seconds())
        kept = {s: tuple(note) for s, note in self.taken.items() if note[1] >= oldest}
        return replace(self, taken={**kept, stream: (version, at)})
