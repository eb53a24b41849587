"""The gateway under load, beside an aiohttp echo and serverless-offline.

Each figure is the median of short rounds that take turns among the servers, so that whatever else
the machine does hits all of them alike. One client process drives them (load.py).
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from benchmarks import contenders
from infra.bench.report import (
    BenchReport,
    Row,
    judge_at_least,
    judge_at_most,
    median_of_known,
    ratio,
)
from infra.harness.measured_server import MeasuredServer, ServerUnavailable
from infra.harness.quantiles import quantile
from infra.harness.stack_process import HOME

SOCKETS = (1, 10, 100, 500)
MANY = 2000
ROUNDS = 3
ROUND_S = 0.6
FAN_ROUNDS = 11
CONNECTS = 200
_FILES = 8192

_CONNECT = "connect"
_THROUGH = "echo by @connections"
_RETURNED = "echo returned"
_PYTHON = "echo returned, Python"
_FAN = "one message to all"
_MANY = "echo returned, all at once"

GOALS = {
    (_THROUGH, 100): 1.5,
    (_THROUGH, 500): 1.5,
    (_RETURNED, 100): 1.0,
    (_RETURNED, 500): 1.0,
}
"""How many times the peer's rate ours is to be at least, by what is measured and on how many."""


class Round(NamedTuple):
    """One round of one server."""

    per_s: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_us: float | None = None
    client_busy: float | None = None
    errors: int = 0


class Trial(NamedTuple):
    """What is measured, of whom, and how to do a round of it."""

    what: str
    server: MeasuredServer
    round: Callable[[], Round]


@dataclass
class Servers:
    """Who is measured; `peer` where it is there."""

    floor: MeasuredServer
    ours: MeasuredServer
    peer: MeasuredServer | None

    def list_all(self) -> list[MeasuredServer]:
        return [self.floor, self.ours, *([self.peer] if self.peer else [])]

    def list_gateways(self) -> list[MeasuredServer]:
        """List the servers that have @connections."""
        return self.list_all()[1:]


