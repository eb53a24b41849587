"""The queues of wakeups and of webhooks: SQS, with a delay for each message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from math import ceil
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.messaging.wakeups import RelayDue, Wakeup, encode_wakeup
from chalicelib.domain.webhooks.delivery import SendDue, encode_send
from chalicelib.edge.tracing import get_trace
from chalicelib.errors import Unavailable

MAX_DELAY = timedelta(minutes=15)  # AWS quota; later ones are sent on when they arrive
_MAX_ENTRIES = 10  # AWS quotas of one call
_MAX_BYTES = 256 * 1024
_RELAYS = "relays"
_DELAY = "delay"  # seconds, as sent: so a message knows when it was due
_ATTRIBUTE_BYTES = 704  # more than they take: the delay, `traceparent`, the longest `tracestate`


class _Message(NamedTuple):
    """A message as it is sent. SQS takes those of one group in turns with those of the others, so
    that a group of many keeps none from its turn."""

    body: str
    delay: timedelta
    group: str | None = None


class _SqsQueue:
    """A queue by its name. `get_client` gives a botocore SQS client, at the first message."""

    def __init__(self, get_client: Callable[[], Any], queue_name: str) -> None:
        self._get_client = get_client
        self._name = queue_name
        self._url = ""

    def _send_messages(self, messages: Iterable[_Message]) -> None:
        """Send messages, each to arrive after its delay (at most 15 min, never early): one call for
        ten of them, or for 256 KB.

        Raises Unavailable; those of earlier calls are sent then.
        """
        for entries in _split_into_calls(_make_entry(n, one) for n, one in enumerate(messages)):
            self._send_call(entries)

    def _send_call(self, entries: list[dict[str, Any]]) -> None:
        try:
            client = self._get_client()
            self._url = self._url or client.get_queue_url(QueueName=self._name)["QueueUrl"]
            answer = client.send_message_batch(QueueUrl=self._url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("Waybill can't take this now; try again.") from error
        if answer.get("Failed"):
            raise Unavailable("Waybill can't take this now; try again.")


class WakeupQueue(_SqsQueue):
    """Implement services.ports.WakeupSender. `client` is a botocore SQS client."""

    def __init__(self, client: Any, queue_name: str) -> None:
        super().__init__(lambda: client, queue_name)

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        """Send each wakeup to arrive after its delay, at most 15 min. Raises Unavailable.

        Relays are a group: each commit has one, and mostly they find nothing to do. Where so many
        orders come that they pile up, SQS lets the timers of offers, greetings and ticks pass them:
        a message without a group is one of its own.
        """
        self._send_messages(
            _Message(encode_wakeup(one), delay, _RELAYS if isinstance(one, RelayDue) else None)
            for one, delay in wakeups
        )


class SqsWebhookQueue(_SqsQueue):
    """Implement services.ports.WebhookQueue. The messages of an endpoint are a group of SQS's fair
    queues, which standard queues are."""

    def send_sends(self, sends: Iterable[tuple[SendDue, timedelta]]) -> None:
        """Send each message to arrive after its delay, at most 15 min. Raises Unavailable."""
        self._send_messages(
            _Message(encode_send(send), delay, send.endpoint_id) for send, delay in sends
        )


def compute_delay_s(delay: timedelta) -> int:
    """Return a delay as SQS takes it: whole seconds, rounded up so that no wakeup comes early."""
    return ceil(min(max(delay, timedelta(0)), MAX_DELAY).total_seconds())


def read_due_at(record: Mapping[str, Any]) -> float | None:
    """Read when a record of a Lambda event was due, in epoch seconds; None if that is not said."""
    delay = record.get("messageAttributes", {}).get(_DELAY, {}).get("stringValue")
    sent_ms = record.get("attributes", {}).get("SentTimestamp")
    return None if delay is None or sent_ms is None else int(sent_ms) / 1000 + float(delay)


def _make_entry(n: int, message: _Message) -> dict[str, Any]:
    seconds = compute_delay_s(message.delay)
    return {
        "Id": str(n),
        "MessageBody": message.body,
        "DelaySeconds": seconds,
        "MessageAttributes": {
            _DELAY: {"DataType": "Number", "StringValue": str(seconds)},
            **_make_trace_attributes(),
        },
        **({"MessageGroupId": message.group} if message.group else {}),
    }


def _make_trace_attributes() -> dict[str, dict[str, str]]:
    """Make the attributes that tell in which trace a message was sent."""
    trace = get_trace()
    headers = trace.make_headers() if trace else {}
    return {name: {"DataType": "String", "StringValue": text} for name, text in headers.items()}


def _split_into_calls(entries: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Split entries into as few calls as take them, in their order."""
    call: list[dict[str, Any]] = []
    size = 0
    for entry in entries:
        length = len(entry["MessageBody"].encode()) + _ATTRIBUTE_BYTES
        if call and (len(call) == _MAX_ENTRIES or size + length > _MAX_BYTES):
            yield call
            call, size = [], 0
        call.append(entry)
        size += length
    if call:
        yield call
