"""Waybill itself, run as a user runs it, on free ports.

`stack` is one run per worker, shared by the tests below here: use ids of your own, and places. Of
an order without a place all couriers are asked in turn: leave none open, or it is offered to those
of the tests that come next, and occupies them.
`run_stack(**environment)` starts one for a single test; stop it, kill it, start it again. To keep
the data through that, start it with `ENDPOINT=lasting_engine.endpoint`. Whatever a test starts is
ended when it ends.

With WAYBILL_STAGES, `make conformance` tells the same stories to the package, deployed as Lambda
functions: `stack` and `hasty_stack` are stages of it, and what needs a process of its own is
skipped. With WAYBILL_REMOTE, `make smoke` tells them to a stage somewhere, of which only the host
is known.
"""

from __future__ import annotations

import functools
import json
import os
import random
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

from infra.conformance.cloud import ROOT
from infra.conformance.deployment import HASTY
from infra.conformance.gaps import GAPS
from infra.conformance.logs import read_lines
from infra.local.engine import Ministack
from infra.local.tokens import mint_token
from infra.resources.tables import VISIBILITY_TIMEOUT_S
from tests.conftest import PATIENCE_S, SECRET, free_port

HOME = Path(__file__).resolve().parents[2]
DEPLOYED: dict[str, dict[str, Any]] | None = json.loads(os.environ.get("WAYBILL_STAGES", "null"))
REMOTE = os.environ.get("WAYBILL_REMOTE", "")  # a URL
# Somewhere else people of the last run may still be about: others then, in other places.
FIRST_NUMBER = random.SystemRandom().randrange(10**9) if REMOTE else 0
ASKED_ONE_BY_ONE = {"delivery", "hail"}  # flows whose couriers are
# What a killed process's poll had taken comes again only then.
COMES_AGAIN_WITHIN_S = VISIBILITY_TIMEOUT_S + PATIENCE_S
ADMITTED_WITHIN_S = 60.0  # where each wakeup is a process, what others left comes first
SETTLES_S = 3.0  # by then a stage has admitted a socket: a wakeup, in a cold function
STOPPED_WITHIN_S = 30.0  # then it is killed, and the test fails


def wait_for(what: Callable[[], Any], within_s: float = PATIENCE_S, every_s: float = 0.02) -> Any:
    """Return the first true value of `what()`; fail when there is none in time."""
    give_up_at = time.monotonic() + within_s
    while True:
        if value := what():
            return value
        if time.monotonic() > give_up_at:
            pytest.fail(f"not within {within_s} s: {getattr(what, '__name__', what)}")
        time.sleep(every_s)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, by name and with its reason, what the engine of `make conformance` can't do."""
    if DEPLOYED is None:
        return
    for item in items:
        if reason := GAPS.get(item.name) or GAPS.get(item.name.partition("[")[0]):
            item.add_marker(pytest.mark.skip(reason=reason))


@functools.cache
def engine_client(service: str, endpoint: str) -> Any:
    """A client of an engine, to which these credentials are root's."""
    return get_session().create_client(
        service,
        "us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=ROOT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ROOT["AWS_SECRET_ACCESS_KEY"],
    )


