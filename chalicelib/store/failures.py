"""What a failed DynamoDB call means: a lost race, or a fault."""

from __future__ import annotations

from pynamodb.exceptions import PynamoDBException, TransactWriteError

LOST = "ConditionalCheckFailed"


def lost_race(error: PynamoDBException) -> bool:
    """Whether a single write failed because its condition did not hold, or because a transaction
    had its hand on the row: either way, read again and decide again."""
    return error.cause_response_code in (
        "ConditionalCheckFailedException",
        "TransactionConflictException",
    )


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
