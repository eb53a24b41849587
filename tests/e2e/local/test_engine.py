"""ministack as a child: its state and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chalicelib.store.tables import PersonRow
from infra.local.engine import EngineError, Ministack, is_healthy
from infra.local.ports import is_port_free
from infra.resources.aws_clients import make_client
from infra.resources.tables import create_tables, table_definition
from tests.conftest import PATIENCE_S, free_port
from tests.e2e.conftest import HOME, wait_for

OWNER = """
import sys, time
from pathlib import Path
from infra.local.engine import Ministack
engine = Ministack(int(sys.argv[1]), Path(sys.argv[2]), owned=sys.argv[3] == "owned")
engine.start()
print(engine.pid, flush=True)
time.sleep(60)
"""


def put_person(endpoint: str) -> None:
    dynamodb = make_client("dynamodb", endpoint)
    create_tables(dynamodb, "kept")
    dynamodb.put_item(TableName="kept-people", Item={"person_id": {"S": "p1"}})


def has_person(endpoint: str) -> bool:
    found = make_client("dynamodb", endpoint).get_item(
        TableName=table_definition(PersonRow, "kept")["TableName"], Key={"person_id": {"S": "p1"}}
    )
    return "Item" in found


def start_owner(port: int, folder: Path, kind: str) -> tuple[subprocess.Popen[str], int]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(port), str(folder), kind],
        cwd=HOME,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    return owner, int(owner.stdout.readline())


def kill(owner: subprocess.Popen[str]) -> None:
    owner.kill()
    owner.wait()
    assert owner.stdout is not None
    owner.stdout.close()


def test_it_starts_and_stops_and_keeps_its_state(tmp_path: Path) -> None:
    engine = Ministack(free_port(), tmp_path)
    with engine:
        put_person(engine.endpoint)
    assert is_port_free(engine.port)
    with engine:
        assert has_person(engine.endpoint)


def test_an_owned_engine_saves_its_state_when_its_owner_is_killed(tmp_path: Path) -> None:
    port = free_port()
    owner, _ = start_owner(port, tmp_path, "owned")
    put_person(f"http://127.0.0.1:{port}")
    kill(owner)
    wait_for(lambda: is_port_free(port))
    with Ministack(port, tmp_path) as engine:
        assert has_person(engine.endpoint)


def test_an_engine_of_its_own_outlives_who_started_it(tmp_path: Path) -> None:
    port = free_port()
    owner, pid = start_owner(port, tmp_path, "free")
    try:
        kill(owner)
        time.sleep(0.3)
        assert is_healthy(f"http://127.0.0.1:{port}")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: is_port_free(port))


def test_a_missing_engine_says_how_to_get_it(tmp_path: Path) -> None:
    engine = Ministack(free_port(), tmp_path, python=tmp_path / "no-python")
    with pytest.raises(EngineError, match=r"run `make setup`, or use ENGINE=moto"):
        engine.start()


def test_an_engine_that_ends_at_once_points_to_its_log(tmp_path: Path) -> None:
    engine = Ministack(free_port(), tmp_path, python=Path("/bin/false"))
    with pytest.raises(EngineError, match=r"did not start; its log is .*engine\.log"):
        engine.start()


def test_tables_are_made_from_the_command_line(lasting_engine: Ministack) -> None:
    env = {"PATH": os.defpath, "AWS_ENDPOINT_URL": lasting_engine.endpoint, "TABLE_PREFIX": "cli"}
    ran = subprocess.run(
        [sys.executable, "-m", "infra.resources.tables"],
        cwd=HOME,
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert " tables cli-*, queue http" in ran.stdout
    tables = make_client("dynamodb", lasting_engine.endpoint).list_tables()["TableNames"]
    assert "cli-orders" in tables
