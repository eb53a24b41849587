"""What devices hear whose links are cut every two seconds, on all contracts (EVENTS=10000).

Of each contract there is one person with two devices that hold their positions (`from`), two stock
devices, which share the person's place, and one whose link is never cut, by which the others are
judged. Beside them devices of a Socket.IO server, which emits an event whenever Waybill has told
that one of its own. Starts the peer and two Waybills of its own, which share the contracts: one
runs on one core.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from infra.bench.cuts import Cuts
from infra.bench.groups import DEVICES, Group
from infra.bench.happenings import (
    EVENTS_OF,
    EVENTS_OF_ALL,
    Caller,
    CallTimes,
    Happening,
    play_hail,
    play_meal,
    play_ride,
    repeat,
    set_up,
)
from infra.bench.heard import make_row, sum_up
from infra.bench.numbers import read_number
from infra.bench.report import BenchReport, Row, judge_at_most
from infra.bench.socketio_peer import PeerDevice, SocketioPeer
from infra.harness.measured_server import ServerUnavailable
from infra.harness.stack_process import StackProcess, StackProcessError

EVENTS = 10_000
_SHARES: Sequence[tuple[Sequence[str], Sequence[Happening]]] = (
    (("customer", "drivers", "feed"), (play_hail,)),
    (("rides", "food"), (play_ride, play_meal)),
)
"""What each Waybill has: contracts, and what happens. Each does about half of the work."""
_WITHIN_S = 900.0  # then it is enough, and what happened until then is judged
_READY_WITHIN_S = 60.0
_REST_WITHIN_S = 60.0  # until the devices with positions have heard all
_STOCK_REST_S = 3.0  # and then the others as much longer
_LOOK_EVERY_S = 0.05
_SAY_EVERY_S = 15.0


def measure(
    events: int | None = None, cuts: Cuts | None = None, with_peer: bool = True
) -> BenchReport:
    """Measure, with so many events or as many as EVENTS says, beside the peer or without. Raises
    BadSetting, and StackProcessError where Waybill does not start or lets a device not in."""
    events = events or read_number(os.environ, "EVENTS", EVENTS, 1_000_000)
    cuts = cuts or Cuts()
    report = BenchReport("Drops: what is heard by two devices each, links cut every 2 s on average")
    with ExitStack() as opened:
        shares = [
            _Share(opened.enter_context(StackProcess(DELIVERY_OFFER_TTL_S="60")), *share)
            for share in _SHARES
        ]
        peer = _start_peer(opened, cuts, report) if with_peer else None
        run = _DropsRun(shares, peer, cuts)
        asyncio.run(run.run(-(-events // EVENTS_OF_ALL)))
        report.rows = run.make_rows(peer.collect() if peer else {})
        report.notes += run.make_notes()
    return report


def _start_peer(opened: ExitStack, cuts: Cuts, report: BenchReport) -> SocketioPeer | None:
    """Start the peer; None where it can't be run here, which is noted."""
    try:
        return opened.enter_context(SocketioPeer(DEVICES, cuts))
    except ServerUnavailable as error:
        report.notes.append(f"skipped: Socket.IO: {error}")
        return None


class _Share:
    """One Waybill: who listens there, and what happens."""

    def __init__(
        self, stack: StackProcess, contracts: Sequence[str], happenings: Sequence[Happening]
    ) -> None:
        self.groups = [Group(stack, contract) for contract in contracts]
        self.times = CallTimes()
        self._stack = stack
        self._happenings = happenings

    def set_up(self) -> None:
        """Give everybody what they need."""
        with Caller(self._stack, self.times) as caller:
            set_up(caller)

    async def let_happen(self, rounds: int, stopped: threading.Event) -> tuple[int, int]:
        """Have everything happen, each kind in a thread; return of how many events somebody is to
        be told, and how often it was refused."""
        playing = [
            asyncio.to_thread(repeat, self._stack, self.times, play, rounds, stopped)
            for play in self._happenings
        ]
        counts = await asyncio.gather(*playing)
        events = [
            EVENTS_OF[play] * played
            for play, (played, _) in zip(self._happenings, counts, strict=True)
        ]
        return sum(events), sum(refused for _, refused in counts)


