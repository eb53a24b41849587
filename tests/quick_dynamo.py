"""DynamoDB for the functional tests: the simulation's, held against moto by every kind of call.

A call of moto takes some 4 ms of a core, and there are several hundred thousand of them in the
tests. Of this, 0.3 ms. Whatever a test asks comes by way of botocore, hooks, retries and all, and
is answered from tests/simulation/dynamo.py. A call of a kind (operation, table, expressions, types
of the values, outcome) that this process has not seen is done by moto as well, on the same rows:
an answer or a row that differs fails the test. What is large, and what the simulation does not
have (pages of a scan, projections, tables of another name), moto does alone.
"""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber
from moto.dynamodb.models import dynamodb_backends

from infra.resources.aws_clients import REGION
from tests.simulation.dynamo import Dynamo
from tests.simulation.values import Item

Answer = tuple[int, Mapping[str, str], str | bytes]
"""Status, headers and body, as moto's stubber gives them."""
Rows = dict[str, list[Item]]
"""All items, by their table's name."""

# Above these moto answers: it has AWS's limits of keys (1 and 2 kB), items (400 kB) and pages. Each
# part of a call counts for itself, and without its expressions: a position's condition is long, and
# moto reads it for 60 ms.
LARGE_PART = 4_000
LARGE_ANSWER = 200_000
MAX_IN_TRANSACTION = 25
_ANY = frozenset({"TableName", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"})
_NAMES = frozenset({"ExpressionAttributeNames", "ExpressionAttributeValues"})
_WRITE = _ANY | _NAMES | {"ConditionExpression", "ReturnValues"}
_WRITE |= {"ReturnValuesOnConditionCheckFailure"}
_QUERY = _ANY | _NAMES | {"KeyConditionExpression", "FilterExpression", "IndexName", "Limit"}
_QUERY |= {"ConsistentRead", "ScanIndexForward", "ExclusiveStartKey", "Select"}
_PART = _WRITE | {"Key", "Item", "UpdateExpression"}
_KNOWN: dict[str, frozenset[str]] = {
    "GetItem": _ANY | {"Key", "ConsistentRead"},
    "PutItem": _WRITE | {"Item"},
    "UpdateItem": _WRITE | {"Key", "UpdateExpression"},
    "DeleteItem": _WRITE | {"Key"},
    "Query": _QUERY,
    "Scan": _ANY | {"ConsistentRead"},
    "BatchGetItem": _ANY | {"RequestItems"},
    "BatchWriteItem": _ANY | {"RequestItems"},
    "TransactWriteItems": _ANY | {"TransactItems", "ClientRequestToken"},
    "TransactGetItems": _ANY | {"TransactItems"},
}
_HEADERS = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "0" * 52}


class Different(AssertionError):
    """moto answers or leaves something else."""


class QuickDynamo:
    """Stands where moto's stubber answers. Empty it with `clear`; look at `differences` at the end:
    what is raised in between may have been caught."""

    def __init__(self, prefix: str, dynamo: Dynamo | None = None) -> None:
        self._dynamo = dynamo or Dynamo(prefix)
        self._seen: set[Any] = set()
        self.differences: list[Different] = []

    def clear(self) -> None:
        """Forget all rows, and not which kinds of calls are known."""
        self._dynamo.clear()
        self.differences = []

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer in moto's place, for a while. Raises Different at the end if it was anywhere."""
        stubber: Any = botocore_stubber
        before, stubber.process_request = stubber.process_request, self.answer
        try:
            yield
        finally:
            stubber.process_request = before
        if self.differences:
            raise self.differences[0]

    def answer(self, request: Any) -> Answer | None:
        """Answer a request of botocore's."""
        target = request.headers.get("X-Amz-Target", "")
        target = target.decode() if isinstance(target, bytes) else target
        if not target.startswith("DynamoDB_"):
            return ask_moto(request)
        operation = target.rpartition(".")[2]
        asked = _read(request.body)
        tables = self._tables_of(operation, asked)
        if not tables or (len(request.body) > LARGE_PART and _has_large_part(asked)):
            return self._leave_to_moto(request, tables)
        return self._answer(request, operation, asked)

    def _tables_of(self, operation: str, asked: Mapping[str, Any]) -> set[str]:
        """Name the tables of a call; none if it is not for this engine."""
        if not asked.keys() <= _KNOWN.get(operation, frozenset()):
            return set()
        if asked.get("ReturnConsumedCapacity", "TOTAL") != "TOTAL":
            return set()  # somebody counts
        parts = _parts_of(asked)
        named = {name for name, _ in parts}
        is_plain = all(part.keys() <= _PART for _, part in parts if part is not asked)
        is_ours = is_plain and named <= self._dynamo.tables.keys()
        return named if is_ours and len(parts) <= MAX_IN_TRANSACTION else set()

    def _answer(self, request: Any, operation: str, asked: Mapping[str, Any]) -> Answer | None:
        dynamo = self._dynamo
        dynamo.now_s += 1  # so that what was before this call can be read
        outcome = ""
        try:
            given = dynamo.call(operation, asked)
        except ClientError as error:
            outcome = error.response["Error"]["Code"]
            given = _error_body(error)
        except Exception:  # noqa: BLE001 - whatever it can't do is moto's
            outcome, given = "unknown", {}
        body = json.dumps(given, default=_to_base64)
        if outcome == "unknown" or len(body) > LARGE_ANSWER:
            self._take_back()
            return self._leave_to_moto(request, {name for name, _ in _parts_of(asked)})
        answer = (400 if outcome else 200, _HEADERS, body)
        page = min(given.get("Count", 0), 2), "LastEvaluatedKey" in given  # of a query
        kind = (operation, outcome, _shape(asked), page)
        if kind not in self._seen:
            self._seen.add(kind)
            self._compare(request, asked, answer)
        return answer

    def _take_back(self) -> None:
        for table in self._dynamo.tables.values():
            table.items = dict(table.as_of(self._dynamo.now_s - 0.5))

    def _compare(self, request: Any, asked: Mapping[str, Any], answer: Answer) -> None:
        before_s = self._dynamo.now_s - 0.5
        wanted_keys = self._keys_of(asked)
        _fill_moto(self._rows(wanted_keys, before_s))
        wanted = ask_moto(request)
        assert wanted is not None
        expected = meaning(wanted), _in_any_order(_moto_rows(wanted_keys))
        found = meaning(answer), _in_any_order(self._rows(wanted_keys, None))
        if found != expected:
            different = Different(request.body, expected, found)
            self.differences.append(different)
            raise different

    def _keys_of(self, asked: Mapping[str, Any]) -> dict[str, list[Any] | None]:
        """List the keys of a call's rows in each table; None for all rows."""
        found: dict[str, list[Any] | None] = {}
        for name, part in _parts_of(asked):
            if "KeyConditionExpression" in part or not part.keys() & {"Key", "Item"}:
                return {name: None}
            keys = found.setdefault(name, [])
            assert keys is not None
            keys.append(self._dynamo.tables[name].key_of(part.get("Item") or part["Key"]))
        return found

    def _rows(self, keys: Mapping[str, list[Any] | None], at_s: float | None) -> Rows:
        """Read some rows as they are, or were."""
        found: Rows = {}
        for name, wanted in keys.items():
            items = self._dynamo.tables[name].as_of(at_s)
            kept = items.keys() if wanted is None else dict.fromkeys(wanted)
            found[name] = [items[key] for key in kept if key in items]
        return found

    def _leave_to_moto(self, request: Any, tables: set[str]) -> Answer | None:
        """Let moto do it, on the rows that are here: of these tables, or else of all."""
        names = (tables or self._dynamo.tables.keys()) & _moto_tables().keys()
        every: dict[str, list[Any] | None] = dict.fromkeys(names)
        _fill_moto(self._rows(every, None))
        answer = ask_moto(request)
        for name, items in _moto_rows(names & _moto_tables().keys()).items():
            table = self._dynamo.tables[name]
            table.items = {table.key_of(item): item for item in items}
        return answer


def ask_moto(request: Any) -> Answer | None:
    """Let moto answer a request, from its own tables."""
    answer: Answer | None = BotocoreStubber.process_request(botocore_stubber, request)
    return answer


def _moto_tables() -> dict[str, Any]:
    tables: dict[str, Any] = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables
    return tables


def _fill_moto(rows: Mapping[str, Iterable[Item]]) -> None:
    for name, items in rows.items():
        table = _moto_tables()[name]
        table.items.clear()
        for item in items:
            table.put_item(pickle.loads(pickle.dumps(item)))  # copies, more quickly than copy does


def _moto_rows(names: Iterable[str]) -> Rows:
    tables = _moto_tables()
    return {
        name: [one.to_json()["Attributes"] for one in tables[name].all_items()] for name in names
    }


def meaning(answer: Answer) -> Any:
    """What matters of an answer: not how a number is written, nor an error's wording."""
    status, _, body = answer
    content = json.loads(body)
    content.pop("ConsumedCapacity", None)
    if status != 200:
        reasons = [one["Code"] for one in content.get("CancellationReasons", ())]
        return status, content["__type"].rpartition("#")[2], reasons, _normal(content.get("Item"))
    return status, _normal({name: value for name, value in content.items() if value != {}})


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"N"}:
            return float(value["N"])
        return {
            name: sorted(inner)
            if name in ("SS", "NS") and isinstance(inner, list)
            else _normal(inner)
            for name, inner in value.items()
        }
    return [_normal(one) for one in value] if isinstance(value, list) else value


