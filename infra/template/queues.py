"""The wakeup queue and where its failures end."""

from __future__ import annotations

from infra.resources.tables import (
    DEAD_LETTER_RETENTION_S,
    MAX_RECEIVES,
    RETENTION_S,
    VISIBILITY_TIMEOUT_S,
)
from infra.template.intrinsics import Value, att, stage_name

QUEUE, DEAD_LETTERS = "WakeupQueue", "WakeupDeadLetters"
QUEUE_NAME = "wakeups"


def make_resources() -> Value:
    """Return both queues.

    The dead letters are encrypted like the rest, and outlive the queue's own.
    """
    queue = {
        "QueueName": stage_name(QUEUE_NAME),
        "VisibilityTimeout": VISIBILITY_TIMEOUT_S,
        "MessageRetentionPeriod": RETENTION_S,
        "SqsManagedSseEnabled": True,
        "RedrivePolicy": {
            "deadLetterTargetArn": att(DEAD_LETTERS, "Arn"),
            "maxReceiveCount": MAX_RECEIVES,
        },
    }
    dead_letters = {
        "QueueName": stage_name(f"{QUEUE_NAME}-dead"),
        "MessageRetentionPeriod": DEAD_LETTER_RETENTION_S,
        "SqsManagedSseEnabled": True,
    }
    return {QUEUE: _make_queue(queue), DEAD_LETTERS: _make_queue(dead_letters)}


def _make_queue(properties: Value) -> Value:
    return {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": properties,
    }
