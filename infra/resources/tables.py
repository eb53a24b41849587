"""Create every table and queue of the application on any endpoint, and its bucket if it has one.
Repeating it changes nothing.

`python -m infra.resources.tables` does it for the endpoint that the environment names.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.models import Model

from chalicelib.settings import BadSetting, Settings
from chalicelib.store.tables import MODELS, TTL_ATTRIBUTES, get_short_name
from infra.resources.aws_clients import REGION, make_client
from infra.resources.proof_bucket import create_bucket

# A failed wakeup comes again after 30 s, as somebody may wait for it, and not after the six times
# the function's timeout that AWS advises: what that is for, throttling, is kept away by the event
# source's own limit (WakeConcurrency), and twenty receives last for ten minutes. Then the message
# goes to the dead-letter queue, where an alarm looks.
VISIBILITY_TIMEOUT_S = 30
# Of the webhook queue: longer than `send_webhooks` may run.
WEBHOOK_VISIBILITY_TIMEOUT_S = 60
MAX_RECEIVES = 20
RETENTION_S = 4 * 24 * 3600  # a weekend with `wake` switched off
DEAD_LETTER_RETENTION_S = 14 * 24 * 3600  # counted from when it was first sent
ACTIVE_WITHIN_S = 30.0


class TablesDiffer(Exception):
    """An existing table has other keys or indexes than this version expects."""


def create_all(
    prefix: str,
    queue_name: str,
    endpoint: str | None,
    region: str = REGION,
    *,
    webhook_queue_name: str = "",
    proof_bucket: str = "",
    origins: Sequence[str] = ("*",),
) -> str:
    """Create what is missing and return the wakeup queue's URL. There is no webhook queue without a
    name. Pages of `origins` may post to the bucket and read it.

    Raises TablesDiffer, and what botocore raises when the endpoint can't be used.
    """
    dynamodb = make_client("dynamodb", endpoint, region)
    sqs = make_client("sqs", endpoint, region)
    create_tables(dynamodb, prefix)
    if proof_bucket:
        create_bucket(make_client("s3", endpoint, region), proof_bucket, region, origins)
    if webhook_queue_name:
        create_queues(sqs, webhook_queue_name, WEBHOOK_VISIBILITY_TIMEOUT_S)
    return create_queues(sqs, queue_name)


def create_tables(dynamodb: Any, prefix: str) -> None:
    """Create the tables, all at once, and wait until they can be used."""
    with ThreadPoolExecutor(max_workers=len(MODELS)) as pool:
        for made in [pool.submit(_create_table, dynamodb, prefix, model) for model in MODELS]:
            made.result()


def create_queues(sqs: Any, name: str, visibility_timeout_s: int = VISIBILITY_TIMEOUT_S) -> str:
    """Create a queue and its dead-letter queue; return the queue's URL."""
    dead = _create_queue(
        sqs, f"{name}-dead", {"MessageRetentionPeriod": str(DEAD_LETTER_RETENTION_S)}
    )
    found = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = {
        "deadLetterTargetArn": found["Attributes"]["QueueArn"],
        "maxReceiveCount": MAX_RECEIVES,
    }
    attributes = {
        "VisibilityTimeout": str(visibility_timeout_s),
        "MessageRetentionPeriod": str(RETENTION_S),
        "RedrivePolicy": json.dumps(redrive),
    }
    return _create_queue(sqs, name, attributes)


def _create_queue(sqs: Any, name: str, attributes: dict[str, str]) -> str:
    try:
        return str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
    except ClientError as error:
        if "Exist" not in error.response["Error"]["Code"]:  # QueueNameExists, QueueAlreadyExists
            raise
    # An older version made it with other attributes.
    url = str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return url


def _create_table(dynamodb: Any, prefix: str, model: type[Model]) -> None:
    wanted = table_definition(model, prefix)
    name = wanted["TableName"]
    # Create first and look second: between a look and a creation another start could create it.
    try:
        table = dynamodb.create_table(**wanted)["TableDescription"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
        table = dynamodb.describe_table(TableName=name)["Table"]
    if table["TableStatus"] != "ACTIVE":
        table = _await_active(dynamodb, name)
    _check_shape(wanted, table)
    if attribute := TTL_ATTRIBUTES.get(get_short_name(model)):
        _expire_by(dynamodb, name, attribute)


def table_definition(model: type[Model], prefix: str) -> dict[str, Any]:
    """Return CreateTable's arguments for a model, whether or not it is bound."""
    schema = model._get_schema()
    wanted: dict[str, Any] = {
        "TableName": f"{prefix}-{get_short_name(model)}",
        "AttributeDefinitions": schema["attribute_definitions"],
        "KeySchema": _hash_first(schema["key_schema"]),
        "BillingMode": "PAY_PER_REQUEST",
    }
    if schema["global_secondary_indexes"]:  # CreateTable refuses an empty list
        wanted["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index["index_name"],
                "KeySchema": _hash_first(index["key_schema"]),
                "Projection": index["projection"],
            }
            for index in schema["global_secondary_indexes"]
        ]
    return wanted


def _hash_first(keys: Iterable[Any]) -> list[Any]:
    """Sort keys as AWS takes them, the partition key first; pynamodb sorts them by name."""
    return sorted(keys, key=lambda key: key["KeyType"])


def _await_active(dynamodb: Any, name: str) -> dict[str, Any]:
    give_up_at = time.monotonic() + ACTIVE_WITHIN_S
    while True:
        table: dict[str, Any] = dynamodb.describe_table(TableName=name)["Table"]
        if table["TableStatus"] == "ACTIVE":
            return table
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"Table {name} is {table['TableStatus']} after {ACTIVE_WITHIN_S} s.")
        time.sleep(0.05)


def _check_shape(wanted: dict[str, Any], table: dict[str, Any]) -> None:
    """Raise TablesDiffer for other keys: a state directory outlives a version.

    Better here than when queries fail one by one.
    """
    if keys_of(wanted) != keys_of(table):
        raise TablesDiffer(
            f"Table {table['TableName']} was made by another version: start over with `make clean` "
            "(local data is lost), or set TABLE_PREFIX to a new name."
        )


def keys_of(table: dict[str, Any]) -> dict[str, list[str]]:
    """Return the key attributes of a table and of each index, HASH before RANGE."""
    schemas = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", [])}
    return {
        name: [k["AttributeName"] for k in sorted(keyed["KeySchema"], key=lambda k: k["KeyType"])]
        for name, keyed in {"": table, **schemas}.items()
    }


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
        # Tables need no secret, but settings without one are refused.
        settings = Settings.from_env({"JWT_SECRET": "-" * 32, **os.environ})
    except BadSetting as error:
        print(error, file=sys.stderr)
        return 1
    if settings.aws_endpoint:
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    region = os.environ.get("AWS_DEFAULT_REGION", REGION)
    try:
        url = create_all(
            settings.table_prefix,
            settings.queue_name,
            settings.aws_endpoint,
            region,
            webhook_queue_name=settings.webhook_queue_name,
            proof_bucket=settings.proof_bucket,
            origins=settings.cors_origins,
        )
    except (BotoCoreError, ClientError, TablesDiffer, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(MODELS)} tables {settings.table_prefix}-*, queue {url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
