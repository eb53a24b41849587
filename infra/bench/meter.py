"""Counts what a client asks of DynamoDB, call by call, and the units that it costs.

Writes are as the engine reports them (ReturnConsumedCapacity), indexes included. Reads are worked
out from what was read. A write that was refused costs as much as one that was not; its item is
taken to be under 1 KB, as all of ours are.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from infra.bench.units import item_bytes, read_units

READS = ("GetItem", "Query", "BatchGetItem")
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")


Units = dict[str, float]
"""By table, table.index, or table:person."""


@dataclass
class MeteredBill:
    """What something cost. `lines` are the calls: where, the units, and whether it was a read."""

    lines: list[tuple[str, float, bool]] = field(default_factory=list)
    calls: int = 0
    posts: int = 0
    wakeups: int = 0

    @property
    def read(self) -> float:
        """Read units."""
        return sum(units for _, units, reads in self.lines if reads)

    @property
    def write(self) -> float:
        """Write units."""
        return sum(units for _, units, reads in self.lines if not reads)

    def add_call(self, units: Units, reads: bool) -> None:
        """Note one call."""
        self.calls += 1
        self.lines += [(where, n, reads) for where, n in units.items()]

    def __add__(self, other: MeteredBill) -> MeteredBill:
        return MeteredBill(
            self.lines + other.lines,
            self.calls + other.calls,
            self.posts + other.posts,
            self.wakeups + other.wakeups,
        )


class Meter:
    """Counts the calls of a botocore DynamoDB client; those within `open_bill` are its bill."""

    def __init__(self, client: Any) -> None:
        self._bill = MeteredBill()
        self._lock = threading.Lock()
        for operation in (*READS, *WRITES):
            client.meta.events.register(
                f"before-parameter-build.dynamodb.{operation}", self._note_request
            )
            client.meta.events.register(f"after-call.dynamodb.{operation}", self._note_answer)

    @contextmanager
    def open_bill(self) -> Iterator[MeteredBill]:
        """Open a bill; it is complete when the block ends."""
        bill, self._bill = MeteredBill(), MeteredBill()
        yield bill
        with self._lock:
            bill.__dict__.update(self._bill.__dict__)
            self._bill = MeteredBill()

    def count_post(self) -> None:
        """Count a post to a connection."""
        with self._lock:
            self._bill.posts += 1

    def count_wakeups(self, messages: int) -> None:
        """Count messages sent to the queue."""
        with self._lock:
            self._bill.wakeups += messages

    @staticmethod
    def _note_request(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"
        context["asked"] = params

    def _note_answer(
        self, parsed: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: Any
    ) -> None:
        asked, operation = context["asked"], model.name
        reads = operation in READS
        units = (
            _units_of_read(operation, asked, parsed) if reads else _units_of_write(asked, parsed)
        )
        with self._lock:
            self._bill.add_call(units, reads)


def _units_of_read(operation: str, asked: Mapping[str, Any], got: Mapping[str, Any]) -> Units:
    if operation == "BatchGetItem":
        return _units_of_batch(asked, got)
    items = [got["Item"]] if got.get("Item") else got.get("Items", [])
    sizes = [item_bytes(item) for item in items]
    name = ".".join(filter(None, (_name_with_person(asked), asked.get("IndexName"))))
    consistent = bool(asked.get("ConsistentRead"))
    return {name: read_units(sizes, consistent=consistent, together=operation == "Query")}


def _units_of_batch(asked: Mapping[str, Any], got: Mapping[str, Any]) -> Units:
    units: Units = {}
    for table, wanted in asked["RequestItems"].items():
        found = [item_bytes(item) for item in got.get("Responses", {}).get(table, [])]
        found += [0] * (len(wanted["Keys"]) - len(found))  # what is not there costs one too
        consistent = bool(wanted.get("ConsistentRead"))
        units[_short_name(table)] = read_units(found, consistent=consistent)
    return units


def _units_of_write(asked: Mapping[str, Any], got: Mapping[str, Any]) -> Units:
    if "Error" in got:
        return _units_of_refusal(asked)
    reported = got["ConsumedCapacity"]
    units: Units = {}
    for one in reported if isinstance(reported, list) else [reported]:
        indexes = one.get("GlobalSecondaryIndexes", {})
        for index, part in indexes.items():
            units[f"{_short_name(one['TableName'])}.{index}"] = part["CapacityUnits"]
        rest = one["CapacityUnits"] - sum(part["CapacityUnits"] for part in indexes.values())
        units[
            _name_with_person(asked) if "TableName" in asked else _short_name(one["TableName"])
        ] = rest
    return units


def _units_of_refusal(asked: Mapping[str, Any]) -> Units:
    if "RequestItems" in asked:
        return {_short_name(table): float(len(of)) for table, of in asked["RequestItems"].items()}
    if "TransactItems" not in asked:
        return {_name_with_person(asked): 1.0}
    ops = [op for item in asked["TransactItems"] for op in item.values()]
    return {
        name: 2.0 * n for name, n in Counter(_short_name(op["TableName"]) for op in ops).items()
    }


def _name_with_person(asked: Mapping[str, Any]) -> str:
    """Name the table; where each person has a part of it, also whose."""
    table, key = _short_name(asked["TableName"]), asked.get("Key") or asked.get("Item")
    if key and table in ("mailboxes", "events"):
        return f"{table}:{key['person_id']['S']}"
    return table


def _short_name(table: str) -> str:
    return table.rpartition("-")[2]
