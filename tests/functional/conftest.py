"""Tables and queue on a real engine, empty at the start of every test (some 10 ms).

`dynamo` is moto behind its lock, and in front of it a quicker DynamoDB, which is compared with
moto's (tests/quick_dynamo.py). `engine` runs the test twice, on that and on ministack. Both give an
`Engine`. A test gets the default prefix each time, on an engine that was emptied, rather than a
prefix of its own: making a client costs 150 ms, and so an app that was wired once stays usable.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.sqs.models import sqs_backends
from pynamodb.connection import Connection

from chalicelib import wiring
from chalicelib.settings import Settings
from chalicelib.store.database import bind_tables
from infra.local.engine import Ministack
from infra.local.moto_engine import run_moto
from infra.resources.aws_clients import REGION, make_client
from infra.resources.tables import create_queues, create_tables
from tests.conftest import PATIENCE_S, SECRET
from tests.quick_dynamo import QuickDynamo
from tests.quick_moto import keep_endpoints, leave_unsigned, speed_up

if TYPE_CHECKING:
    from tests.functional.world import World

speed_up()

PREFIX = "waybill"
QUEUE = "waybill-wakeups"


@dataclass(frozen=True)
class Engine:
    """An engine with empty tables; the models are bound to it over `connection`."""

    name: str
    endpoint: str | None
    connection: Connection
    sqs: Any
    queue_url: str
    region: str = REGION

    def settings(self, **changes: Any) -> Settings:
        """Settings that lead here, with changes."""
        defaults: dict[str, Any] = {
            "jwt_secret": SECRET,
            "table_prefix": PREFIX,
            "queue_name": QUEUE,
            "aws_endpoint": self.endpoint,
        }
        return Settings(**{**defaults, **changes})

    def wakeups(self) -> list[str]:
        """Take the bodies of all messages that are due now off the queue, oldest first."""
        taken: list[str] = []
        while messages := self._receive():
            for message in messages:
                taken.append(message["Body"])
                self.sqs.delete_message(
                    QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
        return taken

    def _receive(self) -> list[dict[str, Any]]:
        received = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return list(received.get("Messages", []))


@lru_cache(maxsize=4)
def _clients(endpoint: str | None) -> tuple[Connection, Any]:
    """The slow part, once per engine: pynamodb's client and session, and a client of SQS."""
    connection, sqs = bind_tables(PREFIX, REGION, endpoint), make_client("sqs", endpoint)
    if endpoint is None:
        for each in (connection.client, sqs):
            leave_unsigned(each)
        keep_endpoints(connection.client)
    return connection, sqs


def _bound(name: str, endpoint: str | None) -> Engine:
    """Bind the models, as the last test's may be the other engine."""
    first, sqs = _clients(endpoint)
    connection = bind_tables(PREFIX, REGION, endpoint, first.client)
    connection._local.session = first.session
    return Engine(name, endpoint, connection, sqs, _url_of_queue(endpoint))


@lru_cache(maxsize=4)
def _url_of_queue(endpoint: str | None) -> str:
    return str(_clients(endpoint)[1].get_queue_url(QueueName=QUEUE)["QueueUrl"])


@contextmanager
def _on_moto() -> Iterator[Engine]:
    with run_moto():
        tables, queues = pickle.loads(_empty_engine())
        moto_tables().update(tables)
        _moto_queues().update(queues)
        quick = _quick_dynamo()
        quick.clear()
        with quick.answering():
            yield _bound("moto", None)


@lru_cache(maxsize=1)
def _quick_dynamo() -> QuickDynamo:
    return QuickDynamo(PREFIX)


def moto_tables() -> dict[str, Any]:
    """The tables that moto keeps, by name."""
    tables: dict[str, Any] = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables
    return tables


def _moto_queues() -> dict[str, Any]:
    queues: dict[str, Any] = sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues
    return queues


@lru_cache(maxsize=1)
def _empty_engine() -> bytes:
    """Tables and queues as moto keeps them, made once: it takes 45 ms, and to load this 0.3 ms."""
    connection, sqs = _clients(None)
    create_tables(connection.client, PREFIX)
    create_queues(sqs, QUEUE)
    written = io.BytesIO()
    pickler = pickle.Pickler(written)
    pickler.dispatch_table = {threading.Condition: lambda _: (threading.Condition, ())}
    pickler.dump((dict(moto_tables()), dict(_moto_queues())))
    return written.getvalue()


def _empty(running: Ministack) -> None:
    """Let an engine forget all tables and queues."""
    reset = urllib.request.Request(f"{running.endpoint}/_ministack/reset", method="POST")
    with urllib.request.urlopen(reset, timeout=PATIENCE_S):
        pass


@contextmanager
def _on_ministack(running: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    _empty(running)
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
    connection, sqs = _clients(running.endpoint)
    create_tables(connection.client, PREFIX)
    create_queues(sqs, QUEUE)
    yield _bound("ministack", running.endpoint)


@pytest.fixture
def empty_ministack(ministack: Ministack) -> Ministack:
    """ministack without what other tests have left: couriers, and offers that lapse meanwhile."""
    _empty(ministack)
    return ministack


@pytest.fixture
def dynamo() -> Iterator[Engine]:
    """Empty tables on moto."""
    with _on_moto() as engine:
        yield engine


@pytest.fixture(params=["moto", "ministack"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Empty tables on moto, then the same test on ministack."""
    if request.param == "moto":
        on = _on_moto()
    else:
        on = _on_ministack(request.getfixturevalue("ministack"), monkeypatch)
    with on as prepared:
        yield prepared


@pytest.fixture(autouse=True)
def one_environment() -> Iterator[None]:
    """Chalice's test client puts a copy of os.environ in its place while it invokes. Of several
    threads at once, one leaves its copy there, and with it the last engine's address."""
    environment = os.environ
    yield
    os.environ = environment  # noqa: B003 - the object itself


@pytest.fixture(autouse=True)
def documented_frames() -> Iterator[None]:
    """Whatever a test was told over sockets is in AsyncAPI, though it looked at none of it."""
    yield
    if "tests.functional.world" in sys.modules:
        from tests.functional.world import WORLDS

        worlds, WORLDS[:] = WORLDS[:], []
        for world in worlds:
            world.check_frames()


MakeWorld = Callable[..., "World"]


@pytest.fixture
def make_world(dynamo: Engine) -> Iterator[MakeWorld]:
    """Build worlds with replaced parts or settings, on moto; see tests.functional.world."""
    from tests.functional.world import World

    yield lambda **given: World(dynamo, **given)
    wiring.use(None)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Waybill below the sockets, on moto."""
    return make_world()


@pytest.fixture
def make_engine_world(engine: Engine) -> Iterator[MakeWorld]:
    """Build worlds with replaced parts or settings, on moto, then on ministack."""
    from tests.functional.world import World

    yield lambda **given: World(engine, **given)
    wiring.use(None)


@pytest.fixture
def engine_world(make_engine_world: MakeWorld) -> World:
    """Waybill below the sockets, on moto, then on ministack."""
    return make_engine_world()
