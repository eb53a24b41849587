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


def _waits_s(due_times: DueTimes) -> float:
    began = time.monotonic()
    assert due_times.wait_for_due()
    return time.monotonic() - began


def test_a_message_sent_here_is_due_at_once(due_times: DueTimes) -> None:
    queue = FakeQueue()
    NotingQueue(queue, due_times).send_wakeups((GreetingDue(id_), AT_ONCE) for id_ in "ab")
    assert queue.sent == [(GreetingDue("a"), AT_ONCE), (GreetingDue("b"), AT_ONCE)]
    assert _waits_s(due_times) < 0.05


def test_a_delayed_message_is_due_after_its_delay(due_times: DueTimes) -> None:
    due_times.add_delay(0.2)
    assert 0.19 < _waits_s(due_times) < 0.4


def test_a_batch_is_due_once_for_each_delay_in_it(due_times: DueTimes) -> None:
    """Delays are as the queue takes them: whole seconds, rounded up."""
    delays = (AT_ONCE, AT_ONCE, timedelta(seconds=0.4))
    NotingQueue(FakeQueue(), due_times).send_wakeups((GreetingDue("a"), delay) for delay in delays)
    assert _waits_s(due_times) < 0.1
    assert 0.8 < _waits_s(due_times) < 1.3


def test_what_was_not_sent_falls_never_due(due_times: DueTimes) -> None:
    queue = FakeQueue()
    queue.is_down = True
    with pytest.raises(Unavailable):
        NotingQueue(queue, due_times).send_wakeups([(GreetingDue("a"), AT_ONCE)])
    due_times.add_delay(0.2)
    assert _waits_s(due_times) > 0.1


def test_what_is_due_sooner_is_not_held_up(due_times: DueTimes) -> None:
    due_times.add_delay(30)
    timer = threading.Timer(0.05, due_times.add_delay, [0.0])
    timer.start()
    assert _waits_s(due_times) < 1
    timer.join()


def test_stopping_ends_the_wait(due_times: DueTimes) -> None:
    timer = threading.Timer(0.05, due_times.stop)
    timer.start()
    assert not due_times.wait_for_due()
    timer.join()
