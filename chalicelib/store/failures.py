"""What a failed DynamoDB call means: a lost race, or a fault."""

from __future__ import annotations

import random
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException, TransactWriteError

from chalicelib.errors import Stale, Unavailable

_TRIES = 6
_PAUSE_S = 0.03
LOST = "ConditionalCheckFailed"

# What says nothing about what was asked: it may go well the next time.
FAULTS = (PynamoDBException, BotoCoreError, ClientError, Unavailable, Stale, OSError)


def lost_race(error: PynamoDBException) -> bool:
    """Whether a single write failed because of another: its condition no longer held, or a
    transaction held the item for longer than retry_conflicts() waits."""
    return refused(error) or error.cause_response_code == "TransactionConflictException"


def refused(error: PynamoDBException) -> bool:
    """Whether a single write's condition did not hold."""
    return error.cause_response_code == "ConditionalCheckFailedException"


def retry_conflicts(client: Any) -> None:
    """Let single writes wait for a transaction on the same item: DynamoDB refuses them while one
    runs, and the SDK takes that for final. (Here, whatever rides along with an order's commit is
    a courier's row, which the courier's own positions are written to all the time.)"""

    def again_in_s(response: Any, attempts: int, **_: Any) -> float | None:
        code = response[1].get("Error", {}).get("Code", "") if response else ""
        if code == "TransactionConflictException" and attempts < _TRIES:
            return _PAUSE_S * attempts * random.uniform(0.5, 1.5)
        return None

    for operation in ("PutItem", "UpdateItem", "DeleteItem"):
        client.meta.events.register_first(f"needs-retry.dynamodb.{operation}", again_in_s)


def cancelled(error: TransactWriteError) -> list[str] | None:
    """The reason for each item of a cancelled transaction ("" where it was fine), else None.

    pynamodb sends condition checks, deletes, puts, updates, in that order; so come the reasons.
    """
    if error.cause_response_code == "TransactionCanceledException":
        return [reason.code if reason else "" for reason in error.cancellation_reasons]
    if error.cause_response_code in (
        "TransactionConflictException",
        "TransactionInProgressException",
    ):
        return []
    return None
