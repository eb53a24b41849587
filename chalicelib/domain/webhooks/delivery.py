"""One event's way to one endpoint: its attempts, and when the next one is due."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec
from msgspec.structs import replace

REMINDER_PREFIX = "send#"  # no connection's id begins so: API Gateway's are base64


class DeliveryStatus(str, Enum):
    """How far an event has got to an endpoint."""

    WAITING = "waiting"  # for its next attempt
    DELIVERED = "delivered"
    FAILED = "failed"  # all attempts have been made


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt: the status of the answer, None where there was none, and its first 1 KB; `error`
    says why there was none."""

    at: datetime
    ms: int
    status: int | None = None
    answer: str = ""
    error: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What came of one post: the status of the answer with the beginning of its body, or none, and
    `error` says why."""

    status: int | None = None
    text: str = ""
    retry_after: str | None = None  # the header, as it came
    error: str | None = None
    ms: int = 0

    @property
    def is_accepted(self) -> bool:
        """Whether the event has arrived: 2xx and nothing else. A redirect is not followed."""
        return self.status is not None and 200 <= self.status < 300

    def with_ms(self, ms: int) -> Answer:
        """Return the same, with how long it took."""
        return replace(self, ms=ms)


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """The delivery of the event at `seq` of an endpoint's log. `next_at` is when the next attempt
    is due, None where none is. `version` counts the writes, one an attempt; the last attempts are
    kept. `round_from` is the version from which on the schedule counts: a resend begins it anew."""

    endpoint_id: str
    seq: int
    status: DeliveryStatus = DeliveryStatus.WAITING
    attempts: tuple[Attempt, ...] = ()
    next_at: datetime | None = None
    version: int = 0
    round_from: int = 0


class SendDue(msgspec.Struct, frozen=True, tag="send"):
    """A message of the webhook queue: send the event at `seq` of an endpoint's log, unless it has
    arrived. `attempt` is the delivery's version before it, 0 at first; `resent` sends it even so:
    its owner asks."""

    endpoint_id: str
    seq: int
    attempt: int = 0
    resent: bool = False


def encode_send(send: SendDue) -> str:
    """Encode a message of the webhook queue."""
    return msgspec.json.encode(send).decode()


def decode_send(body: str) -> SendDue:
    """Decode a message of the webhook queue. Raises msgspec.ValidationError or DecodeError."""
    send: SendDue = msgspec.json.decode(body, type=SendDue)
    return send


def make_reminder_id(send: SendDue) -> str:
    """Name the reminder of a message that is to be sent later than the queue can delay it."""
    return f"{REMINDER_PREFIX}{make_webhook_id(send.endpoint_id, send.seq)}#{send.attempt}"


def parse_reminder_id(id_: str) -> SendDue | None:
    """Read which message a reminder is of; None where this is no reminder's id."""
    webhook_id, _, attempt = id_.removeprefix(REMINDER_PREFIX).rpartition("#")
    place = parse_webhook_id(webhook_id) if id_.startswith(REMINDER_PREFIX) else None
    return SendDue(*place, attempt=int(attempt)) if place else None


def make_webhook_id(endpoint_id: str, seq: int) -> str:
    """Make the webhook-id of an event: its place in the endpoint's log, at every resend."""
    return f"{endpoint_id}-{seq}"


def parse_webhook_id(webhook_id: str) -> tuple[str, int] | None:
    """Read which endpoint and place a webhook-id names; None if it is none. Each place has one way
    to be written."""
    endpoint_id, dash, seq = webhook_id.rpartition("-")
    if not dash or not endpoint_id or not (seq.isascii() and seq.isdigit()) or len(seq) > 15:
        return None
    return (endpoint_id, int(seq)) if not seq.startswith("0") else None
