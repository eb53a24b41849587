"""Ticks: one after the other, each tells those who watch how the board differs from the last.

A tick has a number; with the epoch of its row that is a position (domain/messaging/positions.py):
who has been told up to a tick knows the board as it was read for it. A tick is taken by one write
and ended by another. Between the two nobody else may take one, for BUSY_FOR: then whoever took it
is dead, and the next tick repeats what it may have told to some.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from chalicelib.domain.messaging.positions import NOW, LogPlace, encode_position, find_seq

SHORTEST_INTERVAL = timedelta(seconds=1)
BUSY_FOR = timedelta(seconds=15)
LOST_AFTER = timedelta(seconds=5)  # a wakeup that is so late is not waited for
# How far clocks may differ, and by how much an eventually consistent read may be behind.
MARGIN = timedelta(seconds=10)
# Who is told nothing else is told so much that they know of us: less than ten seconds apart, with
# an interval between.
BEAT_EVERY = timedelta(seconds=8)
_LONGEST_WAIT = timedelta(minutes=5)  # a time that is further away is a wrong clock's
_MARK_EVERY = timedelta(minutes=1)
_MARKS_KEPT = timedelta(hours=1)


class Mark(NamedTuple):
    """For which time (epoch s) the board was read that a tick told of."""

    number: int
    at_s: int


class TickState(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the ticks have got.

    `number` is the last that was taken, at `taken_at`, and `next_at` when the next may be. It is
    not ended while `busy_until` is set. `last_told` is the last tick that told everybody, and
    `last_told_at` for when its board was read; `marks` have the same of some ticks of the last
    hour, the newest last. `interval_s` is how far apart ticks are now. Nobody watches if it
    `is_stopped`.
    """

    epoch: str
    next_at: datetime
    number: int = 0
    taken_at: datetime | None = None
    busy_until: datetime | None = None
    last_told: int = msgspec.field(default=0, name="told")
    last_told_at: datetime | None = msgspec.field(default=None, name="told_at")
    marks: tuple[Mark, ...] = ()
    interval_s: float = 1.0
    is_stopped: bool = False
    version: int = 0

    @property
    def interval(self) -> timedelta:
        """How long after a tick the next is to come."""
        return max(timedelta(seconds=self.interval_s), SHORTEST_INTERVAL)

    @property
    def has_told_all(self) -> bool:
        """True where the last tick told everybody."""
        return self.busy_until is None and self.last_told == self.number

    @property
    def position(self) -> str:
        """The position of who has been told up to the last tick that was taken."""
        return self.make_position(self.number)

    def make_position(self, number: int) -> str:
        """Make the position of who has been told up to a tick. That of tick 0 is good for nothing:
        who has it is shown all."""
        return encode_position([LogPlace(self.epoch, number)])


def is_running(state: TickState, now: datetime) -> bool:
    """Say whether a wakeup of the next tick is on its way, as far as can be told."""
    due_at = max(state.next_at, state.busy_until or state.next_at)
    return not state.is_stopped and now - LOST_AFTER < due_at < now + _LONGEST_WAIT


def find_turn(state: TickState, number: int, now: datetime) -> timedelta | None:
    """Find when a wakeup for the tick of a number may take one: how long from now, zero for now;
    None where it is too late, as that tick was."""
    if number < state.number:
        return None
    if state.busy_until is not None:
        left = min(state.busy_until - now, BUSY_FOR)
        if left <= timedelta(0):
            return timedelta(0)
        # The next tick looks again soon: this one ends within moments. A wakeup of this very tick
        # comes again where whoever took it died, maybe before there was a wakeup of the next.
        return min(left, SHORTEST_INTERVAL) if number > state.number else left
    if number == state.number:
        return None
    left = state.next_at - now
    return left if timedelta(0) < left < _LONGEST_WAIT else timedelta(0)


def may_come_early(state: TickState, now: datetime) -> bool:
    """Say whether the next tick may come before its time, for somebody who has just come: intervals
    are long where the board is large."""
    if state.busy_until is not None:
        return False
    ended_at = state.next_at - state.interval
    return state.taken_at is None or now - ended_at >= SHORTEST_INTERVAL


def is_beat_due(before: TickState, now: datetime) -> bool:
    """Say whether a tick that is taken now tells everybody something, were it that nothing differs.

    All processes find the same: no row says when who was told what."""
    if before.taken_at is None:
        return True
    return _count_beats(before.taken_at) != _count_beats(now)


def _count_beats(at: datetime) -> int:
    return int(at.timestamp() // BEAT_EVERY.total_seconds())


def take_tick(state: TickState, now: datetime) -> TickState:
    """Return the state of which the next tick is taken now."""
    return replace(
        state,
        number=state.number + 1,
        taken_at=now,
        next_at=now + state.interval,
        busy_until=now + BUSY_FOR,
        is_stopped=False,
    )


def end_tick(state: TickState, read_at: datetime, interval: timedelta, now: datetime) -> TickState:
    """Return the state of which the tick ends now: all were told what was read at a time. The next
    one may come an interval after that: what it tells must not come sooner than a second after what
    this one told last, however long this one has read."""
    return replace(
        _with_interval(state, interval, now),
        last_told=state.number,
        last_told_at=read_at,
        marks=_add_mark(state.marks, Mark(state.number, int(read_at.timestamp()))),
    )


def fail_tick(state: TickState, interval: timedelta, now: datetime) -> TickState:
    """Return the state of which the tick ends now, and not all were told. The next repeats it."""
    return _with_interval(state, interval, now)


def _with_interval(state: TickState, interval: timedelta, now: datetime) -> TickState:
    longer = max(interval, SHORTEST_INTERVAL)
    paced = replace(state, busy_until=None, interval_s=round(longer.total_seconds(), 1))
    return replace(paced, next_at=now + paced.interval)


def _add_mark(marks: tuple[Mark, ...], newest: Mark) -> tuple[Mark, ...]:
    """Add a mark, unless the last is of a moment ago, and drop what is old. A clock that was set
    back makes marks whose times don't rise: those of later times are dropped, too."""
    oldest_s = newest.at_s - _MARKS_KEPT.total_seconds()
    kept = tuple(one for one in marks if oldest_s <= one.at_s <= newest.at_s)
    if kept and newest.at_s - kept[-1].at_s < _MARK_EVERY.total_seconds():
        return kept
    return (*kept, newest)


def find_unseen_since(state: TickState, position: str, now: datetime) -> datetime | None:
    """Find from when on it may be new to the holder of a position what happened. None where that
    can't be told: the position is of another epoch, ahead of the ticks, or too old."""
    number = find_seq(position, state.epoch) if position != NOW else None
    if number is None or not 0 < number <= state.last_told:
        return None
    if number == state.last_told and state.last_told_at and now - state.last_told_at <= _MARKS_KEPT:
        return state.last_told_at - MARGIN
    marks = [one for one in list_marks(state, now) if one.number <= number]
    if not marks:
        return None
    return datetime.fromtimestamp(marks[-1].at_s, tz=now.tzinfo) - MARGIN


def list_marks(state: TickState, now: datetime) -> list[Mark]:
    """List the marks of the last hour: nothing was added while nobody watched."""
    oldest_s = (now - _MARKS_KEPT).timestamp()
    return [one for one in state.marks if one.at_s >= oldest_s]


def find_oldest(state: TickState, now: datetime) -> str:
    """Find the oldest position from which on it can still be told what happened; that of the tick
    which is at it now, where there is none."""
    marks = list_marks(state, now)
    return state.make_position(marks[0].number) if marks else state.position
