"""The DynamoDB in memory answers as moto does: each expression, and over whole histories."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.moto_engine import run_moto
from infra.resources.aws_clients import make_client
from infra.resources.tables import create_tables
from tests.simulation.dynamo import REMEMBERED_S, Dynamo
from tests.simulation.story import inhabit
from tests.simulation.town import PREFIX, Plan, Town

TABLE = f"{PREFIX}-mailboxes"
KEY = {"person_id": {"S": "ana"}}
ITEM: dict[str, Any] = {
    **KEY,
    "number": {"N": "3"},
    "text": {"S": "soup"},
    "bytes": {"B": b"\x01\x02"},
    "yes": {"BOOL": True},
    "list": {"L": [{"S": "a"}, {"S": "b"}, {"S": "c"}]},
    "map": {"M": {"x": {"N": "1"}, "inner": {"M": {"y": {"S": "deep"}}}}},
    "set": {"SS": ["one", "two"]},
}
VALUES: dict[str, Any] = {
    ":two": {"N": "2"},
    ":three": {"N": "3.0"},
    ":ten": {"N": "10"},
    ":soup": {"S": "soup"},
    ":so": {"S": "so"},
    ":a": {"S": "a"},
    ":yes": {"BOOL": True},
    ":bytes": {"B": b"\x01\x02"},
    ":one": {"SS": ["one"]},
    ":both": {"SS": ["one", "two"]},
    ":more": {"SS": ["two", "three"]},
    ":list": {"L": [{"S": "d"}]},
    ":none": {"L": []},
    ":map": {"M": {"z": {"N": "7"}}},
}
CONDITIONS = (
    "attribute_exists (#number)",
    "attribute_exists (#nothing)",
    "attribute_not_exists (#nothing) OR #number < :two",
    "attribute_not_exists (#map.#x)",
    "attribute_not_exists (#map.#nothing)",
    "attribute_not_exists (#nothing.#x)",
    "attribute_exists (#list[2])",
    "attribute_not_exists (#list[3])",
    "#number = :three",
    "#number <> :three",
    "#nothing <> :three",
    "#number < :ten AND #number > :two",
    "#number >= :three",
    "#number <= :two",
    "#number BETWEEN :two AND :ten",
    "#number IN (:two, :three)",
    "#text = :soup",
    "#text > :so",
    "#text = :three",
    "#yes = :yes",
    "#bytes = :bytes",
    "#set = :both",
    "#map.#inner.#y = :soup",
    "contains (#set, :so)",
    "contains (#text, :so)",
    "contains (#list, :a)",
    "begins_with (#text, :so)",
    "size (#list) < :three",
    "size (#map) = :two",
    "size (#text) > :three",
    "NOT (#number = :two OR #text = :so)",
    "(#number = :two OR #text = :soup) AND NOT attribute_exists (#nothing)",
)
UPDATES = (
    "SET #number = :ten",
    "SET #number = #number + :two, #text = :so",
    "SET #nothing = if_not_exists (#nothing, :two)",
    "SET #number = if_not_exists (#number, :ten)",
    "SET #list = list_append (if_not_exists (#list, :none), :list)",
    "SET #nothing = list_append (if_not_exists (#nothing, :none), :list)",
    "SET #map.#x = :ten, #map.#nothing = :soup",
    "SET #map.#inner.#y = :soup",
    "SET #nothing.#x = :ten",
    "SET #nothing = :map REMOVE #text, #yes",
    "SET #list[0] = :soup",
    "REMOVE #list[0], #list[2]",
    "REMOVE #list[1], #map.#x, #nothing",
    "REMOVE #map.#nothing",
    "ADD #number :two",
    "ADD #nothing :two",
    "ADD #set :more",
    "ADD #nothing :one",
    "DELETE #set :one",
    "DELETE #set :both",
    "DELETE #nothing :one",
    "SET #text = :so ADD #number :two, #set :more REMOVE #list",
)
NAMES = {f"#{name}": name for name in (*ITEM, "nothing", "x", "y", "inner")}

Call = Callable[[str, Mapping[str, Any]], dict[str, Any]]


@pytest.fixture
def moto() -> Iterator[Call]:
    """moto's answers to the calls of botocore."""
    with run_moto():
        dynamodb = make_client("dynamodb", None)
        create_tables(dynamodb, PREFIX)
        yield dynamodb._make_api_call


def answer_of(call: Call, operation: str, asked: Mapping[str, Any]) -> Any:
    """What a call comes to: what matters of its answer, or of its error."""
    try:
        return normal(call(operation, asked))
    except ClientError as error:
        return coded(error)


def coded(error: ClientError) -> Any:
    """What matters of an error."""
    reasons = error.response.get("CancellationReasons", ())
    return error.response["Error"]["Code"], [reason["Code"] for reason in reasons]


def normal(answer: Any) -> Any:
    """An answer without what is moto's own, sets in order, numbers alike."""
    if isinstance(answer, dict):
        if answer.keys() == {"N"}:
            return float(answer["N"])
        kept = {
            k: v for k, v in answer.items() if k not in ("ResponseMetadata", "ConsumedCapacity")
        }
        if isinstance(kept.get("SS"), list):
            kept["SS"] = sorted(kept["SS"])
        return {name: normal(value) for name, value in kept.items() if value != {} or name == "M"}
    return [normal(one) for one in answer] if isinstance(answer, list) else answer


