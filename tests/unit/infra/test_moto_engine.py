from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.botocore_stubber import BotocoreStubber

from infra.local.moto_engine import run_moto
from infra.resources.aws_clients import make_client


def test_calls_never_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = threading.Semaphore(1)
    overlaps: list[str] = []
    process = BotocoreStubber.process_request

    def watched(self: BotocoreStubber, request: Any) -> Any:
        if not inside.acquire(blocking=False):
            overlaps.append(request.url)
            return process(self, request)
        try:
            time.sleep(0.005)
            return process(self, request)
        finally:
            inside.release()

    monkeypatch.setattr(BotocoreStubber, "process_request", watched)
    with run_moto(), ThreadPoolExecutor(8) as pool:
        sqs = make_client("sqs", None)
        list(pool.map(lambda _: sqs.list_queues(), range(24)))
    assert overlaps == []


def test_it_forgets_everything_at_its_end() -> None:
    sqs = make_client("sqs", None)
    with run_moto():
        sqs.create_queue(QueueName="q")
    with run_moto(), pytest.raises(ClientError, match="NonExistentQueue"):
        sqs.get_queue_url(QueueName="q")


def test_a_failed_call_leaves_the_next_one_free_to_run() -> None:
    with run_moto():
        sqs = make_client("sqs", None)
        with pytest.raises(ClientError):
            sqs.get_queue_url(QueueName="none")
        assert sqs.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
