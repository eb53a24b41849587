"""DynamoDB in memory: the operations that Waybill uses, on tables of infra.resources.tables.

It is here because moto takes a millisecond a call, and because what is read eventually must be able
to show what was: each table remembers what its items lately were. tests/simulation/test_dynamo.py
holds its answers against moto's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.store.tables import MODELS, get_short_name
from infra.resources.tables import table_definition
from tests.simulation.expressions import apply_update, check_size, holds
from tests.simulation.values import BadExpression, Item, sort_key

Key = tuple[Any, ...]
Write = tuple[str, Item | None]
"""The table's short name, and the item after it."""
Watcher = Callable[[list[Write]], None]
"""Is told of what was written at once."""

LOST = "ConditionalCheckFailedException"
REMEMBERED_S = 2.0  # as long as anything may be read as it was


class Table:
    """The items of one table by their keys, and what they lately were."""

    def __init__(self, name: str, defined: Mapping[str, Any]) -> None:
        self.name = name
        self.keys = _keys(defined["KeySchema"])
        self.indexes = {
            index["IndexName"]: _keys(index["KeySchema"])
            for index in defined.get("GlobalSecondaryIndexes", ())
        }
        self.items: dict[Key, Item] = {}
        self._lately: deque[tuple[float, Key, Item | None]] = deque()

    def key_of(self, item: Item) -> Key:
        """Return the primary key of an item, or of a Key."""
        return tuple(sort_key(item[name]) for name in self.keys)

    def clear(self) -> None:
        """Forget all items, and what they were."""
        self.items = {}
        self._lately.clear()

    def write(self, key: Key, item: Item | None, now_s: float) -> None:
        """Put an item, or take it away, and remember what was."""
        while self._lately and self._lately[0][0] < now_s - REMEMBERED_S:
            self._lately.popleft()
        self._lately.append((now_s, key, self.items.get(key)))
        if item is None:
            self.items.pop(key, None)
        else:
            self.items[key] = item

    def as_of(self, at_s: float | None) -> Mapping[Key, Item]:
        """Return the items as they were at a time (None: as they are)."""
        changed: dict[Key, Item | None] = {}
        for when_s, key, before in reversed(self._lately):
            if at_s is None or when_s <= at_s:
                break
            changed[key] = before
        if not changed:
            return self.items
        then: dict[Key, Item | None] = {**self.items, **changed}
        return {key: item for key, item in then.items() if item is not None}


Outcome = tuple[Table, Key, Item | None, Item | None]
"""Where something is written, what is there, and what will be."""


