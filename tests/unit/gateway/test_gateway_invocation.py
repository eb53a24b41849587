"""Each call's outcome is told once: its result, or that its time is over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from infra.gateway.invocation import TIMED_OUT, Invoker, Outcome
from infra.gateway.workers import WorkerPool
from tests.conftest import PATIENCE_S


class Calls:
    """Calls through an invoker, and what became of them."""

    def __init__(self, pool: WorkerPool, timeout_s: float) -> None:
        self._invoker = Invoker(pool, asyncio.get_running_loop(), timeout_s)
        self._told: dict[str, asyncio.Future[Outcome]] = {}

    def begin(self, name: str, call: Any) -> None:
        told = self._told[name] = asyncio.get_running_loop().create_future()
        # set_result raises where an outcome is told twice
        self._invoker.invoke(name, call, told.set_result)

    async def outcome(self, name: str) -> Outcome:
        return await asyncio.wait_for(self._told[name], PATIENCE_S)


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool(4, 8, 100)
    yield made
    made.stop()


def test_calls_that_hang_time_out_and_those_between_them_do_not(pool: WorkerPool) -> None:
    over = threading.Event()

    async def run() -> None:
        calls = Calls(pool, timeout_s=0.5)
        calls.begin("first", lambda: over.wait(PATIENCE_S))
        calls.begin("quick", lambda: "done")
        assert await calls.outcome("quick") == Outcome("done")
        await asyncio.sleep(0.02)
        calls.begin("second", lambda: over.wait(PATIENCE_S))
        assert await calls.outcome("first") is TIMED_OUT
        assert await calls.outcome("second") is TIMED_OUT
        # and again, now that nothing was waited for
        calls.begin("third", lambda: over.wait(PATIENCE_S))
        assert await calls.outcome("third") is TIMED_OUT
        over.set()

    asyncio.run(run())


def test_each_call_has_the_whole_timeout(pool: WorkerPool) -> None:
    over = threading.Event()

    async def run() -> None:
        calls = Calls(pool, timeout_s=1.5)
        calls.begin("first", lambda: over.wait(PATIENCE_S))
        await asyncio.sleep(1)
        calls.begin("second", lambda: over.wait(PATIENCE_S))
        assert await calls.outcome("first") is TIMED_OUT
        over.set()
        assert await calls.outcome("second") == Outcome(True)

    asyncio.run(run())
