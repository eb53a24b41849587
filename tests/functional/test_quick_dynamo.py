"""tests/quick_dynamo.py notices where the DynamoDB of the tests is not what moto is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.conftest import PREFIX, Engine
from tests.quick_dynamo import Different, QuickDynamo
from tests.simulation.dynamo import Dynamo

TABLE = f"{PREFIX}-people"
KEY = {"person_id": {"S": "ana"}}
ITEM = {**KEY, "token": {"B": b"\x00\xff"}, "number": {"N": "1"}}


class Forgetful(Dynamo):
    """Loses one operation's writes, but says that they are done."""

    def __init__(self, operation: str) -> None:
        super().__init__(PREFIX)
        self._operation = operation

    def call(
        self, operation: str, asked: Mapping[str, Any], as_of_s: float | None = None
    ) -> dict[str, Any]:
        if operation == self._operation:
            return {}
        return super().call(operation, asked, as_of_s)


@pytest.fixture
def client(dynamo: Engine) -> Any:
    """A client of empty tables."""
    return dynamo.connection.client


def test_bytes_come_back_as_they_went(client: Any) -> None:
    client.put_item(TableName=TABLE, Item=ITEM)
    assert client.get_item(TableName=TABLE, Key=KEY)["Item"] == ITEM


@pytest.mark.parametrize("operation", ["PutItem", "GetItem"])
def test_a_write_or_an_answer_that_is_not_motos_fails_the_test(
    dynamo: Engine, operation: str
) -> None:
    quick, client = QuickDynamo(PREFIX, Forgetful(operation)), dynamo.connection.client
    with pytest.raises(Different), quick.answering():  # noqa: PT012 - at its end
        try:
            client.put_item(TableName=TABLE, Item=ITEM)
            client.get_item(TableName=TABLE, Key=KEY)
        except Different:
            pass  # as code that catches everything would


def test_what_only_moto_refuses_fails_the_test(dynamo: Engine) -> None:
    """A name that no expression uses, for one."""
    quick, client = QuickDynamo(PREFIX), dynamo.connection.client
    asked = {"ConditionExpression": "attribute_not_exists(#a)"}
    names = {"ExpressionAttributeNames": {"#a": "a", "#unused": "number"}}
    with pytest.raises(Different), quick.answering():
        client.put_item(TableName=TABLE, Item=ITEM, **asked, **names)


@pytest.mark.parametrize("size", [10_000, 500_000])
def test_what_is_large_is_kept_or_refused_by_moto_and_read_from_here(
    client: Any, size: int
) -> None:
    item = {**ITEM, "text": {"S": "x" * size}}
    if size > 400_000:
        with pytest.raises(ClientError, match="Item size has exceeded"):
            client.put_item(TableName=TABLE, Item=item)
    else:
        client.put_item(TableName=TABLE, Item=item)
        assert client.get_item(TableName=TABLE, Key=KEY)["Item"] == item


def test_an_operation_that_only_moto_has_sees_and_changes_the_same_rows(client: Any) -> None:
    client.put_item(TableName=TABLE, Item=ITEM)
    assert client.scan(TableName=TABLE)["Items"] == [ITEM]
    client.execute_statement(Statement=f"DELETE FROM \"{TABLE}\" WHERE person_id = 'ana'")
    assert "Item" not in client.get_item(TableName=TABLE, Key=KEY)
