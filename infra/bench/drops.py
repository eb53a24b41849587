"""What devices hear whose links are cut every two seconds, on all contracts (EVENTS=10000).

Of each contract there is one person with two devices that hold their positions (`from`), two stock
devices, which share the person's place, and one whose link is never cut, by which the others are
judged. Beside them devices of a Socket.IO server, which emits an event whenever Waybill has told
that one of its own. Starts a Waybill and the peer of its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from random import Random

from infra.bench.cuts import Cuts
from infra.bench.devices import Device, Person
from infra.bench.happenings import (
    DRIVER,
    EVENTS_OF_ALL,
    HAILER,
    HAPPENINGS,
    OWNER,
    RIDER,
    Caller,
    CallTimes,
    mint_person_token,
    repeat,
    set_up,
)
from infra.bench.heard import make_row, sum_up
from infra.bench.numbers import read_number
from infra.bench.report import Report, Row, judge_at_most
from infra.bench.socketio_peer import PeerDevice, SocketioPeer
from infra.harness.measured_server import ServerUnavailable
from infra.harness.stack_process import StackProcess, StackProcessError

EVENTS = 10_000
DEVICES = 2  # of each kind
PEOPLE = {"customer": HAILER, "drivers": DRIVER, "rides": RIDER, "food": OWNER, "feed": HAILER}
"""Whose devices speak which contract."""

# What a person of the contract is told of HAPPENINGS later, too. Offers that were answered are not.
_TOLD = {
    "customer": ("order.status",),
    "drivers": ("order_timeout",),
    "rides": ("ride_status_update",),
    "food": ("new-order", "order-updated"),
    "feed": ("order_created", "delivery_accepted"),
}
_WITHIN_S = 3600.0
_READY_WITHIN_S = 60.0
_REST_WITHIN_S = 60.0  # until the devices with positions have heard all
_STOCK_REST_S = 3.0  # and then the others as much longer
_LOOK_EVERY_S = 0.05


class Group:
    """The devices of a person on one contract."""

    def __init__(self, stack: StackProcess, contract: str, seed: int) -> None:
        role, id_ = PEOPLE[contract]
        self.contract = contract
        url = stack.options.url.replace("http", "ws", 1)
        token = mint_person_token(stack.secret, role, id_)
        random = Random(seed)

        def make(position: str | None) -> Device:
            return Device(url, Person(id_, token, contract), position, Random(random.random()))

        self._told: list[str] = []
        self._seen = 0
        self.whole = make("now")
        self.placed = [make("now") for _ in range(DEVICES)]
        self.stock = [make(None) for _ in range(DEVICES)]

    @property
    def all(self) -> list[Device]:
        """All devices."""
        return [self.whole, *self.cut]

    @property
    def cut(self) -> list[Device]:
        """The devices whose links are cut."""
        return [*self.placed, *self.stock]

    def list_told(self) -> list[str]:
        """List the frames that each device is to have heard, in order."""
        new = self.whole.receipts[self._seen :]
        self._seen += len(new)
        self._told += [r.text for r in new if r.name in _TOLD[self.contract]]
        return self._told

    def is_all_heard(self) -> bool:
        """Tell whether the devices with positions have heard all."""
        told = set(self.list_told())
        return all(told <= {r.text for r in device.receipts} for device in self.placed)


def measure(events: int | None = None, cuts: Cuts | None = None, with_peer: bool = True) -> Report:
    """Measure, with so many events or as many as EVENTS says, beside the peer or without. Raises
    BadSetting, and StackProcessError where Waybill does not start or lets a device not in."""
    events = events or read_number(os.environ, "EVENTS", EVENTS, 1_000_000)
    cuts = cuts or Cuts()
    report = Report("Drops: what is heard by two devices each, links cut every 2 s on average")
    with ExitStack() as opened:
        stack = opened.enter_context(StackProcess(DELIVERY_OFFER_TTL_S="60"))
        peer = _start_peer(opened, cuts, report) if with_peer else None
        run = _Run(stack, peer, cuts)
        asyncio.run(run.run(-(-events // EVENTS_OF_ALL)))
        report.rows = run.make_rows(peer.collect() if peer else {})
        report.notes += run.make_notes()
    return report


def _start_peer(opened: ExitStack, cuts: Cuts, report: Report) -> SocketioPeer | None:
    """Start the peer; None where it can't be run here, which is noted."""
    try:
        return opened.enter_context(SocketioPeer(DEVICES, cuts))
    except ServerUnavailable as error:
        report.notes.append(f"skipped: Socket.IO: {error}")
        return None


