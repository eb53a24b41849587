"""What a failed DynamoDB call means: a lost race, no answer, or a fault.

Three things must be told apart, as the caller does something else after each. After a lost race it
reads again and decides again. After no answer nobody knows whether the write was done: the caller
looks first. A fault is a mistake of ours, and is raised as it is.
"""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException, TransactWriteError

from chalicelib.errors import Stale, Unanswered, Unavailable

# DynamoDB's reasons for cancelling a transaction: of a row whose condition did not hold, …
CONDITION_FAILED = "ConditionalCheckFailed"
# … and of a row that is as it should be but can't be written now.
BUSY_REASONS = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)
# A single write of a row that a transaction holds.
TRANSACTION_CONFLICT = "TransactionConflictException"

# Errors that say nothing about what was asked: it may go well the next time.
FAULTS = (PynamoDBException, BotoCoreError, ClientError, Unavailable, Stale, OSError)

_READ_OPERATIONS = frozenset(
    {"GetItem", "BatchGetItem", "Query", "TransactGetItems", "DescribeTable"}
)
# What the SDK has tried again, and given up; anything of status 5xx besides.
_GIVEN_UP_CODES = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)


def read_error_code(error: BaseException | None) -> str:
    """Read the code of a DynamoDB error; "" where there was no answer."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or "")


def is_given_up(error: ClientError) -> bool:
    """Tell whether the SDK has tried a call as often as it does, and got no good answer."""
    cause = error.__cause__ if isinstance(error.__cause__, ClientError) else error
    status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return read_error_code(error) in _GIVEN_UP_CODES or status >= 500


def make_no_answer_error(operation_name: str) -> Unavailable:
    """Make the error of a call that was given up. The SDK may have sent a write several times, and
    of any but the last the answer may be what got lost: nobody knows whether it was done."""
    if operation_name in _READ_OPERATIONS:
        return Unavailable("Waybill can't look this up now; try again.")
    return Unanswered("This may have been done, or not: look before you try again.")


def is_lost_race(error: PynamoDBException) -> bool:
    """Tell whether a single write failed because its condition did not hold: another came first.
    (A row that a transaction holds is no such failure: it raised Stale.)"""
    return read_error_code(error.cause) == "ConditionalCheckFailedException"


def read_cancellation(error: TransactWriteError) -> list[str] | None:
    """Read for each item of a cancelled transaction the reason, "" where the item was fine; None
    where the transaction failed by a fault.

    pynamodb sends condition checks, deletes, puts, updates, in that order; so come the reasons.
    """
    if read_error_code(error.cause) != "TransactionCanceledException":
        return None
    reasons = [reason.code if reason else "" for reason in error.cancellation_reasons]
    return reasons if set(reasons) <= {"", CONDITION_FAILED} | BUSY_REASONS else None
