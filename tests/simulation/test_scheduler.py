"""Virtual time, strands, and processes that die."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from random import Random

import pytest

from tests.faults import Crash
from tests.simulation.scheduler import Invocation, Scheduler
from tests.simulation.threads import pools_on


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    """One whose thread pools are its own."""
    made = Scheduler(Random(1))
    with pools_on(made, Random(2)):
        yield made
    made.close()


def an_invocation(scheduler: Scheduler, skew_s: float = 0.0) -> Invocation:
    return Invocation("wake", scheduler.now_s, 28.0, skew_s)


def test_strands_take_turns_in_the_order_of_time(scheduler: Scheduler) -> None:
    seen: list[tuple[str, float]] = []

    def walk(name: str, step_s: float) -> None:
        for _ in range(3):
            scheduler.sleep(step_s)
            seen.append((name, scheduler.now_s))

    scheduler.begin(lambda: walk("slow", 3))
    scheduler.begin(lambda: walk("quick", 2), after_s=0.5)
    scheduler.run_until(100)
    assert [name for name, _ in seen] == ["quick", "slow", "quick", "slow", "quick", "slow"]
    assert [at_s for _, at_s in seen] == [2.5, 3, 4.5, 6, 6.5, 9]
    assert scheduler.now_s == 100


def test_who_is_first_at_the_same_moment_is_up_to_the_seed() -> None:
    def order(seed: int) -> list[int]:
        scheduler, seen = Scheduler(Random(seed)), list[int]()
        for n in range(5):
            scheduler.begin(lambda n=n: seen.append(n))  # type: ignore[misc]
        scheduler.run_until(1)
        return seen

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(20)}) > 5


def test_each_lambda_has_a_clock_of_its_own(scheduler: Scheduler) -> None:
    seen = []

    def ask() -> None:
        for skew_s in (30.0, -30.0):
            invocation = an_invocation(scheduler, skew_s=skew_s)
            now = scheduler.invoke(invocation, scheduler.clock)
            seen.append((now - scheduler.now).total_seconds())

    scheduler.begin(ask)
    scheduler.run_until(1)
    assert seen == [30.0, -30.0]


def test_jobs_of_a_pool_wait_side_by_side(scheduler: Scheduler) -> None:
    pool, took = ThreadPoolExecutor(2), list[float]()

    def work(seconds: float) -> float:
        scheduler.sleep(seconds)
        return seconds

    def ask() -> None:
        jobs = [pool.submit(work, 5), pool.submit(work, 7)]
        wait(jobs)
        took.append(scheduler.now_s)
        assert [job.result() for job in jobs] == [5, 7]
        assert list(pool.map(work, [1, 1, 1])) == [1, 1, 1]
        took.append(scheduler.now_s)

    scheduler.begin(lambda: scheduler.invoke(an_invocation(scheduler), ask))
    scheduler.run_until(100)
    assert took == [pytest.approx(7, abs=0.01), pytest.approx(8, abs=0.02)]


def test_a_job_that_fails_says_so_to_whoever_asks(scheduler: Scheduler) -> None:
    failed = []

    def ask() -> None:
        job = ThreadPoolExecutor(1).submit(lambda: 1 / 0)
        failed.append(job.exception())

    scheduler.begin(lambda: scheduler.invoke(an_invocation(scheduler), ask))
    scheduler.run_until(1)
    assert isinstance(failed[0], ZeroDivisionError)


def test_a_process_dies_with_all_its_threads(scheduler: Scheduler) -> None:
    done, died = list[str](), list[str]()

    def work(name: str, seconds: float, mortal: bool) -> None:
        scheduler.sleep(seconds)
        if mortal:
            assert scheduler.invocation is not None
            scheduler.kill(scheduler.invocation)
        done.append(name)

    def ask() -> None:
        pool = ThreadPoolExecutor(3)
        pool.submit(work, "early", 1, False)
        pool.submit(work, "mortal", 2, True)
        pool.submit(work, "late", 3, False).result()

    def client() -> None:
        try:
            scheduler.invoke(an_invocation(scheduler), ask)
        except Crash:
            died.append("the request")
        scheduler.sleep(1)  # the client itself lives on
        done.append("client")

    scheduler.begin(client)
    scheduler.run_until(100)
    assert died == ["the request"]
    assert done == ["early", "client"]


def test_who_waits_for_jobs_of_a_process_that_dies_learns_it_at_once(scheduler: Scheduler) -> None:
    """Whichever job they wait for: `wait` looks at its futures in the order of their addresses,
    which is another in each run."""
    died_s = []

    def die() -> None:
        scheduler.sleep(1)
        assert scheduler.invocation is not None
        scheduler.kill(scheduler.invocation)

    def ask(mortal_first: bool) -> None:
        pool = ThreadPoolExecutor(2)
        jobs = [pool.submit(scheduler.sleep, 5), pool.submit(die)]
        for job in reversed(jobs) if mortal_first else jobs:
            job.exception()

    def client(mortal_first: bool) -> None:
        try:
            scheduler.invoke(an_invocation(scheduler), lambda: ask(mortal_first))
        except Crash:
            died_s.append(scheduler.now_s)

    for mortal_first in (True, False):
        scheduler.begin(partial(client, mortal_first))
    scheduler.run_until(100)
    assert died_s == [pytest.approx(1, abs=0.01)] * 2


def test_a_frozen_process_does_nothing_until_it_thaws(scheduler: Scheduler) -> None:
    seen = []

    def ask() -> None:
        invocation = scheduler.invocation
        assert invocation is not None
        invocation.frozen_until_s = 20.0
        scheduler.sleep(1)
        seen.append(scheduler.now_s)

    scheduler.begin(lambda: scheduler.invoke(an_invocation(scheduler), ask))
    scheduler.run_until(100)
    assert seen == [20.0]