class Dynamo:
    """All tables. `call` is what a botocore client does with an operation, without the network."""

    def __init__(self, prefix: str, watch: Watcher = lambda writes: None) -> None:
        self._watch = watch
        self.now_s = 0.0
        self.tables: dict[str, Table] = {}
        for model in MODELS:
            defined = table_definition(model, prefix)
            self.tables[defined["TableName"]] = Table(get_short_name(model), defined)
        self._operations: dict[str, Callable[[Mapping[str, Any], float | None], dict[str, Any]]] = {
            "GetItem": self._get_item,
            "BatchGetItem": self._batch_get_item,
            "Query": self._query,
            "Scan": lambda asked, _: self._scan(asked),
            "PutItem": lambda asked, _: self._write("Put", asked),
            "UpdateItem": lambda asked, _: self._write("Update", asked),
            "DeleteItem": lambda asked, _: self._write("Delete", asked),
            "BatchWriteItem": lambda asked, _: self._write_batch(asked),
            "TransactWriteItems": lambda asked, _: self._transact(asked),
            "TransactGetItems": lambda asked, _: self._transact_get(asked),
        }

    def clear(self) -> None:
        """Forget all items."""
        for table in self.tables.values():
            table.clear()

    def call(
        self, operation: str, asked: Mapping[str, Any], as_of_s: float | None = None
    ) -> dict[str, Any]:
        """Answer one call; `as_of_s`: what is read is as it was then. Raises ClientError."""
        try:
            return self._operations[operation](asked, as_of_s)
        except BadExpression as error:
            raise refusal(operation, "ValidationException", str(error)) from None

    def rows(self, short: str) -> list[Item]:
        """Return all items of a table, by its short name."""
        (table,) = (table for table in self.tables.values() if table.name == short)
        return list(table.items.values())

    # Reads

    def _get_item(self, asked: Mapping[str, Any], as_of_s: float | None) -> dict[str, Any]:
        table = self.tables[asked["TableName"]]
        found = table.as_of(as_of_s).get(table.key_of(asked["Key"]))
        return {"Item": dict(found)} if found else {}

    def _batch_get_item(self, asked: Mapping[str, Any], as_of_s: float | None) -> dict[str, Any]:
        responses = {}
        for name, wanted in asked["RequestItems"].items():
            items = self.tables[name].as_of(as_of_s)
            found = [items.get(self.tables[name].key_of(key)) for key in wanted["Keys"]]
            responses[name] = [dict(item) for item in found if item]
        return {"Responses": responses, "UnprocessedKeys": {}}

    def _transact_get(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"Responses": [self._get_item(one["Get"], None) for one in asked["TransactItems"]]}

    def _query(self, asked: Mapping[str, Any], as_of_s: float | None) -> dict[str, Any]:
        table = self.tables[asked["TableName"]]
        keys = table.indexes[asked["IndexName"]] if "IndexName" in asked else table.keys
        names, values = asked.get("ExpressionAttributeNames", {}), _values(asked)
        matching = [
            item
            for item in table.as_of(as_of_s).values()
            if all(name in item for name in keys)
            and holds(asked["KeyConditionExpression"], item, names, values)
        ]
        by = (*keys[1:], *table.keys)
        matching.sort(key=lambda item: tuple(sort_key(item[name]) for name in by))
        if not asked.get("ScanIndexForward", True):
            matching.reverse()
        if "ExclusiveStartKey" in asked:
            seen = table.key_of(asked["ExclusiveStartKey"])
            at = [table.key_of(item) for item in matching]
            matching = matching[at.index(seen) + 1 :] if seen in at else matching
        page = matching[: asked.get("Limit", len(matching))]
        kept = [i for i in page if holds(asked.get("FilterExpression"), i, names, values)]
        shown = (*keys, *table.keys)
        if "IndexName" in asked:
            kept = [{name: item[name] for name in shown} for item in kept]
        answer: dict[str, Any] = {"Count": len(kept), "ScannedCount": len(page)}
        if asked.get("Select") != "COUNT":
            answer["Items"] = [dict(item) for item in kept]
        if len(page) < len(matching):
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in shown}
        return answer

    def _scan(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Read all of a table, in the order of its keys."""
        found = sorted(self.tables[asked["TableName"]].items.items())
        items = [dict(item) for _, item in found]
        return {"Items": items, "Count": len(items), "ScannedCount": len(items)}

    # Writes

    def _write(self, kind: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        table, key, before, after = self._outcome(kind, asked)
        if not _allowed(asked, before):
            wanted = asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            shown = {"Item": dict(before)} if wanted and before else {}
            raise refusal(f"{kind}Item", LOST, "The conditional request failed", **shown)
        self._store([(table, key, before, after)])
        returned = {"ALL_NEW": after, "ALL_OLD": before}.get(asked.get("ReturnValues", "NONE"))
        return {"Attributes": dict(returned)} if returned else {}

    def _write_batch(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Put items, each on its own: nobody else sees them all come at once."""
        for name, wanted in asked["RequestItems"].items():
            for one in wanted:
                self._write("Put", {"TableName": name, "Item": one["PutRequest"]["Item"]})
        return {"UnprocessedItems": {}}

    def _transact(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Write all of it or nothing; the reasons come in the order of the items."""
        writes = [(kind, one) for item in asked["TransactItems"] for kind, one in item.items()]
        outcomes = [self._outcome(kind, one) for kind, one in writes]
        failed = [
            not _allowed(one, before)
            for (_, one), (_, _, before, _) in zip(writes, outcomes, strict=True)
        ]
        if any(failed):
            reasons = [{"Code": "ConditionalCheckFailed" if one else "None"} for one in failed]
            raise cancellation(reasons)
        kinds = [kind for kind, _ in writes]
        self._store(
            [o for kind, o in zip(kinds, outcomes, strict=True) if kind != "ConditionCheck"]
        )
        return {}

    def _outcome(self, kind: str, asked: Mapping[str, Any]) -> Outcome:
        """Find what is there, and what a write leaves if its condition allows it."""
        table = self.tables[asked["TableName"]]
        check_size(asked.get("ConditionExpression"), asked.get("UpdateExpression"))
        key = table.key_of(asked["Item"] if kind == "Put" else asked["Key"])
        before: Item | None = table.items.get(key)
        if kind == "Put":
            return table, key, before, dict(asked["Item"])
        if kind != "Update" or not _allowed(asked, before):
            return table, key, before, None
        names = asked.get("ExpressionAttributeNames", {})
        whole = before or dict(asked["Key"])
        change = asked.get("UpdateExpression", "")
        return table, key, before, apply_update(change, whole, names, _values(asked))

    def _store(self, outcomes: list[Outcome]) -> None:
        for table, key, _, after in outcomes:
            table.write(key, after, self.now_s)
        self._watch([(table.name, after) for table, _, _, after in outcomes])


def refusal(operation: str, code: str, message: str = "", **more: Any) -> ClientError:
    """Make an error as botocore raises it."""
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {}, **more}
    return ClientError(response, operation)


def cancellation(reasons: Iterable[Mapping[str, str]]) -> ClientError:
    """Make the error of a cancelled transaction, with the reason for each of its items."""
    return refusal(
        "TransactWriteItems", "TransactionCanceledException", CancellationReasons=list(reasons)
    )


def _allowed(asked: Mapping[str, Any], before: Item | None) -> bool:
    names = asked.get("ExpressionAttributeNames", {})
    return holds(asked.get("ConditionExpression"), before, names, _values(asked))


def _values(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = asked.get("ExpressionAttributeValues", {})
    return found


def _keys(schema: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """List the partition key, then the sort key, if any."""
    return tuple(k["AttributeName"] for k in sorted(schema, key=lambda k: k["KeyType"]))