def used(text: str) -> dict[str, Any]:
    """The names and values that an expression uses: DynamoDB refuses others."""
    tokens = text.replace("(", " ").replace(")", " ").replace(",", " ").replace(".", " ")
    words = [word.partition("[")[0] for word in tokens.split()]
    names = {word: NAMES[word] for word in words if word.startswith("#")}
    values = {word: VALUES[word] for word in words if word.startswith(":")}
    return {
        "ExpressionAttributeNames": names,
        **({"ExpressionAttributeValues": values} if values else {}),
    }


def test_conditions_hold_where_they_hold_in_moto(moto: Call) -> None:
    ours = Dynamo(PREFIX).call
    for call in (moto, ours):
        call("PutItem", {"TableName": TABLE, "Item": ITEM})
    for condition in CONDITIONS:
        asked = {"TableName": TABLE, "Item": ITEM, "ConditionExpression": condition}
        asked |= used(condition)
        assert answer_of(ours, "PutItem", asked) == answer_of(moto, "PutItem", asked), condition
        if "size" in condition:
            continue  # moto can't tell the size of what is not there
        elsewhere = {**asked, "Item": {"person_id": {"S": condition}}}
        found, wanted = answer_of(ours, "PutItem", elsewhere), answer_of(moto, "PutItem", elsewhere)
        assert found == wanted, f"{condition}, of nothing"


def test_updates_leave_what_they_leave_in_moto(moto: Call) -> None:
    ours = Dynamo(PREFIX).call
    for update in UPDATES:
        asked = {"TableName": TABLE, "Key": KEY, "UpdateExpression": update}
        asked |= {"ReturnValues": "ALL_NEW", **used(update)}
        for call in (moto, ours):
            call("PutItem", {"TableName": TABLE, "Item": ITEM})
        assert answer_of(ours, "UpdateItem", asked) == answer_of(moto, "UpdateItem", asked), update


def test_an_expression_of_more_than_4_kb_is_refused() -> None:
    """AWS does, moto does not."""
    removals = ", ".join(f"#list[{n}]" for n in range(500))
    asked = {"TableName": TABLE, "Key": KEY, "UpdateExpression": f"REMOVE {removals}"}
    code, _ = answer_of(Dynamo(PREFIX).call, "UpdateItem", {**asked, **used("#list")})
    assert code == "ValidationException"


def test_what_was_is_shown_to_a_reader_who_is_behind() -> None:
    dynamo = Dynamo(PREFIX)
    get = {"TableName": TABLE, "Key": KEY}
    for second in range(3):
        dynamo.now_s = float(second)
        dynamo.call("PutItem", {"TableName": TABLE, "Item": {**KEY, "text": {"S": str(second)}}})
    shown = [dynamo.call("GetItem", get, at_s) for at_s in (2.0 - REMEMBERED_S, 1.5, None)]
    assert [one["Item"]["text"]["S"] for one in shown] == ["0", "1", "2"]


class Doubled(Dynamo):
    """Answers each call itself, and notes where another's answer is different."""

    def __init__(self, ours: Dynamo, other: Call) -> None:
        self._ours, self._other = ours, other
        self.compared = 0
        self.differences: list[Any] = []

    def call(
        self, operation: str, asked: Mapping[str, Any], as_of_s: float | None = None
    ) -> dict[str, Any]:
        if as_of_s is not None:
            return self._ours.call(operation, asked, as_of_s)
        wanted = in_order(operation, answer_of(self._other, operation, asked))
        self.compared += 1
        try:
            answer = self._ours.call(operation, asked)
        except ClientError as error:
            self._compare(operation, asked, coded(error), wanted)
            raise
        self._compare(operation, asked, in_order(operation, normal(answer)), wanted)
        return answer

    def _compare(self, operation: str, asked: Mapping[str, Any], found: Any, wanted: Any) -> None:
        if found != wanted:
            self.differences.append((operation, asked, found, wanted))


def in_order(operation: str, answer: Any) -> Any:
    """Where DynamoDB promises no order, any will do."""
    if operation == "BatchGetItem":
        return {name: in_any_order(items) for name, items in answer["Responses"].items()}
    if operation == "Query" and isinstance(answer, dict):
        return in_any_order(answer["Items"]), answer["Count"]
    return answer


def in_any_order(items: list[Any]) -> list[str]:
    """Items that can be compared in whichever order they come."""
    return sorted(json.dumps(item, sort_keys=True, default=str) for item in items)


@pytest.mark.parametrize("seed", range(4))
def test_over_a_history_all_answers_are_motos(moto: Call, seed: int) -> None:
    """One of each flow, with all faults."""
    town = Town(Plan(seed, active_s=10), lambda dynamo: Doubled(dynamo, moto))
    with town.lasting():
        inhabit(town)
        town.scheduler.run_until(12)
    assert isinstance(town.engine, Doubled)
    assert town.engine.compared > 100
    assert not town.engine.differences, town.engine.differences[0]
