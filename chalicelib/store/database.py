"""The connection to DynamoDB: one client for all tables, whose failures services understand."""

from __future__ import annotations

import random
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError
from pynamodb.connection import Connection
from pynamodb.connection.table import TableConnection
from pynamodb.models import Model

from chalicelib.errors import Stale
from chalicelib.store.failures import (
    TRANSACTION_CONFLICT,
    is_given_up,
    make_no_answer_error,
    read_error_code,
)
from chalicelib.store.tables import MODELS, get_short_name

POOL_SIZE = 50  # connections of a client: more than threads ever wait for answers at once

# A Lambda invocation is short: a call that takes 3 s is better tried again.
_CONNECT_TIMEOUT_S = 2
_READ_TIMEOUT_S = 5
_SDK_RETRIES = 3

# Of a single write that meets a transaction. A transaction takes some 10 ms: six tries, with 30 ms
# more before each, outlast several of them.
_MAX_TRIES = 6
_PAUSE_S = 0.03


class Database(Connection):
    """pynamodb's connection. Every call goes through it, so each failure is sorted out once.

    A condition that did not hold, and a fault, are pynamodb's errors still: store/failures.py tells
    them apart.
    """

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> Any:
        """Make a call. Raises Stale where a transaction holds the row, Unavailable and Unanswered
        where the SDK's retries are exhausted; else as pynamodb does."""
        try:
            return super()._make_api_call(operation_name, operation_kwargs)
        except ClientError as error:
            if read_error_code(error) == TRANSACTION_CONFLICT:
                raise Stale from error
            if is_given_up(error):
                raise make_no_answer_error(operation_name) from error
            raise
        except (BotoCoreError, ResponseParserError) as error:
            if isinstance(error, ParamValidationError):
                raise  # it was never sent: ours is the fault
            raise make_no_answer_error(operation_name) from error


def bind_tables(prefix: str, region: str, endpoint: str | None, client: Any = None) -> Connection:
    """Point every table at `{prefix}-{name}` over one connection, and return that connection.

    pynamodb would make a client for each model, 45 ms each, and at the first use: by many threads
    at once, if they are the first. `client` is one of an earlier call.
    """
    connection = _connect(region, endpoint, client)
    for model in MODELS:
        meta: Any = model.Meta
        meta.table_name = f"{prefix}-{get_short_name(model)}"
        meta.region, meta.host = region, endpoint
        _use_connection(model, connection)
    return connection


def _connect(region: str, endpoint: str | None, client: Any) -> Database:
    connection = Database(
        region=region,
        host=endpoint,
        connect_timeout_seconds=_CONNECT_TIMEOUT_S,
        read_timeout_seconds=_READ_TIMEOUT_S,
        max_retry_attempts=_SDK_RETRIES,
        max_pool_connections=POOL_SIZE,
    )
    if client:
        connection._client = client
        return connection
    # botocore composes a long user agent anew for every call, a tenth of what a call costs.
    defaults = Config(user_agent="waybill", tcp_keepalive=True)
    connection.session.set_default_client_config(defaults)
    _retry_conflicts(connection.client)
    return connection


def _use_connection(model: type[Model], connection: Database) -> None:
    """Put the one connection in the place of the one that pynamodb would make for a model."""
    model._connection = None  # of an earlier call
    table = model._get_connection()
    connection.add_meta_table(table.get_meta_table())
    assert isinstance(table, TableConnection)
    table.connection = connection


def _retry_conflicts(client: Any) -> None:
    """Let single writes wait for a transaction on the same row: DynamoDB refuses them while one
    runs, and the SDK takes that for final. Such a row is a courier's, which an order's commit takes
    along while the courier's own positions are written to it all the time."""

    def compute_pause_s(response: Any, attempts: int, **_: Any) -> float | None:
        code = response[1].get("Error", {}).get("Code", "") if response else ""
        if code == TRANSACTION_CONFLICT and attempts < _MAX_TRIES:
            return _PAUSE_S * attempts * random.uniform(0.5, 1.5)
        return None

    for operation in ("PutItem", "UpdateItem", "DeleteItem"):
        client.meta.events.register_first(f"needs-retry.dynamodb.{operation}", compute_pause_s)
