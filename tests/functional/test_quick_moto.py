"""tests/quick_moto.py gives what moto gives, call by call, in stories of every flow."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from moto.core.models import botocore_stubber
from moto.dynamodb.models.utilities import dynamo_json_dump

from tests.functional import (
    test_drivers,
    test_money,
    test_rides_flow,
    test_world,
)
from tests.functional.conftest import Engine, moto_tables
from tests.functional.world import World
from tests.quick_dynamo import ask_moto
from tests.quick_moto import as_installed

Story = Callable[[World], None]


class Comparison:
    """Stands where moto answers; does each call twice, of which the second stays done."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self._answer = answer
        self.calls = 0
        self.differences: list[Any] = []

    def answer_twice(self, request: Any) -> Any:
        if "dynamodb" not in request.url:
            return self._answer(request)
        before = pickle.dumps(moto_tables())
        with as_installed():
            expected = meaning(self._answer(request)), rows()
        moto_tables().clear()
        moto_tables().update(pickle.loads(before))
        answer = self._answer(request)
        found = meaning(answer), rows()
        self.calls += 1
        if found != expected:
            self.differences.append((request.body, expected, found))
        return answer


def meaning(answer: Any) -> Any:
    """An answer, less the order of its keys, its id, checksum and date."""
    status, headers, body = answer
    passing = ("date", "x-amz-crc32", "x-amzn-requestid")
    kept = {name: value for name, value in headers.items() if name.lower() not in passing}
    return status, kept, json.loads(body)


def rows() -> Any:
    """All that is stored."""
    return {
        name: json.loads(dynamo_json_dump([item.to_json() for item in table.all_items()]))
        for name, table in moto_tables().items()
    }


@pytest.fixture
def comparison(world: World, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Compare all that is asked of moto in a test."""
    compared = Comparison(ask_moto)
    monkeypatch.setattr(botocore_stubber, "process_request", compared.answer_twice)
    return compared


@pytest.mark.parametrize(
    "story",
    [
        test_world.test_an_order_goes_from_the_customer_to_the_door,
        test_rides_flow.test_a_ride_goes_from_the_request_to_the_destination,
        test_drivers.test_an_order_goes_to_the_nearest_driver_and_to_no_other,
        test_money.test_a_payout_is_reserved_approved_and_completed,
        test_money.test_more_than_the_balance_is_refused_and_nothing_is_written,
    ],
    ids=lambda story: story.__name__,
)
def test_answers_and_rows_are_motos_own(world: World, comparison: Comparison, story: Story) -> None:
    story(world)
    assert comparison.differences == []
    assert comparison.calls > 20


def test_items_are_read_as_botocore_reads_them(dynamo: Engine) -> None:
    key = {"person_id": {"S": "ana"}}
    every: dict[str, Any] = {
        "text": {"S": ""},
        "number": {"N": "-1.5"},
        "bytes": {"B": b"\x00\xff"},
        "flag": {"BOOL": False},
        "nothing": {"NULL": True},
        "texts": {"SS": ["a"]},
        "numbers": {"NS": ["1"]},
        "blobs": {"BS": [b"\x00", b"\xff"]},
    }
    deep = {"M": {**every, "M": {"M": {}}, "list": {"L": [*every.values(), {"L": []}]}}}
    client = dynamo.connection.client
    client.put_item(TableName="waybill-people", Item={**key, **every, "deep": deep})
    found = client.get_item(TableName="waybill-people", Key=key)["Item"]
    with as_installed():
        assert client.get_item(TableName="waybill-people", Key=key)["Item"] == found
    assert found == {**key, **every, "deep": deep}