def _in_any_order(rows: Mapping[str, Iterable[Item]]) -> dict[str, list[str]]:
    return {
        name: sorted(
            json.dumps(_normal(item), sort_keys=True, default=_to_base64) for item in items
        )
        for name, items in rows.items()
    }


def _parts_of(asked: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """List what a call is made of, each with its table's name."""
    if "TransactItems" in asked:
        return [(one["TableName"], one) for item in asked["TransactItems"] for one in item.values()]
    parts: list[tuple[str, Mapping[str, Any]]] = []
    for name, wanted in asked.get("RequestItems", {}).items():
        if isinstance(wanted, dict):
            parts += [(name, {"Key": key}) for key in wanted["Keys"]]
        else:
            parts += [(name, one) for item in wanted for one in item.values()]
    return parts or [(asked.get("TableName", ""), asked)]


def _has_large_part(asked: Mapping[str, Any]) -> bool:
    expressions = {"ConditionExpression", "UpdateExpression"}
    parts = (
        {n: v for n, v in part.items() if n not in expressions} for _, part in _parts_of(asked)
    )
    return any(len(json.dumps(part, default=_to_base64)) > LARGE_PART for part in parts)


def _shape(value: Any, name: str = "") -> Any:
    """What a call or a part of it has in common with others of its kind."""
    if isinstance(value, dict):
        if len(value) == 1:
            ((kind, content),) = value.items()
            if kind in ("S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"):
                return kind, not content
        return tuple(sorted((key, _shape(inner, key)) for key, inner in value.items()))
    if isinstance(value, list):
        shapes = [_shape(one) for one in value]
        return tuple(shapes) if name == "TransactItems" else frozenset(shapes)
    return None if name in ("ClientRequestToken", "Count", "ScannedCount") else value


def _error_body(error: ClientError) -> dict[str, Any]:
    response: Any = error.response
    told, code = response["Error"].get("Message", ""), response["Error"]["Code"]
    more = {name: response[name] for name in ("Item", "CancellationReasons") if name in response}
    return {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": told, **more}


def _read(body: bytes | str) -> dict[str, Any]:
    text = body.decode() if isinstance(body, bytes) else body
    hook = _from_base64 if '"B' in text else None
    asked: dict[str, Any] = json.loads(text, object_hook=hook)
    return asked


def _from_base64(read: dict[str, Any]) -> dict[str, Any]:
    if isinstance(content := read.get("B"), str):
        return {"B": base64.b64decode(content)}
    if isinstance(content := read.get("BS"), list):
        return {"BS": [base64.b64decode(one) for one in content]}
    return read


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
