"""The policy of each function: exact tables, indexes, queues, log group, bucket, management paths.

`test_policies.py` runs the handlers and compares what they ask AWS for with what is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.domain.orders.proof import KEPT, UPLOADS
from chalicelib.store.tables import MODELS, get_short_name
from infra.resources.tables import table_definition
from infra.template.functions import (
    API,
    CHECK,
    CONNECT,
    DISCONNECT,
    FUNCTIONS,
    MESSAGE,
    SEND,
    SWEEP,
    WAKE,
    Function,
)
from infra.template.intrinsics import Value, sub
from infra.template.proof import BUCKET
from infra.template.queues import QUEUE_NAME, WEBHOOK_QUEUE_NAME

GET = ("GetItem",)  # and nothing of the indexes
READ = ("GetItem", "BatchGetItem", "Query", "ConditionCheckItem")
WRITE = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
TABLES = tuple(get_short_name(model) for model in MODELS)
_EVERYTHING = dict.fromkeys(TABLES, READ + WRITE)
# What it takes to tell people of something: their mailboxes, and their sockets.
_TELLING = dict.fromkeys(
    ("mailboxes", "events", "counters", "connections", "rooms", "couriers"), READ + WRITE
)
_SENDING = {**_TELLING, **dict.fromkeys(("webhooks", "deliveries"), READ + WRITE)}
# A socket that opens or closes changes who can be reached, and nothing else.
_PRESENCE = dict.fromkeys(("connections", "rooms", "couriers", "mailboxes"), READ + WRITE)

_ARN = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:"


_SENDS = ("GetQueueUrl", "SendMessage")
_RECEIVES = (*_SENDS, "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


@dataclass(frozen=True)
class Rights:
    """Actions on tables by their short names (their indexes: queries), on @connections, on SQS's
    queues of wakeups and of webhooks.

    `proof`: the function takes steps that need files, and signs the forms and URLs for them.
    """

    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    connections: tuple[str, ...] = ()
    queue: tuple[str, ...] = _SENDS
    webhooks: tuple[str, ...] = ()
    proof: bool = False


RIGHTS: dict[Function, Rights] = {
    API: Rights(_EVERYTHING, ("POST", "DELETE"), webhooks=_SENDS, proof=True),
    # Beside that it opens tracking links, which lead to orders.
    CONNECT: Rights({**_PRESENCE, "people": READ, "links": GET, "orders": GET}),
    MESSAGE: Rights(_EVERYTHING, ("POST", "GET", "DELETE"), webhooks=_SENDS, proof=True),
    DISCONNECT: Rights(_PRESENCE),
    WAKE: Rights(_EVERYTHING, ("POST", "GET", "DELETE"), _RECEIVES, _SENDS),
    # The owner of an endpoint that is disabled is told. Beyond that this function, which talks to
    # whoever has an endpoint, has rights to nothing.
    SEND: Rights(_SENDING, ("POST", "GET", "DELETE"), webhooks=_RECEIVES),
    # It lists what is due.
    SWEEP: Rights(dict.fromkeys(("orders", "connections"), ()), webhooks=_SENDS),
    CHECK: Rights(queue=()),
}


def make_policies() -> dict[str, Value]:
    """Return the policy of each function, by the function's name."""
    return {function.name: make_policy(function) for function in FUNCTIONS}


def make_policy(function: Function) -> Value:
    """Return the policy of one function; Chalice copies it into the template as it is."""
    rights = RIGHTS[function]
    statements = [
        _logs_statement(function),
        *_table_statements(rights.tables),
        _queue_statement(rights.queue, QUEUE_NAME),
        _queue_statement(rights.webhooks, WEBHOOK_QUEUE_NAME),
        _connections_statement(rights.connections),
        *_proof_statements(rights.proof),
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [s for s in statements if s["Action"] and s["Resource"]],
    }


def _allow(service: str, actions: tuple[str, ...], resources: list[str]) -> Value:
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": [sub(resource) for resource in resources],
    }


def _logs_statement(function: Function) -> Value:
    group = f"{_ARN % 'logs'}log-group:/waybill/${{Stage}}/{function.name}:*"
    return _allow("logs", ("CreateLogStream", "PutLogEvents"), [group])


def _table_statements(granted: Mapping[str, tuple[str, ...]]) -> list[Value]:
    """Return one statement for each set of actions, and one for all the indexes."""
    statements = [
        _allow(
            "dynamodb", actions, [_table_arn(name) for name in granted if granted[name] == actions]
        )
        for actions in dict.fromkeys(granted.values())
    ]
    indexes = [
        f"{_table_arn(get_short_name(model))}/index/{index['IndexName']}"
        for model in MODELS
        if granted.get(get_short_name(model), GET) != GET
        for index in table_definition(model, "").get("GlobalSecondaryIndexes", [])
    ]
    return [*statements, _allow("dynamodb", ("Query",), indexes)]


def _table_arn(name: str) -> str:
    return f"{_ARN % 'dynamodb'}table/waybill-${{Stage}}-{name}"


def _queue_statement(actions: tuple[str, ...], name: str) -> Value:
    return _allow("sqs", actions, [f"{_ARN % 'sqs'}waybill-${{Stage}}-{name}"])


def _proof_statements(granted: bool) -> list[Value]:
    """Allow to read uploads and to keep them: what is posted by a form, and read by a URL, is done
    with the rights of the function that signed it. Nothing is deleted: the bucket's rule does."""
    if not granted:
        return []
    bucket = f"arn:${{AWS::Partition}}:s3:::${{{BUCKET}}}"
    return [
        _allow("s3", ("GetObject", "PutObject"), [f"{bucket}/{UPLOADS}/*", f"{bucket}/{KEPT}/*"]),
        # Without it S3 says 403 of a file that is not there, and 404 could not be told apart.
        _allow("s3", ("ListBucket",), [bucket]),
    ]


def _connections_statement(methods: tuple[str, ...]) -> Value:
    """Allow posting to, looking at or closing connections of this WebSocket API.

    Their ids are AWS's, so the statement is for all of them.
    """
    api = f"{_ARN % 'execute-api'}${{WebsocketAPI}}/api"
    paths = [f"{api}/{method}/@connections/*" for method in methods]
    return _allow("execute-api", ("ManageConnections",), paths)
