"""Threads that run handlers, each call independent of the others as Lambda invocations are.

A handler that outlives its time can't be stopped. Its thread stays occupied, so the pool counts it
as lost and lets another thread take its place, up to `limit`. So it does with one that takes long:
it mostly waits, as a long poll does, and Lambda would run the others beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]

SLOW_S = 4.0  # a job that runs for so long; where all are late, as the machine is, few are


class PoolFullError(Exception):
    """Raised when too many calls wait: Lambda would throttle here."""


class WorkerPool:
    """Daemon threads fed by one queue: `size` of them, `limit` while some are lost or slow."""

    def __init__(
        self,
        size: int,
        limit: int,
        max_queue: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._began: dict[int, float] = {}  # by thread, when its job did
        self._size = size
        self._limit = limit
        self._max_queue = max_queue
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        # Submitted and not yet taken up. The queue's own size won't do: a job leaves the queue a
        # moment before its thread stops counting as idle.
        self._pending = 0
        self._lost = 0

    @property
    def threads(self) -> int:
        """The number of threads, lost ones included."""
        return self._threads

    def submit(self, job: Job) -> None:
        """Run a job on a thread; it must not raise. Raises PoolFullError when the queue is full."""
        with self._lock:
            if self._pending >= self._max_queue:
                raise PoolFullError
            # Counted under the lock: two submits at once must not start one thread too many.
            start = self._pending >= self._idle and self._threads < self._max_threads()
            self._threads += start
            self._pending += 1
        self._jobs.put(job)
        if start:
            self._start_thread()

    def relieve(self) -> None:
        """Start threads for jobs that wait, in the places of slow ones. To be called now and then:
        where nothing more is submitted, nothing else would."""
        with self._lock:
            wanted = min(self._pending - self._idle, self._max_threads() - self._threads)
            self._threads += max(wanted, 0)
        for _ in range(wanted):
            self._start_thread()

    def count_lost(self) -> None:
        """Count a running job as lost, so that a new thread may take its place."""
        with self._lock:
            self._lost += 1
            start = self._pending > self._idle and self._threads < self._max_threads()
            self._threads += start
        if start:
            self._start_thread()

    def count_recovered(self) -> None:
        """Count a lost job as finished after all."""
        with self._lock:
            self._lost -= 1
            surplus = self._threads > self._max_threads()
        if surplus:
            self._jobs.put(None)

    def stop(self) -> None:
        """Tell every thread to end after its job; does not wait for it."""
        with self._lock:
            count = self._threads
        for _ in range(count):
            self._jobs.put(None)

    def _max_threads(self) -> int:
        since = self._clock() - SLOW_S
        slow = sum(began <= since for began in self._began.values())
        return min(self._size + max(self._lost, slow), self._limit)  # the lost are slow, too

    def _start_thread(self) -> None:
        threading.Thread(target=self._run_jobs, name="gateway-handler", daemon=True).start()

    def _run_jobs(self) -> None:
        me = threading.get_ident()
        while True:
            with self._lock:
                self._idle += 1
            job = self._jobs.get()
            with self._lock:
                self._idle -= 1
                if job is None:
                    self._threads -= 1
                    return
                self._pending -= 1
                self._began[me] = self._clock()
            job()
            # Or this thread, while it waits, would keep alive what the last job refers to.
            del job
            with self._lock:
                was_slow = self._clock() - self._began.pop(me) >= SLOW_S
                if was_slow and self._threads > self._max_threads():
                    self._threads -= 1  # another has its place
                    return