class _DropsRun:
    """One run of all devices."""

    def __init__(self, shares: Sequence[_Share], peer: SocketioPeer | None, cuts: Cuts) -> None:
        self._shares = shares
        self._peer = peer
        self._cuts = cuts
        self._groups = [group for share in shares for group in share.groups]
        self._asked = 0
        self._expected = 0
        self._took_s = 0.0
        self._refused = 0

    async def run(self, rounds: int) -> None:
        """Have everything happen so often while links are cut; then let the devices hear the rest.
        Ends all of it."""
        self._asked = rounds * EVENTS_OF_ALL
        for share in self._shares:
            share.set_up()
        tasks = [asyncio.create_task(device.run()) for g in self._groups for device in g.all]
        try:
            await self._await_ready()
            self._cut_links(self._cuts)
            await self._let_happen(rounds)
            self._cut_links(None)
            await self._await_rest()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _await_ready(self) -> None:
        """Wait until each device is told what is new. Raises StackProcessError where one is not."""
        give_up_at = time.monotonic() + _READY_WITHIN_S
        while True:
            late = {g.contract for g in self._groups for d in g.all if not d.ready.is_set()}
            if not late:
                return
            if time.monotonic() > give_up_at:
                raise StackProcessError(f"devices are not let in: {', '.join(sorted(late))}")
            await asyncio.sleep(_LOOK_EVERY_S)

    def _cut_links(self, cuts: Cuts | None) -> None:
        for group in self._groups:
            for device in group.cut:
                device.cuts = cuts
        if self._peer and cuts is None:
            self._peer.keep_links()

    async def _let_happen(self, rounds: int) -> None:
        """Have everything happen; the peer emits as many events at the same moments."""
        stopped, began_at = threading.Event(), time.monotonic()
        together = asyncio.gather(*(share.let_happen(rounds, stopped) for share in self._shares))
        said_at = began_at
        try:
            while not together.done() and time.monotonic() < began_at + _WITHIN_S:
                self._emit_as_many()
                if time.monotonic() > said_at + _SAY_EVERY_S:
                    said_at = time.monotonic()
                    self._say_progress(said_at - began_at)
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            stopped.set()
            await together
        for expected, refused in together.result():
            self._expected += expected
            self._refused += refused
        self._took_s = time.monotonic() - began_at

    def _say_progress(self, took_s: float) -> None:
        told = self._count_told()
        left_s = took_s * (self._asked - told) / max(1, told)
        print(
            f"drops: {told:,} of {self._asked:,} events, about {left_s:.0f} s left",
            file=sys.stderr,
        )

    def _count_told(self) -> int:
        return sum(len(group.list_told()) for group in self._groups)

    def _emit_as_many(self) -> None:
        told = self._count_told()
        while self._peer and self._peer.emitted < told:
            self._peer.emit()

    async def _await_rest(self) -> None:
        give_up_at = time.monotonic() + _REST_WITHIN_S
        await asyncio.sleep(_STOCK_REST_S)
        while time.monotonic() < give_up_at:
            self._emit_as_many()
            is_told = self._count_told() >= self._expected
            if is_told and all(group.is_all_heard() for group in self._groups):
                return
            await asyncio.sleep(4 * _LOOK_EVERY_S)

    # What is reported

    def make_rows(self, peers: Mapping[str, Sequence[PeerDevice]]) -> list[Row]:
        """Make the rows: each contract with positions and without, then the peer."""
        rows = [row for s in self._shares for g in s.groups for row in g.make_rows(s.times)]
        for kind, found in peers.items():
            assert self._peer is not None, "it was collected"
            emitted = [str(n + 1) for n in range(self._peer.emitted)]
            lists = [
                [(str(n), ms) for n, ms in zip(d.heard, d.delays_ms, strict=True)] for d in found
            ]
            rows.append(make_row(kind, sum_up(emitted, lists), sum(d.links for d in found)))
        return rows

    def make_notes(self) -> list[str]:
        """Say whether the goals are met, what the run was like, and what was waited for."""
        told = self._count_told()
        rows = [row for row in self.make_rows({}) if row["what"].endswith("from")]
        gaps = sum(device.gaps for group in self._groups for device in group.cut)
        refusals = sum(device.refusals for group in self._groups for device in group.cut)
        return [
            *(
                judge_at_most(f"with from: {name}", sum(row[name] for row in rows), 0)
                for name in ("lost", "out_of_order")
            ),
            judge_at_most("events that were told to nobody", self._expected - told, 0),
            f"{told} of {self._asked} events in {self._took_s:.0f} s; {gaps} gaps; {refusals} "
            f"tries to connect failed; {self._refused} orders went another way.",
            "Repeated is before dedup. A delay begins with the call, and counts the time away.",
            *(line for group in self._groups for line in group.describe_missing()),
            *(g.describe_slowest(s.times) for s in self._shares for g in s.groups),
        ]
