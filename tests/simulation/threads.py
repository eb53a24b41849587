"""The thread pools of a Lambda, as strands of it.

Waybill's pools are `concurrent.futures.ThreadPoolExecutor`s. While a simulation runs, what a strand
submits to one becomes another strand of the same invocation. It begins at once or a moment later,
dies with its process, and whoever asks for its result, or waits for it, waits in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any

from tests.faults import Crash
from tests.simulation.scheduler import Scheduler, Strand

_STARTS_WITHIN_S = 0.002  # until a thread of the pool takes it on


class _Done:
    """Stands for a future's condition variable: to take it is to wait until the job is done."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.job: Strand | None = None

    def acquire(self) -> bool:
        if self.job is not None and not self._scheduler.is_running(self.job):
            self._scheduler.join(self.job)
        return True

    __enter__ = acquire

    def __exit__(self, *exception: object) -> None:
        self.release()

    def release(self) -> None:
        """Nobody else runs meanwhile."""

    def notify_all(self) -> None:
        """The scheduler wakes who waits."""


def submit(scheduler: Scheduler, dice: Random, job: Callable[[], Any]) -> Future[Any]:
    """Run a job on a strand of the invocation that runs now."""
    invocation = scheduler.invocation
    future: Future[Any] = Future()
    done = _Done(scheduler)
    future._condition = done  # type: ignore[assignment]

    def run() -> None:
        try:
            future.set_result(job())
        except Crash:
            future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - as a pool does: whoever asks is told
            future.set_exception(error)

    starts_s = dice.uniform(0, _STARTS_WITHIN_S)
    done.job = scheduler.begin(run, starts_s, invocation)
    return future


@contextmanager
def pools_on(scheduler: Scheduler, dice: Random) -> Iterator[None]:
    """Let all thread pools run their jobs as strands while a strand runs."""
    real = ThreadPoolExecutor.submit

    def submit_strand(
        pool: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        if not scheduler.inside():
            return real(pool, fn, *args, **kwargs)
        return submit(scheduler, dice, lambda: fn(*args, **kwargs))

    ThreadPoolExecutor.submit = submit_strand  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        ThreadPoolExecutor.submit = real  # type: ignore[method-assign]
