"""A log as clients read it who hold a position: what of it is kept, and whether that is all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import dropwhile

from chalicelib.domain.events import LOGGED_FOR, Event
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.services.ports import Clock, MailboxStore


class KeptLog:
    """Reads logs. An event is kept for LOGGED_FOR; DynamoDB deletes its row some time later, and
    that does not count. Strongly consistent."""

    def __init__(self, store: MailboxStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def get_head(self, mailbox: str) -> Mailbox:
        """Read the head of a log. One that never had an event gets its epoch now: a write, once."""
        box = self._store.get_mailbox(mailbox)
        return box if box.epoch else self._store.give_epoch(mailbox, self._clock())

    def iterate_kept(self, box: Mailbox, first_seq: int) -> Iterator[Event]:
        """Yield the events that are kept, from a place on, in order. They are read only as far as
        the caller goes on."""
        since = self._clock() - LOGGED_FOR
        events = self._store.iterate_events_from(box, first_seq)
        return dropwhile(lambda event: event.at <= since, events)

    def has_all_after(self, box: Mailbox, seq: int) -> bool:
        """Tell whether everything after a place of the log is kept."""
        if seq >= box.last_seq:
            return seq == box.last_seq
        following = next(self.iterate_kept(box, seq + 1), None)
        return following is not None and following.seq == seq + 1

    def find_oldest(self, box: Mailbox) -> int | None:
        """Find the place of the oldest event that is kept, None where none is."""
        oldest = next(self.iterate_kept(box, 1), None)
        return oldest.seq if oldest else None


def split_runs(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Split events of a log wherever a place is missing."""
    first = 0
    for n in range(1, len(events) + 1):
        if n == len(events) or events[n].seq != events[n - 1].seq + 1:
            yield events[first:n]
            first = n
