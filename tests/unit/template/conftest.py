"""The finished template, made without PyPI: as deployed, and as the SAM transform leaves it."""

from __future__ import annotations

from typing import Any

import pytest

from app import app
from infra.package.project import PackagingOptions, lay_out
from infra.package.template import without_packaging
from infra.template.expansion import expand_template

Template = dict[str, Any]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What `make package` writes to dist/sam.json."""
    project = tmp_path_factory.mktemp("package") / "project"
    lay_out(project, PackagingOptions())
    return without_packaging(app, project)


@pytest.fixture(scope="session")
def plain(template: Template) -> Template:
    """The same, expanded."""
    return expand_template(template, "s3://bucket/key", {"Stage": "one", "Secret": "/waybill/one"})


@pytest.fixture(scope="session")
def resources(plain: Template) -> Template:
    """Its resources by logical id."""
    found: Template = plain["Resources"]
    return found
