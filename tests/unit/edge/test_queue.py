"""What is sent to SQS: within its limits, and each message knows when it was due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.events import ORDER_OPENED, Event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.wakeups import (
    FanOutDue,
    GreetingDue,
    RelayDue,
    TickDue,
    Wakeup,
    decode_wakeup,
)
from chalicelib.edge.aws.queue import WakeupQueue, read_due_at
from chalicelib.edge.tracing import (
    Invocation,
    Trace,
    enter_invocation,
    enter_message,
    get_trace,
)
from chalicelib.errors import Unavailable
from infra.local.poller import make_record
from tests.builders import NOW


class Client:
    """A botocore SQS client as far as it is used."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.refuses: set[int] = set()  # calls, by their number

    def get_queue_url(self, QueueName: str) -> dict[str, str]:
        return {"QueueUrl": f"https://queue/{QueueName}"}

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(Entries)
        failed = len(self.calls) - 1 in self.refuses
        return {"Failed": [{"Id": Entries[0]["Id"]}]} if failed else {}

    def sent(self) -> list[Wakeup]:
        return [decode_wakeup(entry["MessageBody"]) for call in self.calls for entry in call]


def a_share_of(listeners: int) -> FanOutDue:
    event = Event(ORDER_OPENED, "", "order#1", 1, 0, NOW, data={"text": "x" * 20_000})
    someone = [Subscriber(f"connection-{n}", f"person-{n}", "food") for n in range(listeners)]
    return FanOutDue(event, tuple(someone))


def at_once(wakeup: Wakeup) -> tuple[Wakeup, timedelta]:
    return wakeup, timedelta(0)


def test_relays_are_a_group_that_others_may_pass() -> None:
    client = Client()
    wakeups: list[Wakeup] = [RelayDue("order#1", 1), TickDue("e", 1)]
    WakeupQueue(client, "q").send_wakeups(map(at_once, wakeups))
    [[relay, tick]] = client.calls
    assert relay["MessageGroupId"] == "relays"
    assert "MessageGroupId" not in tick


def test_ten_go_with_one_call() -> None:
    client = Client()
    wakeups: list[Wakeup] = [GreetingDue(f"c{n}") for n in range(23)]
    WakeupQueue(client, "q").send_wakeups(map(at_once, wakeups))
    assert [len(call) for call in client.calls] == [10, 10, 3]
    assert client.sent() == wakeups
    for call in client.calls:
        assert len({entry["Id"] for entry in call}) == len(call)


def test_no_call_is_larger_than_sqs_takes() -> None:
    client = Client()
    WakeupQueue(client, "q").send_wakeups([at_once(a_share_of(600))] * 10)
    assert len(client.sent()) == 10
    for call in client.calls:
        assert sum(len(entry["MessageBody"]) for entry in call) <= 256 * 1024
    assert 1 < len(client.calls) < 10


def test_nothing_is_no_call() -> None:
    client = Client()
    WakeupQueue(client, "q").send_wakeups([])
    assert client.calls == []


def test_one_that_sqs_did_not_take_is_unavailable() -> None:
    client = Client()
    client.refuses.add(1)
    with pytest.raises(Unavailable):
        WakeupQueue(client, "q").send_wakeups(at_once(GreetingDue(f"c{n}")) for n in range(11))


def received(client: Client) -> Iterator[dict[str, Any]]:
    """The records of the Lambda event that comes of it, all sent at 1,700,000,000 s."""
    for entry in client.calls[0]:
        message = {
            "MessageId": entry["Id"],
            "ReceiptHandle": "r",
            "Body": entry["MessageBody"],
            "MD5OfBody": "",
            "Attributes": {"SentTimestamp": "1700000000000"},
            "MessageAttributes": entry["MessageAttributes"],
        }
        yield make_record(message, "arn:aws:sqs:us-east-1:000000000000:q", "us-east-1")


def test_a_message_knows_when_it_was_due() -> None:
    client = Client()
    delays = (timedelta(0), timedelta(seconds=4.2), timedelta(hours=1), timedelta(-1))
    WakeupQueue(client, "q").send_wakeups((GreetingDue("c"), delay) for delay in delays)
    assert [entry["DelaySeconds"] for entry in client.calls[0]] == [0, 5, 900, 0]
    due = [read_due_at(one) for one in received(client)]
    assert due == [1_700_000_000, 1_700_000_005, 1_700_000_900, 1_700_000_000]


def test_what_does_not_say_when_it_was_due_is_not_late() -> None:
    assert read_due_at({}) is None
    assert read_due_at({"messageAttributes": {"delay": {"stringValue": "1"}}}) is None
    assert read_due_at({"attributes": {"SentTimestamp": "1"}, "messageAttributes": {}}) is None


def test_a_message_tells_in_which_trace_it_was_sent() -> None:
    client = Client()
    trace = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", state="a=b")
    with enter_invocation(Invocation(trace)):
        WakeupQueue(client, "q").send_wakeups([at_once(GreetingDue("c="))])
    WakeupQueue(client, "q").send_wakeups([at_once(GreetingDue("c="))])
    (told,), (untold,) = client.calls
    sent = {name: one["StringValue"] for name, one in told["MessageAttributes"].items()}
    assert sent == {"delay": "0", "traceparent": trace.parent, "tracestate": "a=b"}
    assert set(untold["MessageAttributes"]) == {"delay"}
    message = {
        "MessageId": "1",
        "ReceiptHandle": "r",
        "Body": told["MessageBody"],
        "MD5OfBody": "",
        "MessageAttributes": told["MessageAttributes"],
    }
    with enter_message(make_record(message, "arn", "us-east-1")):
        found = get_trace()
    assert found is not None
    assert (found.trace_id, found.state) == (trace.trace_id, "a=b")
