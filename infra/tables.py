"""Create every table and queue of the application on any endpoint. Repeating it changes nothing.

`python -m infra.tables` does it for the endpoint that the environment names.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import TableError
from pynamodb.models import Model

from chalicelib.settings import BadSetting, Settings
from chalicelib.store.tables import MODELS, TTL_ATTRIBUTES, bind, short_name
from infra.aws import REGION, client

VISIBILITY_TIMEOUT_S = 30
MAX_RECEIVES = 5  # then the message goes to the dead-letter queue, where an alarm looks
RETENTION_S = 3600
DEAD_LETTER_RETENTION_S = 4 * 24 * 3600
ACTIVE_WITHIN_S = 30.0


class TablesDiffer(Exception):
    """An existing table has other keys or indexes than this version expects."""


def create_all(prefix: str, queue_name: str, endpoint: str | None, region: str = REGION) -> str:
    """Create what is missing and return the wakeup queue's URL. Binds the models to the endpoint.

    Raises TablesDiffer, and what botocore raises when the endpoint can't be used.
    """
    with ThreadPoolExecutor(max_workers=len(MODELS) + 1) as pool:
        queue = pool.submit(create_queues, queue_name, endpoint, region)
        dynamodb = bind(prefix, region, endpoint).client
        for made in [pool.submit(_create_table, model, dynamodb) for model in MODELS]:
            made.result()
        return queue.result()


def create_queues(name: str, endpoint: str | None, region: str = REGION) -> str:
    """Create the wakeup queue and its dead-letter queue; return the wakeup queue's URL."""
    sqs = client("sqs", endpoint, region)
    dead = _queue(sqs, f"{name}-dead", {"MessageRetentionPeriod": str(DEAD_LETTER_RETENTION_S)})
    found = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = {
        "deadLetterTargetArn": found["Attributes"]["QueueArn"],
        "maxReceiveCount": MAX_RECEIVES,
    }
    attributes = {
        "VisibilityTimeout": str(VISIBILITY_TIMEOUT_S),
        "MessageRetentionPeriod": str(RETENTION_S),
        "RedrivePolicy": json.dumps(redrive),
    }
    return _queue(sqs, name, attributes)


def _queue(sqs: Any, name: str, attributes: dict[str, str]) -> str:
    try:
        return str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
    except ClientError as error:
        if "Exist" not in error.response["Error"]["Code"]:  # QueueNameExists, QueueAlreadyExists
            raise
    url = str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return url


def _create_table(model: type[Model], dynamodb: Any) -> None:
    try:
        model.create_table()
    except TableError as error:
        if error.cause_response_code != "ResourceInUseException":  # somebody else was faster
            raise
    name = str(model.Meta.table_name)
    _check_shape(model, _await_active(dynamodb, name))
    if attribute := TTL_ATTRIBUTES.get(short_name(model)):
        _expire_by(dynamodb, name, attribute)


def _await_active(dynamodb: Any, name: str) -> dict[str, Any]:
    give_up_at = time.monotonic() + ACTIVE_WITHIN_S
    while True:
        table: dict[str, Any] = dynamodb.describe_table(TableName=name)["Table"]
        if table["TableStatus"] == "ACTIVE":
            return table
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"Table {name} is {table['TableStatus']} after {ACTIVE_WITHIN_S} s.")
        time.sleep(0.05)


def _check_shape(model: type[Model], table: dict[str, Any]) -> None:
    """A state directory outlives a version; say so before queries fail one by one."""
    wanted = model._get_schema()
    found = {i["IndexName"]: i["KeySchema"] for i in table.get("GlobalSecondaryIndexes", [])}
    expected = {i["index_name"]: i["key_schema"] for i in wanted["global_secondary_indexes"]}
    same_keys = _keys(table["KeySchema"]) == _keys(wanted["key_schema"])
    if same_keys and {n: _keys(k) for n, k in found.items()} == {
        n: _keys(k) for n, k in expected.items()
    }:
        return
    raise TablesDiffer(
        f"Table {table['TableName']} was made by another version; start over with `make clean` "
        "(local data is lost), or set TABLE_PREFIX to a new name."
    )


def _keys(schema: Any) -> list[str]:
    return [key["AttributeName"] for key in sorted(schema, key=lambda key: key["KeyType"])]


def _expire_by(dynamodb: Any, name: str, attribute: str) -> None:
    described = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if described.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
        return  # AWS refuses to enable it twice
    dynamodb.update_time_to_live(
        TableName=name,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
    )


def main() -> int:
    """Create tables and queues as the environment says; return the exit code."""
    try:
        settings = Settings.from_env()
    except BadSetting as error:
        print(error, file=sys.stderr)
        return 1
    region = os.environ.get("AWS_DEFAULT_REGION", REGION)
    try:
        url = create_all(settings.table_prefix, settings.queue_name, settings.aws_endpoint, region)
    except (BotoCoreError, ClientError, TableError, TablesDiffer, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(MODELS)} tables {settings.table_prefix}-*, queue {url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
