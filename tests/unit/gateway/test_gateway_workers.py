"""Handlers run side by side; one that never ends costs its thread and nothing else."""

from __future__ import annotations

import threading

import pytest

from infra.gateway.workers import SLOW_S, PoolFullError, WorkerPool
from tests.conftest import PATIENCE_S


def test_calls_run_at_the_same_time_up_to_the_pools_size() -> None:
    pool = WorkerPool(4, 8, 100)
    together = threading.Barrier(5)
    for _ in range(4):
        pool.submit(lambda: (together.wait(PATIENCE_S), None)[1])
    together.wait(PATIENCE_S)
    assert pool.threads == 4
    pool.stop()


def test_a_lost_call_lets_another_thread_take_its_place() -> None:
    pool = WorkerPool(1, 2, 100)
    hung, started, ran = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        hung.wait(PATIENCE_S)
        pool.count_recovered()

    pool.submit(hang)
    assert started.wait(PATIENCE_S)
    pool.submit(ran.set)
    assert not ran.is_set()
    pool.count_lost()
    assert ran.wait(PATIENCE_S)
    hung.set()
    pool.stop()


def test_the_pool_never_grows_over_its_limit() -> None:
    pool = WorkerPool(1, 2, 100)
    hung = threading.Event()
    for _ in range(5):
        pool.submit(lambda: (hung.wait(PATIENCE_S), None)[1])
        pool.count_lost()
    assert pool.threads == 2
    hung.set()
    pool.stop()


def test_calls_that_take_long_let_others_take_their_places() -> None:
    """They wait, as a long poll does: what comes meanwhile must not wait for them."""
    now = 0.0
    pool = WorkerPool(2, 3, 100, clock=lambda: now)
    together, ended, ran = threading.Barrier(3), threading.Event(), threading.Event()

    def wait_long() -> None:
        together.wait(PATIENCE_S)
        ended.wait(PATIENCE_S)

    for _ in range(2):
        pool.submit(wait_long)
    together.wait(PATIENCE_S)
    pool.submit(ran.set)
    pool.relieve()
    assert (ran.is_set(), pool.threads) == (False, 2)
    now = SLOW_S
    pool.relieve()
    assert ran.wait(PATIENCE_S)
    assert pool.threads == 3
    ended.set()
    again = threading.Event()
    pool.submit(again.set)
    assert again.wait(PATIENCE_S)
    pool.stop()


def test_a_full_queue_refuses_further_calls() -> None:
    pool = WorkerPool(1, 1, 2)
    hung, started = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        hung.wait(PATIENCE_S)

    pool.submit(hang)
    assert started.wait(PATIENCE_S)
    pool.submit(lambda: None)
    pool.submit(lambda: None)
    with pytest.raises(PoolFullError):
        pool.submit(lambda: None)
    hung.set()
    pool.stop()
