"""What the engines must give us before anything is built on them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from pynamodb.exceptions import PutError

from chalicelib.domain.orders.model import Status
from chalicelib.store.database import bind_tables
from chalicelib.store.orders import encode_order
from chalicelib.store.tables import (
    MODELS,
    TTL_ATTRIBUTES,
    OrderRow,
    PersonRow,
    get_short_name,
)
from infra.resources.tables import (
    MAX_RECEIVES,
    TablesDiffer,
    create_all,
    create_tables,
    table_definition,
)
from tests.builders import an_order
from tests.functional.conftest import PREFIX, QUEUE, Engine


def test_every_table_is_there_with_its_indexes_and_expiry(engine: Engine) -> None:
    dynamodb = engine.connection.client
    for model in MODELS:
        name = f"{PREFIX}-{get_short_name(model)}"
        table = dynamodb.describe_table(TableName=name)["Table"]
        indexes = {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])}
        wanted = table_definition(model, PREFIX).get("GlobalSecondaryIndexes", [])
        assert indexes == {index["IndexName"] for index in wanted}
        expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        assert expiry.get("AttributeName") == TTL_ATTRIBUTES.get(get_short_name(model))


def test_creating_everything_again_changes_nothing(engine: Engine) -> None:
    PersonRow("p1", doc="{}", version=1).save()
    engine.sqs.send_message(QueueUrl=engine.queue_url, MessageBody="x")
    assert create_all(PREFIX, QUEUE, engine.endpoint) == engine.queue_url
    assert PersonRow.get("p1").version == 1
    assert engine.wakeups() == ["x"]


def test_a_test_starts_empty(engine: Engine) -> None:
    with pytest.raises(PersonRow.DoesNotExist):
        PersonRow.get("p1")
    assert engine.wakeups() == []


def test_a_message_that_keeps_failing_ends_in_the_dead_letter_queue(engine: Engine) -> None:
    dead = engine.sqs.get_queue_url(QueueName=f"{QUEUE}-dead")["QueueUrl"]
    engine.sqs.send_message(QueueUrl=engine.queue_url, MessageBody="poison")
    receipts = 0
    while engine.sqs.receive_message(QueueUrl=engine.queue_url, VisibilityTimeout=0).get(
        "Messages"
    ):
        receipts += 1
        assert receipts <= MAX_RECEIVES
    assert receipts == MAX_RECEIVES
    (message,) = engine.sqs.receive_message(QueueUrl=dead)["Messages"]
    assert message["Body"] == "poison"


def test_a_table_of_another_version_is_refused(dynamo: Engine) -> None:
    dynamodb = dynamo.connection.client
    wanted = table_definition(PersonRow, "old")
    dynamodb.create_table(
        **{
            **wanted,
            "AttributeDefinitions": [{"AttributeName": "other", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}],
        }
    )
    with pytest.raises(TablesDiffer, match=r"^Table old-people .*make clean"):
        create_tables(dynamodb, "old")


def test_tables_of_the_version_before_lists_are_brought_up_to_date(engine: Engine) -> None:
    """A local database outlives a version: orders were kept for ever, and there were no lists."""
    dynamodb = engine.connection.client
    dynamodb.create_table(**table_definition(OrderRow, "old"))
    dynamodb.put_item(
        TableName="old-orders", Item=encode_order(an_order(Status.ACCEPTED)).serialize()
    )
    create_tables(dynamodb, "old")
    expiry = dynamodb.describe_time_to_live(TableName="old-orders")["TimeToLiveDescription"]
    assert expiry["AttributeName"] == "expires"
    assert dynamodb.describe_table(TableName="old-listings")["Table"]["TableStatus"] == "ACTIVE"
    assert dynamodb.scan(TableName="old-orders")["Count"] == 1


def test_one_of_many_conditional_writers_wins(engine: Engine) -> None:
    def write(version: int) -> bool:
        try:
            PersonRow("p1", doc="{}", version=version).save(PersonRow.person_id.does_not_exist())
        except PutError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        for _ in range(10):
            assert sum(pool.map(write, range(16))) == 1
            PersonRow("p1").delete()


def test_another_prefix_is_another_deployment(dynamo: Engine) -> None:
    create_tables(dynamo.connection.client, "other")
    PersonRow("p1", doc="{}", version=1).save()
    bind_tables("other", dynamo.region, None)
    with pytest.raises(PersonRow.DoesNotExist):
        PersonRow.get("p1")
