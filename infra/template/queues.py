"""The queues of wakeups and of webhooks, and where their failures end."""

from __future__ import annotations

from infra.resources.tables import (
    DEAD_LETTER_RETENTION_S,
    MAX_RECEIVES,
    RETENTION_S,
    VISIBILITY_TIMEOUT_S,
    WEBHOOK_VISIBILITY_TIMEOUT_S,
)
from infra.template.intrinsics import Value, att, stage_name

QUEUE, DEAD_LETTERS = "WakeupQueue", "WakeupDeadLetters"
QUEUE_NAME = "wakeups"
WEBHOOK_QUEUE, WEBHOOK_DEAD_LETTERS = "WebhookQueue", "WebhookDeadLetters"
WEBHOOK_QUEUE_NAME = "webhooks"


def make_resources() -> Value:
    """Return all queues."""
    return {
        **_make_pair(QUEUE, DEAD_LETTERS, QUEUE_NAME, VISIBILITY_TIMEOUT_S),
        **_make_pair(
            WEBHOOK_QUEUE, WEBHOOK_DEAD_LETTERS, WEBHOOK_QUEUE_NAME, WEBHOOK_VISIBILITY_TIMEOUT_S
        ),
    }


def _make_pair(queue: str, dead_letters: str, name: str, visibility_timeout_s: int) -> Value:
    """Return a queue and that of its dead letters.

    The dead letters are encrypted like the rest, and outlive the queue's own.
    """
    properties = {
        "QueueName": stage_name(name),
        "VisibilityTimeout": visibility_timeout_s,
        "MessageRetentionPeriod": RETENTION_S,
        "SqsManagedSseEnabled": True,
        "RedrivePolicy": {
            "deadLetterTargetArn": att(dead_letters, "Arn"),
            "maxReceiveCount": MAX_RECEIVES,
        },
    }
    dead = {
        "QueueName": stage_name(f"{name}-dead"),
        "MessageRetentionPeriod": DEAD_LETTER_RETENTION_S,
        "SqsManagedSseEnabled": True,
    }
    return {queue: _make_queue(properties), dead_letters: _make_queue(dead)}


def _make_queue(properties: Value) -> Value:
    return {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": properties,
    }
