"""A cloud with a stage's secret in it, and a package to deploy there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.deploy import secret
from infra.package.build import Package
from infra.template import overlay
from tests.unit.deploy.clouds import Cloud


@pytest.fixture
def cloud() -> Cloud:
    """An account with the secret of stage `prod`."""
    made = Cloud()
    secret.make_secret(made, "prod")
    return made


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """A template of what the overlay adds, and any zip."""
    made = Package(tmp_path / "sam.json", tmp_path / "deployment.zip")
    template = overlay()
    typed = {n: each for n, each in template["Resources"].items() if "Type" in each}
    made.template.write_text(json.dumps({**template, "Resources": typed}))
    made.archive.write_bytes(b"zip")
    return made