class _Run:
    """One run of all devices."""

    def __init__(self, stack: StackProcess, peer: SocketioPeer | None, cuts: Cuts) -> None:
        self._stack = stack
        self._peer = peer
        self._cuts = cuts
        self._times = CallTimes()
        self._groups = [Group(stack, contract, n) for n, contract in enumerate(PEOPLE)]
        self._rounds = 0
        self._took_s = 0.0
        self._refused = 0

    async def run(self, rounds: int) -> None:
        """Have everything happen so often while links are cut; then let the devices hear the rest.
        Ends all of it."""
        self._rounds = rounds
        with Caller(self._stack, self._times) as caller:
            set_up(caller)
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
        """Have everything happen, each kind in a thread; the peer emits as many events at the same
        moments."""
        stopped, began_at = threading.Event(), time.monotonic()
        playing = [
            asyncio.to_thread(repeat, self._stack, self._times, play, rounds, stopped)
            for play in HAPPENINGS
        ]
        together = asyncio.gather(*playing)
        try:
            while not together.done() and time.monotonic() < began_at + _WITHIN_S:
                self._emit_as_many()
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            stopped.set()
            await together
        self._refused = sum(together.result())
        self._took_s = time.monotonic() - began_at

    def _emit_as_many(self) -> None:
        told = sum(len(group.list_told()) for group in self._groups)
        while self._peer and self._peer.emitted < told:
            self._peer.emit()

    async def _await_rest(self) -> None:
        give_up_at = time.monotonic() + _REST_WITHIN_S
        self._emit_as_many()
        await asyncio.sleep(_STOCK_REST_S)
        while time.monotonic() < give_up_at:
            is_told = sum(len(group.list_told()) for group in self._groups) >= self._expected
            if is_told and all(group.is_all_heard() for group in self._groups):
                return
            await asyncio.sleep(4 * _LOOK_EVERY_S)

    @property
    def _expected(self) -> int:
        return self._rounds * EVENTS_OF_ALL

    # What is reported

    def make_rows(self, peers: Mapping[str, Sequence[PeerDevice]]) -> list[Row]:
        """Make the rows: each contract with positions and without, then the peer."""
        rows = []
        for group in self._groups:
            told = group.list_told()
            causes = self._find_causes(group)
            for what, devices in (("from", group.placed), ("stock", group.stock)):
                heard = sum_up(told, [_name_heard(device, causes) for device in devices])
                links = sum(device.links for device in devices)
                rows.append(make_row(f"{group.contract}, {what}", heard, links))
        for kind, found in peers.items():
            assert self._peer is not None, "it was collected"
            emitted = [str(n + 1) for n in range(self._peer.emitted)]
            lists = [
                [(str(n), ms) for n, ms in zip(d.heard, d.delays_ms, strict=True)] for d in found
            ]
            rows.append(make_row(kind, sum_up(emitted, lists), sum(d.links for d in found)))
        return rows

    def _find_causes(self, group: Group) -> dict[str, float]:
        found = {r.text: self._times.find_cause(r.text, r.at) for r in group.whole.receipts}
        return {text: at for text, at in found.items() if at is not None}

    def make_notes(self) -> list[str]:
        """Say whether the goals are met, and what the run was like."""
        told = sum(len(group.list_told()) for group in self._groups)
        rows = [row for row in self.make_rows({}) if row["what"].endswith("from")]
        gaps = sum(device.gaps for group in self._groups for device in group.cut)
        refusals = sum(device.refusals for group in self._groups for device in group.cut)
        return [
            *(
                judge_at_most(f"with from: {name}", sum(row[name] for row in rows), 0)
                for name in ("lost", "out_of_order")
            ),
            judge_at_most("events that were told to nobody", self._expected - told, 0),
            f"{told} events in {self._took_s:.0f} s; {gaps} gaps; {refusals} tries to connect "
            f"that failed; {self._refused} orders that went another way.",
            "Repeated is before dedup. A delay begins with the call, and counts the time away.",
        ]


def _name_heard(device: Device, causes: Mapping[str, float]) -> list[tuple[str, float]]:
    """List what a device heard with the milliseconds that each took."""
    return [(r.text, 1000 * (r.at - causes[r.text])) for r in device.receipts if r.text in causes]
