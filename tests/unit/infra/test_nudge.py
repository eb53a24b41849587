from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from botocore import handlers

from infra.local.moto_engine import moto_engine
from infra.nudge import Nudges
from infra.resources.aws_clients import client


@pytest.fixture
def nudges() -> Iterator[Nudges]:
    before = list(handlers.BUILTIN_HANDLERS)
    made = Nudges()
    made.install()
    yield made
    made.stop()
    handlers.BUILTIN_HANDLERS[:] = before


def _waits_s(nudges: Nudges) -> float:
    began = time.monotonic()
    assert nudges.wait()
    return time.monotonic() - began


def test_a_message_sent_here_is_due_at_once(nudges: Nudges) -> None:
    with moto_engine():
        sqs = client("sqs", None)
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="x")
    assert _waits_s(nudges) < 0.05


def test_a_delayed_message_is_due_after_its_delay(nudges: Nudges) -> None:
    nudges.add(0.2)
    assert 0.19 < _waits_s(nudges) < 0.4


def test_a_batch_nudges_once_for_each_delay_in_it(nudges: Nudges) -> None:
    with moto_engine():
        sqs = client("sqs", None)
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        delays = [0, 0, 1]
        sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(i), "MessageBody": "x", "DelaySeconds": delay}
                for i, delay in enumerate(delays)
            ],
        )
    assert _waits_s(nudges) < 0.1
    assert 0.8 < _waits_s(nudges) < 1.3


def test_what_is_due_sooner_is_not_held_up(nudges: Nudges) -> None:
    nudges.add(30)
    timer = threading.Timer(0.05, nudges.add, [0.0])
    timer.start()
    assert _waits_s(nudges) < 1
    timer.join()


def test_stopping_ends_the_wait(nudges: Nudges) -> None:
    timer = threading.Timer(0.05, nudges.stop)
    timer.start()
    assert not nudges.wait()
    timer.join()
