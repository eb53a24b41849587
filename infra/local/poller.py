"""Do what AWS does between a queue and a Lambda function: poll, invoke, delete what succeeded.

A batch that fails stays invisible for the queue's visibility timeout and comes again; the queue's
redrive policy moves it to the dead-letter queue in the end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.edge import sqs, webhook_sends
from infra.gateway.invocation import LambdaContext
from infra.local.due_times import DueTimes
from infra.resources.tables import VISIBILITY_TIMEOUT_S, WEBHOOK_VISIBILITY_TIMEOUT_S

log = logging.getLogger("waybill.poller")

CONCURRENCY = 4
RETRY_AFTER_S = 1.0

Handler = Callable[[dict[str, Any], LambdaContext], Any]
Message = dict[str, Any]


class EventSource(NamedTuple):
    """How a queue feeds a function: messages of a batch, batches at once, and for how long what is
    received stays invisible."""

    function: str
    batch_size: int
    concurrency: int
    visible_after_s: int


WAKEUPS = EventSource("wake", sqs.BATCH_SIZE, CONCURRENCY, VISIBILITY_TIMEOUT_S)
# A batch takes as long as its slowest receiver: there must be more than hang.
WEBHOOKS = EventSource(
    "send_webhooks", webhook_sends.BATCH_SIZE, 2 * CONCURRENCY, WEBHOOK_VISIBILITY_TIMEOUT_S
)


class Poller:
    """Feeds one queue to one handler, some batches at a time.

    Two threads receive: one when `due_times` says that something is due, the other all the time, by
    long polls of `wait_s`, or with `wait_s` 0 by a short poll every `pause_s`.
    """

    def __init__(
        self,
        sqs: Any,
        queue_url: str,
        handler: Handler,
        due_times: DueTimes,
        source: EventSource = WAKEUPS,
        *,
        wait_s: int = 1,
        pause_s: float = 0.0,
        region: str = "us-east-1",
    ) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._arn = f"arn:aws:sqs:{region}:000000000000:{queue_url.rsplit('/', 1)[-1]}"
        self._region = region
        self._handler = handler
        self._source = source
        self._due_times = due_times
        self._wait_s = wait_s
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._slots = threading.BoundedSemaphore(source.concurrency)
        self._receivers = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("poll", self._poll_forever), ("due", self._receive_when_due))
        ]

    def start(self) -> None:
        """Begin to receive."""
        for receiver in self._receivers:
            receiver.start()

    def stop(self, within_s: float = 2.0) -> None:
        """Receive no more. What still runs after `within_s` is received again by the next run."""
        self._stopping.set()
        self._due_times.stop()
        give_up_at = time.monotonic() + within_s
        for _ in range(self._source.concurrency):
            self._slots.acquire(timeout=max(0.0, give_up_at - time.monotonic()))
        for receiver in self._receivers:
            receiver.join(max(0.0, give_up_at - time.monotonic()))

    def _poll_forever(self) -> None:
        while not self._stopping.is_set():
            received = self._receive_batch(self._wait_s)
            if not received and self._pause_s:
                self._stopping.wait(self._pause_s)

    def _receive_when_due(self) -> None:
        while self._due_times.wait_for_due():
            while self._receive_batch(0) and not self._stopping.is_set():
                pass

    def _receive_batch(self, wait_s: int) -> bool:
        """Receive one batch and hand it on; False when there was none."""
        try:
            messages = self._sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=self._source.batch_size,
                WaitTimeSeconds=wait_s,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
        except (BotoCoreError, ClientError) as error:
            if not self._stopping.is_set():
                log.warning("can't receive for %s: %s", self._source.function, error)
            self._stopping.wait(RETRY_AFTER_S)
            return False
        # What is received but not handled comes again after the visibility timeout.
        if messages and not self._stopping.is_set():
            # One batch too many waits here, invisible, rather than to run beside the others: Lambda
            # has a limit too.
            self._slots.acquire()
            # A daemon, unlike an executor's: a handler that hangs must not keep the process.
            threading.Thread(
                target=self._handle_batch,
                args=(messages,),
                name=self._source.function,
                daemon=True,
            ).start()
        return bool(messages)

    def _handle_batch(self, messages: list[Message]) -> None:
        try:
            self._invoke_handler(messages)
        finally:
            self._slots.release()

    def _invoke_handler(self, messages: list[Message]) -> None:
        ids = [message["MessageId"] for message in messages]
        function = self._source.function
        context = LambdaContext(f"waybill-api-{function}", timeout_s=self._source.visible_after_s)
        try:
            failed = read_failed_ids(self._handler(self._make_event(messages), context), ids)
        except Exception:  # the outermost edge of a handler, as in Lambda
            log.exception("%s raised; %d messages will come again", function, len(ids))
            return
        if failed:
            log.warning(
                "%d of %d of %s failed and will come again", len(failed), len(ids), function
            )
        self._delete_handled([m for m in messages if m["MessageId"] not in failed])

    def _make_event(self, messages: Iterable[Message]) -> dict[str, Any]:
        return {"Records": [make_record(message, self._arn, self._region) for message in messages]}

    def _delete_handled(self, messages: list[Message]) -> None:
        if not messages:
            return
        entries = [
            {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]}
            for i, message in enumerate(messages)
        ]
        try:
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            # They come again, as at AWS, and a wakeup that comes twice does nothing more.
            if not self._stopping.is_set():
                log.warning("can't delete %d handled messages: %s", len(entries), error)


def read_failed_ids(result: Any, ids: list[str]) -> set[str]:
    """Read a partial batch response as Lambda does: what makes no sense fails the whole batch."""
    if not result or not isinstance(result, dict) or not result.get("batchItemFailures"):
        return set()
    try:
        failed = {failure["itemIdentifier"] for failure in result["batchItemFailures"]}
    except (TypeError, KeyError):
        return set(ids)
    return failed if failed <= set(ids) else set(ids)


def make_record(message: Message, queue_arn: str, region: str) -> dict[str, Any]:
    """Return one record of a Lambda SQS event."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _lower_attribute(value)
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def _lower_attribute(value: dict[str, Any]) -> dict[str, Any]:
    lowered = {name[0].lower() + name[1:]: part for name, part in value.items()}
    return {**lowered, "stringListValues": [], "binaryListValues": []}
