"""A person's log as a stream that is read from an offset, and waited for at its end.

Reading is all there is: neither a cursor nor a lease is touched. An event is seen once it is
written, some milliseconds after it was posted to sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.domain.messaging.positions import NOW, LogPlace, find_seq
from chalicelib.errors import NotKept
from chalicelib.services.messaging.event_history import EventFilter
from chalicelib.services.messaging.kept_log import KeptLog
from chalicelib.services.ports import Clock, MailboxStore

BEGINNING = "-1"
MAX_EVENTS = 100  # of a page
_MAX_LOOKED_AT = 1000  # for a page
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 1.0  # between two looks at the head


class StreamPage(NamedTuple):
    """Events of a log, up to the place `end`; `is_up_to_date` where that is the log's end."""

    events: list[Event]
    end: LogPlace
    is_up_to_date: bool


class EventStream:
    """Reads people's logs as streams."""

    def __init__(
        self, store: MailboxStore, kept: KeptLog, clock: Clock, sleep: Callable[[float], object]
    ) -> None:
        self._store = store
        self._kept = kept
        self._clock = clock
        self._sleep = sleep

    def get_end(self, person_id: str) -> LogPlace:
        """Return the end of a person's log."""
        return self._kept.get_head(person_id).end

    def read_page(
        self, person_id: str, offset: str, is_wanted: EventFilter, wait: timedelta
    ) -> StreamPage:
        """Read the wanted events of a person's log after an offset: a position, BEGINNING or NOW.
        Where there are none, wait for them, so long at most.

        Raises InvalidInput where that is no offset; NotKept where what comes after it is not kept.
        """
        until = self._clock() + wait
        box = self._kept.get_head(person_id)
        page = self._list_after(box, self._find_start(box, offset), is_wanted)
        pause_s = _FIRST_PAUSE_S
        while not page.events and page.is_up_to_date and self._clock() < until:
            left_s = (until - self._clock()).total_seconds()
            self._sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
            box = self._store.get_eventually(person_id)
            if box.epoch == page.end.epoch and box.last_seq > page.end.seq:
                page = self._list_after(box, page.end.seq, is_wanted)
        return page

    def _find_start(self, box: Mailbox, offset: str) -> int:
        """Find the place after which to read."""
        if offset == NOW:
            return box.last_seq
        if offset == BEGINNING:
            oldest = self._kept.find_oldest(box)
            return box.last_seq if oldest is None else oldest - 1
        seq = find_seq(offset, box.epoch, "offset")
        if seq is None:
            raise NotKept("This offset is of another log: read it from -1.")
        # Sockets are told of an event before it is written: a position may be ahead for a moment.
        is_early = seq > box.last_seq and box.may_still_append(self._clock())
        if not is_early and not self._kept.has_all_after(box, seq):
            raise NotKept("Not all that came after this offset is kept: read it from -1.")
        return seq

    def _list_after(self, box: Mailbox, seq: int, is_wanted: EventFilter) -> StreamPage:
        """List what comes after a place. At a place that is missing the page ends: whoever reads on
        from there is told that it is gone."""
        found: list[Event] = []
        looked_at = 0
        for event in self._kept.iterate_kept(box, seq + 1):
            is_full = looked_at == _MAX_LOOKED_AT or len(found) == MAX_EVENTS
            if is_full or event.seq != seq + 1:
                return StreamPage(found, LogPlace(box.epoch, seq), False)
            looked_at, seq = looked_at + 1, event.seq
            if is_wanted(event):
                found.append(event)
        return StreamPage(found, LogPlace(box.epoch, seq), seq >= box.last_seq)
