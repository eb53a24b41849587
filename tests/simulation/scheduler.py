"""Virtual time, and strands: what runs, one at a time, until it waits.

A strand is a client, a Lambda invocation, or one thread of an invocation. It runs alone until it
calls `sleep`, directly or by any call to the outside; then whichever strand is due next goes on.
Who goes first of two that are due at the same moment is up to the seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import NoReturn, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from tests.builders import NOW
from tests.faults import Crash

T = TypeVar("T")


@dataclass(eq=False)
class Invocation:
    """One run of a Lambda function, from its event to its answer: what dies together."""

    name: str
    began_s: float
    limit_s: float
    skew_s: float = 0.0  # by how much its clock is ahead
    process: int = 0  # what keeps what it knows between invocations
    frozen_until_s: float = 0.0
    dead: bool = False
    hurt: bool = False  # whether it was frozen, or DynamoDB or the queue failed it
    answered: bool = False  # whatever its threads still do, nobody waits for it


class Strand:
    """A sequence of steps that may wait. `invocation` is whose process it runs in, if any."""

    def __init__(self, invocation: Invocation | None) -> None:
        self.invocation = invocation
        self.done = False
        self.waiting: list[Strand] = []  # for it to be done
        self.greenlet: greenlet


class Scheduler:
    """Runs strands in the order of virtual time. `dice` decides what the seed decides."""

    def __init__(self, dice: Random) -> None:
        self.now_s = 0.0
        self._dice = dice
        self._due: list[tuple[float, float, int, Strand]] = []
        self._pushed = 0
        self._alive: dict[Strand, None] = {}
        self._closed = False
        self._home = getcurrent()
        self._current: Strand | None = None

    @property
    def now(self) -> datetime:
        """The true time."""
        return NOW + timedelta(seconds=self.now_s)

    def clock(self) -> datetime:
        """Return the time as whoever runs has it: each Lambda's clock is its own."""
        invocation = self.invocation
        return self.now + timedelta(seconds=invocation.skew_s) if invocation else self.now

    @property
    def invocation(self) -> Invocation | None:
        """The invocation that runs now, if any."""
        return self._current.invocation if self._current else None

    def begin(
        self, run: Callable[[], object], after_s: float = 0.0, invocation: Invocation | None = None
    ) -> Strand:
        """Let a strand begin in a while."""
        strand = Strand(invocation)
        strand.greenlet = greenlet(lambda: self._live(strand, run), self._home)
        self._alive[strand] = None
        self._push(strand, after_s, self._dice.random())
        return strand

    def run_until(self, until_s: float) -> None:
        """Let everything happen that is due by then."""
        while self._due and self._due[0][0] <= until_s:
            at_s, _, _, strand = heapq.heappop(self._due)
            self.now_s = at_s
            self._current = strand
            strand.greenlet.switch()
            self._current = None
        self.now_s = until_s

    def sleep(self, seconds: float) -> None:
        """Wait, as whoever runs. Raises Crash in a process that has died meanwhile."""
        strand, invocation = self._living(), self.invocation
        self._push(strand, seconds, self._dice.random())
        self._leave(strand)
        while invocation and not invocation.dead and self.now_s < invocation.frozen_until_s:
            self._push(strand, invocation.frozen_until_s - self.now_s)
            self._leave(strand)
        self._living()

    def join(self, other: Strand) -> None:
        """Wait until another strand is done. Raises Crash in a process that has died meanwhile."""
        strand = self._living()
        if not other.done:
            other.waiting.append(strand)
            self._leave(strand)
        self._living()

    def is_running(self, strand: Strand) -> bool:
        """Tell whether this is the strand that runs now."""
        return self._current is strand

    def inside(self) -> bool:
        """Tell whether any strand runs now."""
        return self._current is not None

    def invoke(self, invocation: Invocation, run: Callable[[], T]) -> T:
        """Run an invocation on the strand of whoever calls it. Raises Crash where it dies."""
        strand = self._running()
        assert strand.invocation is None, "a Lambda invokes no other"
        strand.invocation = invocation
        try:
            return run()
        except Crash:
            invocation.dead = True
            raise
        finally:
            strand.invocation = None

    def kill(self, invocation: Invocation) -> NoReturn:
        """End the process that runs. Always raises Crash."""
        invocation.dead = True
        raise Crash("this is its end")

    def close(self) -> None:
        """End all strands, wherever they are."""
        self._closed = True
        for strand in list(self._alive):
            self._current = strand  # for what it does while it ends
            strand.greenlet.throw(GreenletExit)
        self._current = None
        self._alive.clear()

    def _live(self, strand: Strand, run: Callable[[], object]) -> None:
        try:
            run()
        except Crash:
            if strand.invocation:
                strand.invocation.dead = True
                self._wake_dead(strand.invocation)
        finally:
            strand.done = True
            self._alive.pop(strand, None)
            for other in strand.waiting:
                self._push(other, 0.0)

    def _wake_dead(self, invocation: Invocation) -> None:
        """Let the strands of a process that has died wait for no other: they end now, whichever
        they wait for."""
        for other in self._alive:
            dead = [strand for strand in other.waiting if strand.invocation is invocation]
            other.waiting = [strand for strand in other.waiting if strand not in dead]
            for strand in dead:
                self._push(strand, 0.0)

    def _running(self) -> Strand:
        assert self._current is not None, "nobody runs"
        return self._current

    def _living(self) -> Strand:
        """Return the strand that runs. Raises Crash if its process is dead."""
        strand = self._running()
        if self._closed or (strand.invocation and strand.invocation.dead):
            raise Crash("its process has died")
        return strand

    def _leave(self, strand: Strand) -> None:
        self._home.switch()
        self._current = strand

    def _push(self, strand: Strand, after_s: float, tie: float = 0.0) -> None:
        self._pushed += 1
        entry = (self.now_s + max(0.0, after_s), tie, self._pushed, strand)
        heapq.heappush(self._due, entry)
