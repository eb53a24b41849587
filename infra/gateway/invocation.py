"""One Lambda invocation: a handler called on a thread, its result awaited for a bounded time."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.gateway.identifiers import new_uuid
from infra.gateway.workers import PoolFullError, WorkerPool

log = logging.getLogger("waybill.gateway")

Call = Callable[[], Any]
OnOutcome = Callable[["Outcome"], None]


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended: with a value, or failed, or out of time."""

    value: Any = None
    failed: bool = False
    timed_out: bool = False


FAILED = Outcome(failed=True)
TIMED_OUT = Outcome(timed_out=True)


@dataclass
class LambdaContext:
    """The context object a handler gets, with the attributes Lambda documents."""

    function_name: str
    memory_limit_in_mb: int = 128
    timeout_s: float = 60.0
    function_version: str = "$LATEST"
    log_group_name: str = ""
    log_stream_name: str = ""
    identity: None = None
    client_context: None = None
    aws_request_id: str = field(default_factory=new_uuid)
    started_s: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        """An ARN of the right shape; region and account are made up."""
        return f"arn:aws:lambda:us-east-1:123456789012:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the Lambda timeout, never below 0."""
        left_s = self.timeout_s - (time.monotonic() - self.started_s)
        return max(0, int(left_s * 1000))


class Invoker:
    """Runs calls on a pool and reports each outcome once, on the event loop."""

    def __init__(self, pool: WorkerPool, loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
        self._pool = pool
        self._loop = loop
        self._timeout_s = timeout_s
        # In the order of their deadlines, as the timeout is one for all: one timer will do.
        self._awaited: dict[_Run, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def invoke(self, name: str, call: Call, on_outcome: OnOutcome) -> None:
        """Call a handler on a thread; `on_outcome` gets the result on the loop, in time."""
        run = _Run(self, name, call, on_outcome, self._loop.time() + self._timeout_s)
        try:
            self._pool.submit(run)
        except PoolFullError:
            log.error("%s was not run: too many calls wait for a thread", name)
            # Later, and not now: the caller has not yet noted what it waits for.
            self._loop.call_soon(on_outcome, FAILED)
            return
        self._awaited[run] = None
        if self._timer is None:
            self._timer = self._loop.call_at(run.deadline_s, self._expire_overdue)

    def report_outcome(self, run: _Run, outcome: Outcome) -> None:
        """Hand an outcome from a thread to the loop."""
        try:
            self._loop.call_soon_threadsafe(self._finish_run, run, outcome)
        except RuntimeError:
            # The loop is closed: the gateway stopped without this handler, and nobody waits for it.
            log.debug("%s ended after the gateway stopped", run.name)

    def _finish_run(self, run: _Run, outcome: Outcome) -> None:
        del self._awaited[run]
        run.on_outcome(outcome)

    def _expire_overdue(self) -> None:
        """Give up on those whose time is over, and come back for the next one's."""
        self._timer = None
        now_s = self._loop.time()
        for run in list(self._awaited):
            if run.deadline_s > now_s:
                self._timer = self._loop.call_at(run.deadline_s, self._expire_overdue)
                return
            if run.give_up():
                del self._awaited[run]
                self._loop.call_soon(run.on_outcome, TIMED_OUT)


class _Run:
    """The state of one invocation, shared by the loop and a thread."""

    __slots__ = ("_call", "_invoker", "_lock", "_state", "deadline_s", "name", "on_outcome")

    def __init__(
        self, invoker: Invoker, name: str, call: Call, on_outcome: OnOutcome, deadline_s: float
    ) -> None:
        self._invoker = invoker
        self.name = name
        self._call = call
        self.on_outcome = on_outcome
        self.deadline_s = deadline_s
        self._lock = threading.Lock()
        # waiting → running → ended. The loop gives up on a run that is late: one that waits for a
        # thread becomes expired and is never begun, one that runs becomes lost. Thread and loop
        # decide under the lock, so that the outcome is either reported or given up, never both.
        self._state = "waiting"

    def __call__(self) -> None:
        """Run the handler (on a thread)."""
        with self._lock:
            if self._state == "expired":
                return
            self._state = "running"
        outcome = self._call_handler()
        with self._lock:
            lost = self._state == "lost"
            self._state = "ended"
        if lost:
            self._invoker._pool.count_recovered()
        else:
            self._invoker.report_outcome(self, outcome)

    def _call_handler(self) -> Outcome:
        try:
            return Outcome(self._call())
        # A handler's SystemExit ends one Lambda invocation, not the gateway.
        except (Exception, SystemExit):
            log.exception("%s raised", self.name)
            return FAILED

    def give_up(self) -> bool:
        """Give up waiting (on the loop). False if the outcome is already on its way."""
        with self._lock:
            if self._state == "ended":
                return False
            lost = self._state == "running"
            self._state = "lost" if lost else "expired"
        if lost:
            self._invoker._pool.count_lost()
        log.error("%s did not answer within the integration timeout", self.name)
        return True
