"""The head of a person's log: where it ends, its newest events, what has been told, what is in it.

A restaurant has a mailbox too, under a name that no person can have: whoever owns it hears it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from chalicelib.domain.connections import Listener
from chalicelib.domain.events import Event, order_of

REMEMBERED_FOR = timedelta(minutes=15)  # longer than any wakeup is tried again


RESTAURANT = "restaurant#"


def restaurant_box(restaurant_id: str) -> str:
    """Whose mailbox it is that a restaurant's owners hear."""
    return f"{RESTAURANT}{restaurant_id}"


class Hearing(msgspec.Struct, frozen=True):
    """A connection that hears a mailbox, and when it has certainly ended."""

    listener: Listener
    until: datetime


class Mailbox(msgspec.Struct, frozen=True):
    """`next_seq` is the place of the next event; all up to `delivered_to` have been told.

    That is for connections that hear everything. For those that subscribe, `heard` says for each
    type of event up to where it has been told to one that asked for it.

    `taken` says for each stream up to which version its events are in the log, and when that was
    noted (epoch seconds); `todo` are marks (stream@version) of what is to be taken in, the earliest
    first. `tail` are the newest events of the log, those that the head keeps itself; `fresh` those
    after them that the holder of the lease has put in and not written yet. `hearing` are those who
    are told, and `held_until` when its lease runs out, as of when it was read.
    """

    person_id: str
    next_seq: int = 1
    delivered_to: int = 0
    heard: dict[str, int] = {}
    taken: dict[str, tuple[int, int]] = {}
    todo: tuple[str, ...] = ()
    tail: tuple[Event, ...] = ()
    fresh: tuple[Event, ...] = ()
    hearing: tuple[Hearing, ...] = ()
    held_until: datetime | None = None

    def held(self, now: datetime) -> bool:
        """Whether somebody has the lease."""
        return self.held_until is not None and self.held_until >= now

    def listeners(self, now: datetime) -> list[Listener]:
        """Those who hear this mailbox now."""
        return [one.listener for one in self.hearing if one.until > now]

    @property
    def last_seq(self) -> int:
        """The place of the newest event, 0 where there is none."""
        return self.next_seq - 1

    @property
    def recent(self) -> tuple[Event, ...]:
        """The newest events, in order: all those that are nowhere but here, and maybe more."""
        return self.tail + self.fresh

    def putting(self, event: Event) -> Mailbox:
        """The head after an event was given the next place of the log."""
        placed = replace(event, seq=self.next_seq)
        return replace(self, next_seq=self.next_seq + 1, fresh=(*self.fresh, placed))

    def told_to(self, hears: tuple[str, ...] | None) -> int:
        """Up to where those who hear these types (None: all) have certainly been told."""
        if hears is None:
            return self.delivered_to
        return min((self.heard.get(type_, 0) for type_ in hears), default=self.last_seq)

    def owes(self, type_: str, seq: int, hears: tuple[str, ...] | None) -> bool:
        """Whether the event at `seq` is still to be told to those who hear these types."""
        if hears is None:
            return seq > self.delivered_to
        return type_ in hears and seq > self.heard.get(type_, 0)

    def having_told(self, hears: tuple[str, ...] | None, upto: int) -> Mailbox:
        """The head after everything up to a place was told to one who hears these types."""
        if hears is None:
            return replace(self, delivered_to=max(upto, self.delivered_to))
        told = {type_: max(upto, self.heard.get(type_, 0)) for type_ in hears}
        return replace(self, heard={**self.heard, **told})

    def has(self, stream: str, version: int) -> bool:
        """Whether the events of a stream are in the log up to a version."""
        return self.taken.get(stream, (0, 0))[0] >= version

    def orders_since(self, at: datetime) -> list[int]:
        """The ids of the orders whose events were put in from a time on, some minutes back."""
        since = int(at.timestamp())
        ids = (order_of(stream) for stream, note in self.taken.items() if note[1] >= since)
        return [id_ for id_ in ids if id_ is not None]

    def noting(self, stream: str, version: int, now: datetime) -> Mailbox:
        """The head after the events up to `version` are in; old notes are dropped."""
        at = int(now.timestamp())
        oldest = at - int(REMEMBERED_FOR.total_seconds())
        kept = {s: tuple(note) for s, note in self.taken.items() if note[1] >= oldest}
        return replace(self, taken={**kept, stream: (version, at)})
