from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from infra.gateway.invocation import LambdaContext
from infra.local.due_times import DueTimes
from infra.local.poller import CONCURRENCY, Poller, read_failed_ids
from tests.conftest import PATIENCE_S

Batch = list[dict[str, Any]]


class FakeQueue:
    """Hands out batches as they are put in, and remembers what was deleted."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.deleted: list[str] = []
        self.failures = 0

    def put(self, *bodies: str) -> None:
        self.batches.append([a_message(body) for body in bodies])

    def receive_message(self, **_: Any) -> dict[str, Batch]:
        if self.failures:
            self.failures -= 1
            raise EndpointConnectionError(endpoint_url="http://gone")
        return {"Messages": self.batches.pop(0)} if self.batches else {}

    def delete_message_batch(self, QueueUrl: str, Entries: Batch) -> dict[str, Batch]:
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]
        return {"Successful": [], "Failed": []}


def a_message(body: str) -> dict[str, Any]:
    return {
        "MessageId": f"id-{body}",
        "ReceiptHandle": f"handle-{body}",
        "Body": body,
        "MD5OfBody": "0" * 32,
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1700000000000"},
        "MessageAttributes": {"trace": {"StringValue": "t1", "DataType": "String"}},
    }


@contextmanager
def polling(queue: FakeQueue, wake: Callable[..., Any]) -> Iterator[DueTimes]:
    due_times = DueTimes()
    url = "http://127.0.0.1:4566/000000000000/wakeups"
    poller = Poller(queue, url, wake, due_times, wait_s=0, pause_s=0.01)
    poller.start()
    try:
        yield due_times
    finally:
        poller.stop()


def eventually(what: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    give_up_at = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < give_up_at, "did not happen"
        time.sleep(0.005)


def test_a_batch_becomes_one_lambda_event_and_is_deleted() -> None:
    queue, calls = FakeQueue(), []

    def wake(event: dict[str, Any], context: LambdaContext) -> None:
        calls.append((event, context.get_remaining_time_in_millis(), context.aws_request_id))

    queue.put("a", "b")
    with polling(queue, wake):
        eventually(lambda: len(queue.deleted) == 2)
    ((event, left_ms, request_id),) = calls
    assert event["Records"][0] == {
        "messageId": "id-a",
        "receiptHandle": "handle-a",
        "body": "a",
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1700000000000"},
        "messageAttributes": {
            "trace": {
                "stringValue": "t1",
                "dataType": "String",
                "stringListValues": [],
                "binaryListValues": [],
            }
        },
        "md5OfBody": "0" * 32,
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:wakeups",
        "awsRegion": "us-east-1",
    }
    assert 0 < left_ms <= 30_000
    assert request_id


def test_what_failed_is_left_in_the_queue() -> None:
    queue = FakeQueue()
    queue.put("a", "b", "c")
    with polling(queue, lambda *_: {"batchItemFailures": [{"itemIdentifier": "id-b"}]}):
        eventually(lambda: len(queue.deleted) == 2)
    assert queue.deleted == ["handle-a", "handle-c"]


def test_a_raised_exception_deletes_nothing_and_the_next_batch_is_handled() -> None:
    queue = FakeQueue()

    def wake(event: dict[str, Any], _: LambdaContext) -> None:
        if event["Records"][0]["body"] == "bad":
            raise RuntimeError("no")

    queue.put("bad")
    queue.put("good")
    with polling(queue, wake):
        eventually(lambda: queue.deleted == ["handle-good"])
    assert queue.deleted == ["handle-good"]


def test_some_batches_run_at_once_but_no_more_than_that() -> None:
    queue, release = FakeQueue(), threading.Event()
    running: list[int] = []

    def wake(*_: Any) -> None:
        running.append(1)
        release.wait(PATIENCE_S)

    for i in range(CONCURRENCY * 2):
        queue.put(str(i))
    with polling(queue, wake):
        eventually(lambda: len(running) == CONCURRENCY)
        time.sleep(0.1)
        assert len(running) == CONCURRENCY
        release.set()
        eventually(lambda: len(queue.deleted) == CONCURRENCY * 2)


def test_an_engine_that_is_away_is_tried_again() -> None:
    queue = FakeQueue()
    queue.failures = 1
    queue.put("a")
    with polling(queue, lambda *_: None) as due_times:
        due_times.add_delay(0)
        eventually(lambda: queue.deleted == ["handle-a"])


def test_a_handler_that_hangs_does_not_keep_it_from_stopping() -> None:
    queue, release = FakeQueue(), threading.Event()
    queue.put("a")
    began = time.monotonic()
    with polling(queue, lambda *_: release.wait(PATIENCE_S)):
        eventually(lambda: not queue.batches)
    assert time.monotonic() - began < PATIENCE_S / 2
    release.set()


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        (None, set()),
        ({}, set()),
        ("ok", set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": "z"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"id": "a"}]}, {"a", "b"}),
        ({"batchItemFailures": 3}, {"a", "b"}),
    ],
)
def test_a_partial_response_is_read_as_lambda_reads_it(result: Any, failed: set[str]) -> None:
    assert read_failed_ids(result, ["a", "b"]) == failed