class Stack:
    """One `python -m infra.local`."""

    table_prefix = "waybill"
    logged_last = "/api/v1/orders 400"  # of a request

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        if DEPLOYED is not None or REMOTE:
            pytest.skip("starts a local run with settings of its own")
        self.port = int(environment.get("PORT") or free_port())
        self.engine_port = int(environment.get("ENGINE_PORT") or free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "JWT_SECRET": SECRET,
            "STATE_DIR": str(folder / "state"),
            "PYTHONUNBUFFERED": "1",
            **environment,
            "PORT": str(self.port),
            "ENGINE_PORT": str(self.engine_port),
        }
        self._log_path = folder / f"stack-{self.port}-{time.monotonic_ns()}.log"
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local", "--owned"],
                cwd=HOME,
                env=self.environment,
                stdin=subprocess.PIPE,  # ends with this process, and the stack with it
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def engine_endpoint(self) -> str:
        """Where its DynamoDB and SQS are."""
        return self.environment.get("ENDPOINT") or f"http://127.0.0.1:{self.engine_port}"

    @property
    def management_url(self) -> str:
        """Where its @connections are."""
        return f"{self.url}/api"

    @property
    def pid(self) -> int:
        return self.process.pid

    def listening(self, person_id: str) -> set[str]:
        """A person's connections that hear what is said to them, read from the engine."""
        row = engine_client("dynamodb", self.engine_endpoint).get_item(
            TableName=f"{self.table_prefix}-mailboxes",
            Key={"person_id": {"S": person_id}},
            ConsistentRead=True,
        )
        found: set[str] = set(row.get("Item", {}).get("listeners", {"M": ()})["M"])
        return found

    def await_listening(self, person_id: str, count: int) -> None:
        """Wait until that many of a person's connections hear what is said to them."""
        wait_for(lambda: len(self.listening(person_id)) >= count, ADMITTED_WITHIN_S)

    def room(self, name: str) -> set[str]:
        """Who listens in a room of many, read from the engine."""
        rows = engine_client("dynamodb", self.engine_endpoint).query(
            TableName=f"{self.table_prefix}-rooms",
            KeyConditionExpression="room = :room",
            ExpressionAttributeValues={":room": {"S": name}},
            ConsistentRead=True,
        )["Items"]
        return {row["person_id"]["S"] for row in rows}

    def token(self, role: str, person_id: str, **claims: Any) -> str:
        """A token that this stack accepts; see infra.local.tokens.mint for the keywords."""
        return mint_token(self.environment["JWT_SECRET"], role, person_id, **claims)

    def log(self) -> str:
        """Everything that it printed so far."""
        return self._log_path.read_text()

    def await_ready(self) -> Stack:
        """Wait until it serves."""
        wait_for(lambda: self.is_ready() or self.process.poll() is not None)
        assert self.is_ready(), self.log()
        return self

    def is_ready(self) -> bool:
        return "Waybill is ready" in self.log()

    def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        self.process.terminate()
        return self._gone()

    def kill(self) -> None:
        """Send SIGKILL: no time to tidy up."""
        self.process.kill()
        self._gone()

    def _gone(self) -> int:
        try:
            return self.process.wait(STOPPED_WITHIN_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            if self.process.stdin is not None:
                self.process.stdin.close()


class Deployment(Stack):
    """A stage of the package, deployed by `python -m infra.conformance`."""

    logged_last = "REPORT RequestId"

    def __init__(self, port: int, management_url: str, table_prefix: str) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"
        self.environment = {
            **os.environ,
            "ENDPOINT": os.environ["WAYBILL_ENGINE"],
            "JWT_SECRET": os.environ["WAYBILL_JWT_SECRET"],
            "PORT": str(port),
        }
        self.table_prefix = table_prefix
        self._management_url = management_url

    @property
    def management_url(self) -> str:
        return self._management_url

    def log(self) -> str:
        """What its functions have logged."""
        prefix = f"/waybill/{self.table_prefix.partition('-')[2]}/"
        logs = engine_client("logs", self.engine_endpoint)
        return "\n".join(line for _, line in read_lines(logs, prefix))

    def stop(self) -> int:
        return 0


class Remote(Stack):
    """A stage somewhere: its host, and what signs its tokens. Nobody looks into it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ws_url = url.replace("http", "ws", 1)
        self.environment = {"JWT_SECRET": os.environ["WAYBILL_JWT_SECRET"]}

    def token(self, role: str, person_id: str, **claims: Any) -> str:
        """Signed here, or asked of the command that WAYBILL_TOKENS names."""
        command = os.environ.get("WAYBILL_TOKENS")
        if not command:
            return super().token(role, person_id, **claims)
        words = [each.format(role=role, id=person_id) for each in shlex.split(command)]
        environment = {**os.environ, "CLAIMS": json.dumps(claims)}
        asked = subprocess.run(
            words, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return asked.stdout.strip()

    def await_listening(self, person_id: str, count: int) -> None:
        time.sleep(SETTLES_S)

    def listening(self, person_id: str) -> set[str]:
        pytest.skip("looks into the tables")

    def room(self, name: str) -> set[str]:
        pytest.skip("looks into the tables")

    def log(self) -> str:
        """Nothing: whether logs tell too much is shown elsewhere."""
        return ""

    @property
    def logged_last(self) -> str:  # type: ignore[override]
        pytest.skip("is about the logs")

    @property
    def engine_endpoint(self) -> str:
        pytest.skip("looks into the engine")

    @property
    def port(self) -> int:  # type: ignore[override]
        pytest.skip("is about the port of a local run")


RunStack = Callable[..., Stack]


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running Waybill on ministack, shared by this worker's tests."""
    if REMOTE:
        yield Remote(REMOTE)
    elif DEPLOYED is not None:
        yield Deployment(**DEPLOYED["local"])
    else:
        yield from _serving(tmp_path_factory.mktemp("stack"), {})


@pytest.fixture(scope="package")
def hasty_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Another one, where nobody is waited for long."""
    if REMOTE:
        pytest.skip("takes a stage where offers last 3 s")
    elif DEPLOYED is not None:
        yield Deployment(**DEPLOYED["hasty"])
    else:
        yield from _serving(tmp_path_factory.mktemp("hasty"), HASTY)


@pytest.fixture(autouse=True)
def end_orders_for_anybody(request: pytest.FixtureRequest) -> Iterator[None]:
    """Cancel what a test leaves unfinished whose pickup is nowhere: couriers would be asked for it
    one after the other, wherever they are, and so those of the next tests."""
    yield
    for name in {"stack", "hasty_stack"} & set(request.fixturenames):
        if not REMOTE:
            cancel_orders_for_anybody(request.getfixturevalue(name))


def cancel_orders_for_anybody(stack: Stack) -> None:
    """Cancel the newest unfinished orders that have no pickup position."""
    headers = {"Authorization": f"Bearer {stack.token('admin', 'tidy')}"}
    base = f"{stack.url}/api/v1/admin/orders"

    def call(method: str, path: str) -> Any:
        asked = urllib.request.Request(base + path, method=method, headers=headers)
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    for order in call("GET", "?status=active&limit=50")["orders"]:
        at = [order.get(name) for name in ("pickup_lat", "latitude_from", "pickup")]
        if order["flow"] in ASKED_ONE_BY_ONE and at == [None] * len(at):  # 0 is a place
            with suppress(urllib.error.HTTPError):  # it has ended: nobody is asked any more
                call("POST", f"/{order['id']}/cancel")


def _serving(folder: Path, environment: dict[str, str]) -> Iterator[Stack]:
    running = Stack(folder, environment)
    try:
        yield running.await_ready()
    finally:
        running.stop()


@pytest.fixture
def run_stack(tmp_path: Path) -> Iterator[RunStack]:
    """Start stacks with settings of their own; they share one STATE_DIR unless told otherwise."""
    with ExitStack() as started:

        def run(*, ready: bool = True, **environment: str) -> Stack:
            new = Stack(tmp_path, environment)
            started.callback(new.stop)
            return new.await_ready() if ready else new

        yield run


@pytest.fixture
def lasting_engine(tmp_path: Path) -> Iterator[Ministack]:
    """An engine that outlives the stacks of one test."""
    with Ministack(free_port(), tmp_path / "engine") as engine:
        yield engine