class LoadProcess:
    """The client process, and the errors that it saw."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"],
            cwd=HOME,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.errors: list[str] = []

    def send_command(self, what: str, server: MeasuredServer, **arguments: Any) -> dict[str, Any]:
        """Have it do something to a server, and wait for the outcome."""
        assert self._process.stdin
        assert self._process.stdout
        command = {"do": what, "group": server.name, **arguments}
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        for error, times in answer.get("errors", {}).items():
            self.errors.append(f"{server.name}, {what}: {times} × {error}")
        return answer

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


class Contest:
    """Rounds that take turns among the servers."""

    def __init__(self, load: LoadProcess, servers: Servers) -> None:
        self._load = load
        self._servers = servers
        self._sockets: dict[str, int] = {}
        self.rows: list[Row] = []
        for server in servers.list_all():
            load.send_command("group", server, host="127.0.0.1", port=server.port, path=server.path)
            self._sockets[server.name] = 0

    def run(self) -> None:
        """Measure everything; the rows are in `rows`."""
        everyone = self._servers.list_all()
        connects = [Trial(_CONNECT, each, partial(self._play_connects, each)) for each in everyone]
        self._take_turns(connects, CONNECTS, ROUNDS)
        self._warm_up()
        for sockets in SOCKETS:
            for server in everyone:
                self._open_sockets(server, sockets)
            self._take_turns(self._make_echo_trials(sockets), sockets, ROUNDS)
            if sockets == 1 and contenders.find_offline_python():
                self._take_turns(self._make_python_trials(), 1, ROUNDS)
        fans = [Trial(_FAN, each, partial(self._play_fan_out, each)) for each in everyone]
        self._take_turns(fans, SOCKETS[-1], FAN_ROUNDS)
        for server in everyone:
            self._open_sockets(server, MANY)
            echo = partial(self._play_echoes, server, "returned", MANY)
            self._take_turns([Trial(_MANY, server, echo)], MANY, 1)
            self._load.send_command("close", server)
        self._add_ratios()

    def _warm_up(self) -> None:
        for server in self._servers.list_all():
            self._open_sockets(server, 1)
        python = self._make_python_trials() if contenders.find_offline_python() else []
        for trial in [*self._make_echo_trials(1), *python]:
            trial.round()

    def _make_echo_trials(self, sockets: int) -> list[Trial]:
        returned = [
            Trial(_RETURNED, each, partial(self._play_echoes, each, "returned", sockets))
            for each in self._servers.list_all()
        ]
        return returned + [
            Trial(_THROUGH, each, partial(self._play_echoes, each, "connections", sockets))
            for each in self._servers.list_gateways()
        ]

    def _make_python_trials(self) -> list[Trial]:
        """On one socket: the peer starts a Python for each call at a time. Ours are all Python."""
        actions = {self._servers.ours.name: "returned"}
        return [
            Trial(
                _PYTHON, each, partial(self._play_echoes, each, actions.get(each.name, "python"), 1)
            )
            for each in self._servers.list_gateways()
        ]

    def _take_turns(self, trials: Sequence[Trial], sockets: int, rounds: int) -> None:
        found: list[list[Round]] = [[] for _ in trials]
        for _ in range(rounds):
            for trial, its in zip(trials, found, strict=True):
                its.append(trial.round())
        self.rows += [_make_row(t, sockets, its) for t, its in zip(trials, found, strict=True)]

    def _add_ratios(self) -> None:
        """Add to each row how many times the peer's and the floor's rate it shows."""
        for row in self.rows:
            for column, to in (("× peer", self._servers.peer), ("× floor", self._servers.floor)):
                theirs = [other for other in self.rows if to and _matches(other, row, to)]
                theirs.sort(key=lambda other: other["what"] != row["what"])
                row[column] = ratio(row["per_s"], theirs[0]["per_s"] if theirs else None)

    def _open_sockets(self, server: MeasuredServer, sockets: int) -> dict[str, Any]:
        more = sockets - self._sockets[server.name]
        self._sockets[server.name] = sockets
        return self._load.send_command("open", server, sockets=more)

    def _play_connects(self, server: MeasuredServer) -> Round:
        cpu_s = server.cpu_s()
        opened = self._load.send_command("open", server, sockets=CONNECTS)
        cpu_us = _cpu_us(server, cpu_s, CONNECTS)
        self._load.send_command("close", server)
        return Round(
            CONNECTS / opened["seconds"], cpu_us=cpu_us, errors=sum(opened["errors"].values())
        )

    def _play_echoes(self, server: MeasuredServer, action: str, sockets: int) -> Round:
        text = json.dumps({"action": action, "data": {"lat": 52.52, "lng": 13.405, "n": 1234567}})
        cpu_s = server.cpu_s()
        done = self._load.send_command("echo", server, text=text, seconds=ROUND_S, sockets=sockets)
        ms = [1000 * seconds for seconds in done["latencies"]]
        return Round(
            done["count"] / done["seconds"],
            quantile(ms, 0.5),
            quantile(ms, 0.99),
            _cpu_us(server, cpu_s, len(ms)),
            done["busy"],
            sum(done["errors"].values()),
        )

    def _play_fan_out(self, server: MeasuredServer) -> Round:
        cpu_s = server.cpu_s()
        done = self._load.send_command(
            "fan", server, text='{"action": "fan", "data": {"n": 1234567}}'
        )
        received = len(done["latencies"])
        ms = [1000 * seconds for seconds in done["latencies"]]
        return Round(
            received / done["seconds"],
            quantile(ms, 0.5),
            quantile(ms, 1.0),
            _cpu_us(server, cpu_s, received),
            errors=sum(done["errors"].values()),
        )


def measure() -> BenchReport:
    """Start the servers and the client, measure, and end them all."""
    report = BenchReport(
        "Gateway: server CPU in µs a message; share of a core that the client used"
    )
    _allow_many_files()
    with ExitStack() as stack:
        try:
            floor, ours = (
                _start_in(stack, contenders.start_floor),
                _start_in(stack, contenders.start_gateway),
            )
        except ServerUnavailable as error:
            report.notes.append(f"skipped: {error}")
            return report
        try:
            peer = _start_in(stack, contenders.start_offline)
        except ServerUnavailable as error:
            peer = None
            report.notes.append(f"skipped: {error}")
        load = LoadProcess()
        stack.callback(load.stop)
        if peer and not contenders.find_offline_python():
            report.notes.append("skipped: serverless-offline's Python, which it can't run here")
        servers = Servers(floor, ours, peer)
        contest = Contest(load, servers)
        contest.run()
        report.rows = contest.rows
        report.notes += _judge_rows(contest.rows, servers)
        report.notes += [f"error: {error}" for error in load.errors]
    return report


def _judge_rows(rows: Sequence[Row], servers: Servers) -> list[str]:
    ours = [row for row in rows if row["server"] == servers.ours.name]
    said = [
        judge_at_least(f"{row['what']}, {row['sockets']} sockets: × peer", row["× peer"], goal)
        for row in ours
        if servers.peer and (goal := GOALS.get((row["what"], row["sockets"])))
    ]
    return [*said, judge_at_most("our errors", sum(row["errors"] for row in ours), 0)]


def _start_in(stack: ExitStack, start: Callable[[], MeasuredServer]) -> MeasuredServer:
    server = start()
    stack.callback(server.stop)
    return server


def _make_row(trial: Trial, sockets: int, rounds: Sequence[Round]) -> Row:
    return {
        "what": trial.what,
        "sockets": sockets,
        "server": trial.server.name,
        "per_s": median_of_known([each.per_s for each in rounds]),
        "p50_ms": median_of_known([each.p50_ms for each in rounds]),
        "p99_ms": median_of_known([each.p99_ms for each in rounds]),
        "cpu_us": median_of_known([each.cpu_us for each in rounds]),
        "client": median_of_known([each.client_busy for each in rounds]),
        "errors": sum(each.errors for each in rounds),
    }


def _matches(other: Row, row: Row, server: MeasuredServer) -> bool:
    """Look whether a server did the same with as many sockets; the floor has one kind of echo."""
    kinds = (row["what"], _RETURNED if row["what"] == _THROUGH else row["what"])
    is_alike = other["what"] in kinds and other["sockets"] == row["sockets"]
    return bool(is_alike and other["server"] == server.name)


def _cpu_us(server: MeasuredServer, before_s: float | None, count: int) -> float | None:
    after_s = server.cpu_s()
    if before_s is None or after_s is None or not count:
        return None
    return 1e6 * (after_s - before_s) / count


def _allow_many_files() -> None:
    """Raise this process's limit of open files, which its children inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
