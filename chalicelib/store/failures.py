"""What a failed DynamoDB call means: a lost race, no answer, or a fault.

`Database` sorts out every call in one place. A conflict with a transaction becomes Stale; a call
that the SDK gave up becomes Unavailable, or Unanswered if it may have been done. Conditions that
did not hold, and faults, are pynamodb's errors still.
"""

from __future__ import annotations

import random
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError
from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException, TransactWriteError

from chalicelib.errors import Stale, Unanswered, Unavailable

_MAX_TRIES = 6
_PAUSE_S = 0.03
CONDITION_FAILED = "ConditionalCheckFailed"
# Why DynamoDB cancels a transaction, of a row that is as it should be but can't be written now.
BUSY_REASONS = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)
_CONFLICT_CODE = "TransactionConflictException"
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


class Database(Connection):
    """pynamodb's connection, whose calls fail in words that services know."""

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> Any:
        """Make a call. Raises Stale where a transaction holds the row, Unavailable and Unanswered
        where the SDK's retries are exhausted; else as pynamodb does."""
        try:
            return super()._make_api_call(operation_name, operation_kwargs)
        except ClientError as error:
            if _read_error_code(error) == _CONFLICT_CODE:
                raise Stale from error
            if _is_given_up(error):
                raise _make_no_answer_error(operation_name) from error
            raise
        except (BotoCoreError, ResponseParserError) as error:
            if isinstance(error, ParamValidationError):
                raise  # it was never sent: ours is the fault
            raise _make_no_answer_error(operation_name) from error


def _is_given_up(error: ClientError) -> bool:
    cause = error.__cause__ if isinstance(error.__cause__, ClientError) else error
    status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _read_error_code(error) in _GIVEN_UP_CODES or status >= 500


def _make_no_answer_error(operation_name: str) -> Unavailable:
    """Word a call that was given up. The SDK may have sent a write several times, and of any but
    the last the answer may be what got lost: nobody knows whether it was done."""
    if operation_name in _READ_OPERATIONS:
        return Unavailable("Waybill can't look this up now; try again.")
    return Unanswered("This may have been done, or not: look before you try again.")


def _read_error_code(error: BaseException | None) -> str:
    """Read the code of a DynamoDB error; "" where there was no answer."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or "")


# What says nothing about what was asked: it may go well the next time.
FAULTS = (PynamoDBException, BotoCoreError, ClientError, Unavailable, Stale, OSError)


def is_lost_race(error: PynamoDBException) -> bool:
    """Whether a single write failed because another came first: its condition did not hold. (If a
    transaction held the row, it raised Stale.)"""
    return _read_error_code(error.cause) == "ConditionalCheckFailedException"


def retry_conflicts(client: Any) -> None:
    """Let single writes wait for a transaction on the same item: DynamoDB refuses them while one
    runs, and the SDK takes that for final. (Here, whatever rides along with an order's commit is
    a courier's row, which the courier's own positions are written to all the time.)"""

    def again_in_s(response: Any, attempts: int, **_: Any) -> float | None:
        code = response[1].get("Error", {}).get("Code", "") if response else ""
        if code == _CONFLICT_CODE and attempts < _MAX_TRIES:
            return _PAUSE_S * attempts * random.uniform(0.5, 1.5)
        return None

    for operation in ("PutItem", "UpdateItem", "DeleteItem"):
        client.meta.events.register_first(f"needs-retry.dynamodb.{operation}", again_in_s)


def read_cancellation(error: TransactWriteError) -> list[str] | None:
    """The reason for each item of a transaction that others cancelled ("" where it was fine);
    None where it failed for another reason.

    pynamodb sends condition checks, deletes, puts, updates, in that order; so come the reasons.
    """
    if _read_error_code(error.cause) != "TransactionCanceledException":
        return None
    reasons = [reason.code if reason else "" for reason in error.cancellation_reasons]
    return reasons if set(reasons) <= {"", CONDITION_FAILED} | BUSY_REASONS else None
