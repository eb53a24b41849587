"""A storm: clients that all lose their links at once, and come back (CLIENTS=2000).

Each holds its position, and something has happened to each while nobody was there. First all come
back at once, twice; then with jitter, as clients should. Each client takes an open file here and
one in the server, and a port of this machine. Starts a Waybill of its own.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

from chalicelib.settings import BadSetting
from infra.bench.cuts import pick
from infra.bench.devices import Device, DeviceOwner
from infra.bench.happenings import Caller, CallTimes, mint_person_token, play_ride
from infra.bench.numbers import read_number
from infra.bench.report import BenchReport, Row, judge_at_most, ratio
from infra.harness.quantiles import quantile
from infra.harness.stack_process import StackProcess, StackProcessError

CLIENTS = 2000
DEVICES = 10  # of one person
JITTER_S = 10.0
GROWTH_GOAL = 1.1  # the server's memory after the last storm, beside that after the first

_MOST_CLIENTS = 20_000  # of one address: it has 28,000 ports
_CALLERS = 4
_OPENED_WITHIN_S = 20.0  # all of them, at first
_AGAIN_WITHIN_S = 1.0  # after a try that failed
_WITHIN_S = 300.0
_LOOK_EVERY_S = 0.1
_SPARE_FILES = 200  # what a process needs for all else
_TOLD = "ride_status_update"


class StormClient(Device):
    """A device that comes when it may, stays until its link is cut, and then waits."""

    def __init__(self, ws_url: str, person: DeviceOwner, random: Random) -> None:
        super().__init__(ws_url, person, "now", random)
        self._may_come = asyncio.Event()
        self._is_cut = asyncio.Event()
        self._comes_within_s = 0.0

    def come(self, within_s: float) -> None:
        """Have this client come back after any time up to that."""
        self._comes_within_s = within_s
        self.ready.clear()
        self._is_cut.clear()
        self._may_come.set()

    def cut(self) -> None:
        """Cut the link."""
        self._may_come.clear()
        self._is_cut.set()

    async def run(self) -> None:
        """Come and go. A try that failed is done again a little later."""
        while True:
            await self._may_come.wait()
            await asyncio.sleep(pick(self._random, (0.0, self._comes_within_s)))
            if not await self.try_listening():
                await asyncio.sleep(pick(self._random, (0.0, _AGAIN_WITHIN_S)))

    async def _await_cut(self, listening: asyncio.Task[None]) -> None:
        cut = asyncio.create_task(self._is_cut.wait())
        await asyncio.wait([listening, cut], return_when=asyncio.FIRST_COMPLETED)
        cut.cancel()


def measure(clients: int | None = None, jitter_s: float = JITTER_S) -> BenchReport:
    """Measure. Raises BadSetting, and StackProcessError where Waybill does not start or a client is
    never let in."""
    clients = clients or read_number(os.environ, "CLIENTS", CLIENTS, _MOST_CLIENTS)
    _allow_files(clients + _SPARE_FILES)
    report = BenchReport(
        f"Storm: {clients} clients with `from` lose their links at once and come back"
    )
    with StackProcess() as stack:
        storm = _Storm(stack, clients)
        report.rows = asyncio.run(storm.run(jitter_s))
    rows = report.rows
    report.notes += [
        judge_at_most("lost", sum(row["lost"] for row in rows), 0),
        judge_at_most(
            "memory after the last storm, times that after the first",
            ratio(rows[-1]["rss_mb_after"], rows[0]["rss_mb_after"]),
            GROWTH_GOAL,
        ),
        f"Limits: {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} open files in each process, "
        "one a client; a port a client.",
    ]
    return report


class _Storm:
    """The clients, and what happens to them."""

    def __init__(self, stack: StackProcess, clients: int) -> None:
        self._stack = stack
        self._people = [f"rider{n}" for n in range(-(-clients // DEVICES))]
        self._pool = ThreadPoolExecutor(_CALLERS)
        random = Random(1)
        url = stack.options.url.replace("http", "ws", 1)
        people = [
            DeviceOwner(id_, mint_person_token(stack.secret, "customer", id_), "rides")
            for id_ in self._people
        ]
        self._clients = [
            StormClient(url, people[n % len(people)], Random(random.random()))
            for n in range(clients)
        ]

    async def run(self, jitter_s: float) -> list[Row]:
        """Let all come, and have the storms; return their rows. Ends all clients."""
        await self._call_for_each(_register)
        tasks = [asyncio.create_task(client.run()) for client in self._clients]
        try:
            self._come(_OPENED_WITHIN_S * min(1.0, len(tasks) / CLIENTS))
            await self._await_all_ready()
            return [
                await self._have_storm("at once", 0.0),
                await self._have_storm("at once, again", 0.0),
                await self._have_storm(f"with jitter, up to {jitter_s:g} s", jitter_s),
            ]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._pool.shutdown()

    async def _have_storm(self, what: str, within_s: float) -> Row:
        """Cut all links, have something happen to each person, let all come back."""
        for client in self._clients:
            client.cut()
            client.receipts.clear()
            client.refusals = 0
        rss_mb = self._stack.read_rss_mb()
        await self._call_for_each(_happen)
        began_at = time.perf_counter()
        self._come(within_s)
        await self._await_all_ready()
        await self._await_all_told()
        told = [_list_told(client) for client in self._clients]
        back_ms = [1000 * (client.resumed_at - began_at) for client in self._clients]
        return {
            "what": what,
            "clients": len(self._clients),
            "lost": sum(not texts for texts in told),
            "repeated": sum(len(texts) - len(set(texts)) for texts in told),
            "gaps": sum(client.gaps for client in self._clients),
            "refused": sum(client.refusals for client in self._clients),
            "p50_ms": quantile(back_ms, 0.5),
            "p99_ms": quantile(back_ms, 0.99),
            "all_back_ms": max(back_ms),
            "rss_mb_before": rss_mb,
            "rss_mb_after": self._stack.read_rss_mb(),
        }

    def _come(self, within_s: float) -> None:
        for client in self._clients:
            client.come(within_s)

    async def _await_all_ready(self) -> None:
        give_up_at = time.monotonic() + _WITHIN_S
        while late := sum(not client.ready.is_set() for client in self._clients):
            if time.monotonic() > give_up_at:
                raise StackProcessError(f"{late} clients are not let in")
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _await_all_told(self) -> None:
        give_up_at = time.monotonic() + _WITHIN_S
        while not all(map(_list_told, self._clients)):
            if time.monotonic() > give_up_at:
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _call_for_each(self, call: Callable[[StackProcess, Sequence[str]], None]) -> None:
        """Make calls for each person, some at a time."""
        loop = asyncio.get_running_loop()
        parts = [self._people[n::_CALLERS] for n in range(_CALLERS)]
        await asyncio.gather(
            *(loop.run_in_executor(self._pool, call, self._stack, part) for part in parts)
        )


def _list_told(client: StormClient) -> list[str]:
    """List what a client was told of what has happened to its person."""
    return [receipt.text for receipt in client.receipts if receipt.name == _TOLD]


def _register(stack: StackProcess, people: Sequence[str]) -> None:
    with Caller(stack, CallTimes()) as caller:
        for id_ in people:
            profile = {"name": "Asha Rao", "phone": "+919812345678"}
            caller.call("PUT", "me", ("customer", id_), profile)


def _happen(stack: StackProcess, people: Sequence[str]) -> None:
    with Caller(stack, CallTimes()) as caller:
        for id_ in people:
            play_ride(caller, ("customer", id_))


def _allow_files(wanted: int) -> None:
    """Raise the limit of open files, which the server inherits. Raises BadSetting where the system
    does not let."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in (soft, hard) or hard >= wanted:
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return
    raise BadSetting(f"so many clients need {wanted} open files, the limit here is {hard}.")
