"""The real thing: `chalice package` with PyPI, once, run as Lambda runs it and deployed.

One module, so that one worker packages once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import app
from chalicelib.store.tables import MODELS
from infra.aws import client
from infra.conformance.deployment import DeployError, bring_up, deploy
from infra.engine import Ministack
from infra.package.archive import MAX_BYTES
from infra.package.build import Package, PackageError, build, this_architecture
from infra.package.cold import ALLOWED, measure
from infra.package.project import HOME, Options
from infra.package.template import without_packaging
from tests.conftest import SECRET, free_port

# Kept from run to run: Chalice asks PyPI again only when the requirements have changed.
OUT = HOME / "dist" / "tested"


@pytest.fixture(scope="module")
def package() -> Package:
    """A package that this machine can run."""
    try:
        return build(OUT, Options(architecture=this_architecture()))
    except PackageError as error:
        if "download" in str(error).lower() or "could not" in str(error).lower():
            pytest.skip(f"PyPI can't be reached: {error}")
        raise


def test_its_template_is_the_one_that_the_unit_tests_read(package: Package) -> None:
    packaged = json.loads(package.template.read_text())
    assert packaged == without_packaging(app, package.template.parent / "project")


def test_the_zip_is_small_and_holds_no_more_than_runs(package: Package) -> None:
    assert package.archive.stat().st_size <= MAX_BYTES
    with zipfile.ZipFile(package.archive) as made:
        tops = {name.partition("/")[0] for name in made.namelist()}
    assert {"app.py", "chalicelib", "chalice", "botocore", "pynamodb", "msgspec"} <= tops
    assert tops.isdisjoint({"infra", "tests", "boto3", "cryptography", "moto", "pip"})


def test_it_imports_within_its_budget(package: Package) -> None:
    times = measure(package.archive, runs=3)
    assert times["import app"] <= ALLOWED * times["floor"]


def test_what_is_imported_is_compiled(package: Package, tmp_path: Path) -> None:
    """Not one .py of the zip is read as source."""
    with zipfile.ZipFile(package.archive) as made:
        made.extractall(tmp_path)
    for source in tmp_path.rglob("*.py"):
        source.write_text("raise SystemError('compiled at a cold start')\n")
    ran = subprocess.run(
        [sys.executable, "-S", "-B", "-c", "import sys; sys.path.insert(0, '.'); import app"],
        cwd=tmp_path,
        env={"PATH": "", "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-500:]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Ministack]:
    """An engine with everything that a stack is made of, and nothing in it."""
    environment = {"SERVICES": "", "PERSIST_STATE": "0"}
    with Ministack(free_port(), tmp_path / "engine", environment=environment) as engine:
        yield engine


def tables(cloud: Ministack) -> set[str]:
    return set(client("dynamodb", cloud.endpoint).list_tables()["TableNames"])


def test_a_stage_without_its_secret_is_refused_before_anything_is_made(
    package: Package, cloud: Ministack
) -> None:
    with pytest.raises(DeployError, match="/waybill/local/secret"):
        bring_up(package.template.parent, cloud.endpoint)
    assert tables(cloud) == set()
    assert client("lambda", cloud.endpoint).list_functions()["Functions"] == []


def test_two_stages_stand_side_by_side(package: Package, cloud: Ministack) -> None:
    folder = package.template.parent
    one = deploy(folder, cloud.endpoint, SECRET, "one")
    two = deploy(folder, cloud.endpoint, SECRET, "two")
    assert len(tables(cloud)) == 2 * len(MODELS)
    for stage in (one, two):
        with urllib.request.urlopen(f"{stage.rest_url}/health", timeout=20) as answer:
            assert answer.status == 200
