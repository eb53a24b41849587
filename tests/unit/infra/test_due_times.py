from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest

from chalicelib.domain.messaging.wakeups import GreetingDue, Wakeup
from chalicelib.errors import Unavailable
from infra.local.due_times import DueTimes, NotingQueue

AT_ONCE = timedelta(0)
LONG_S = 30.0


class FakeQueue:
    def __init__(self) -> None:
        self.sent: list[tuple[Wakeup, timedelta]] = []
        self.is_down = False

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        if self.is_down:
            raise Unavailable("down")
        self.sent += wakeups


@pytest.fixture
def due_times() -> Iterator[DueTimes]:
    made = DueTimes()
    yield made
    made.stop()


class Watch:
    """Says after how many seconds something was due. It is begun before anything is sent: between
    that and a look at the clock a busy machine may do much else."""

    def __init__(self, due_times: DueTimes) -> None:
        self._due_times = due_times
        self._began = time.monotonic()

    def wait_s(self) -> float:
        """Wait until something is due."""
        assert self._due_times.wait_for_due()
        return time.monotonic() - self._began


def test_a_message_sent_here_is_due_at_once(due_times: DueTimes) -> None:
    queue, watch = FakeQueue(), Watch(due_times)
    due_times.add_delay(LONG_S)
    NotingQueue(queue, due_times).send_wakeups((GreetingDue(id_), AT_ONCE) for id_ in "ab")
    assert queue.sent == [(GreetingDue("a"), AT_ONCE), (GreetingDue("b"), AT_ONCE)]
    assert watch.wait_s() < LONG_S / 2


def test_a_delayed_message_is_due_after_its_delay(due_times: DueTimes) -> None:
    watch = Watch(due_times)
    due_times.add_delay(LONG_S)
    due_times.add_delay(0.2)
    assert 0.2 <= watch.wait_s() < LONG_S / 2


def test_a_batch_is_due_once_for_each_delay_in_it(due_times: DueTimes) -> None:
    """Delays are as the queue takes them: whole seconds, rounded up."""
    delays, watch = (AT_ONCE, AT_ONCE, timedelta(seconds=0.4)), Watch(due_times)
    NotingQueue(FakeQueue(), due_times).send_wakeups((GreetingDue("a"), delay) for delay in delays)
    watch.wait_s()
    assert 1 <= watch.wait_s() < LONG_S / 2


def test_what_was_not_sent_falls_never_due(due_times: DueTimes) -> None:
    queue, watch = FakeQueue(), Watch(due_times)
    queue.is_down = True
    with pytest.raises(Unavailable):
        NotingQueue(queue, due_times).send_wakeups([(GreetingDue("a"), AT_ONCE)])
    due_times.add_delay(0.2)
    assert watch.wait_s() >= 0.2


def test_what_is_due_sooner_is_not_held_up(due_times: DueTimes) -> None:
    watch = Watch(due_times)
    due_times.add_delay(LONG_S)
    timer = threading.Timer(0.05, due_times.add_delay, [0.0])
    timer.start()
    assert watch.wait_s() < LONG_S / 2
    timer.join()


def test_stopping_ends_the_wait(due_times: DueTimes) -> None:
    timer = threading.Timer(0.05, due_times.stop)
    timer.start()
    assert not due_times.wait_for_due()
    timer.join()
