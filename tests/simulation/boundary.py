"""The SDK's client of DynamoDB, as Waybill is given it: where calls take time, fail, get lost.

It stands where botocore's own client does and has the one method of it that pynamodb uses. What the
SDK hides it hides too: what it asks again is asked again here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from botocore.exceptions import ConnectionClosedError

from tests.simulation.dynamo import Dynamo, cancellation, refusal
from tests.simulation.faults import GIVES_UP, Fate, Faults
from tests.simulation.scheduler import Scheduler

READS = frozenset({"GetItem", "Query", "BatchGetItem", "TransactGetItems"})
STALE_S = 1.5  # the most that an index or a read that need not be consistent is behind
CONFLICT = "TransactionConflictException"


class DynamoClient:
    """A botocore client of DynamoDB, over `engine`."""

    _request_signer = None  # pynamodb looks whether there are credentials

    def __init__(self, engine: Dynamo, scheduler: Scheduler, faults: Faults, fate: Fate) -> None:
        self._engine = engine
        self._scheduler = scheduler
        self._faults = faults
        self._fate = fate
        self._in_transactions: set[str] = set()  # tables that were: only their items meet any

    def _make_api_call(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._engine.now_s = self._scheduler.now_s
        if self._scheduler.invocation is None:  # a check, or what is there before all begins
            return self._engine.call(operation, asked)
        self._fate.spend(f"{operation} {_table_of(asked)}")
        if self._faults.strikes("failure"):
            self._give_up(operation, written=False)
        if operation in READS:
            return self._read(operation, asked)
        return self._write(operation, asked)

    def _read(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        as_of_s = None
        if not _is_consistent(asked) and self._faults.strikes("stale"):
            as_of_s = self._scheduler.now_s - self._faults.dice.uniform(0, STALE_S)
        return self._engine.call(operation, asked, as_of_s)

    def _write(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._fate.change(f"{operation} {_table_of(asked)}")
        self._conflict(operation, asked)
        answer = self._execute(operation, asked)
        if self._faults.strikes("lost_answer"):
            if self._faults.dice.random() < GIVES_UP:
                self._give_up(operation, written=True)
            self._scheduler.sleep(self._faults.dice.uniform(0.05, 5))
            if operation != "TransactWriteItems":  # they carry a token: asked twice, done once
                answer = self._execute(operation, asked)
        self._fate.may_die("after", f"{operation} {_table_of(asked)}")
        return answer

    def _execute(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._engine.now_s = self._scheduler.now_s
        return self._engine.call(operation, asked)

    def _conflict(self, operation: str, asked: Mapping[str, Any]) -> None:
        """Refuse a write, sometimes, as while another transaction has its item: a transaction at
        once, a single write only once the SDK has tried for long enough."""
        if operation == "TransactWriteItems":
            tables = [one["TableName"] for item in asked["TransactItems"] for one in item.values()]
            self._in_transactions.update(tables)
            if len(tables) > 1 and self._faults.strikes("conflict"):
                at = self._faults.dice.randrange(len(tables))
                codes = ["TransactionConflict" if n == at else "None" for n in range(len(tables))]
                raise cancellation([{"Code": code} for code in codes])
        elif asked.get("TableName") in self._in_transactions and self._faults.strikes("conflict"):
            self._scheduler.sleep(self._faults.dice.uniform(0.03, 0.4))
            if self._faults.dice.random() < GIVES_UP:
                raise refusal(operation, CONFLICT)

    def _give_up(self, operation: str, written: bool) -> NoReturn:
        """Raise what the SDK raises once it has tried for long enough: if nothing was written,
        because of throttling perhaps."""
        self._fate.hurt()
        if written or self._faults.dice.random() < 0.5:
            raise ConnectionClosedError(endpoint_url="dynamodb")
        raise refusal(operation, "ProvisionedThroughputExceededException")


def _table_of(asked: Mapping[str, Any]) -> str:
    if "TransactItems" in asked:
        inner = [one["TableName"] for item in asked["TransactItems"] for one in item.values()]
        return "+".join(name.partition("-")[2] for name in inner)
    name = asked.get("TableName") or next(iter(asked.get("RequestItems", {"": None})))
    return str(name).partition("-")[2]


def _is_consistent(asked: Mapping[str, Any]) -> bool:
    """Tell whether a read is strongly consistent; a batch says so for each table."""
    if "TransactItems" in asked:
        return True
    batches = asked.get("RequestItems", {}).values()
    return bool(asked.get("ConsistentRead") or any(b.get("ConsistentRead") for b in batches))
