"""The commands that the documents give to whoever deploys without `make deploy`."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from app import app
from infra.package.project import HOME, PackagingOptions, lay_out
from infra.package.template import without_packaging
from infra.template.intrinsics import Value

DOCUMENT = (HOME / "docs/deploy.md").read_text()
LIMIT_WITHOUT_A_BUCKET = 51_200  # bytes, AWS CLI: "must be deployed via an S3 Bucket"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Value:
    project = tmp_path_factory.mktemp("package") / "project"
    lay_out(project, PackagingOptions())
    return without_packaging(app, project)


def commands() -> list[list[str]]:
    """What stands in the first block after "By hand"."""
    block = DOCUMENT.partition("## By hand")[2].partition("```sh\n")[2].partition("```")[0]
    return [shlex.split(line) for line in block.replace("\\\n", " ").splitlines() if line]


def option(command: list[str], name: str) -> list[str]:
    """The words that follow an option."""
    rest = command[command.index(name) + 1 :]
    return rest[: next((n for n, word in enumerate(rest) if word.startswith("--")), len(rest))]


def test_a_template_of_this_size_is_deployed_through_a_bucket(template: Value) -> None:
    assert len(json.dumps(template)) > LIMIT_WITHOUT_A_BUCKET
    package, deploy = commands()
    assert (package[:3], deploy[:3]) == (
        ["aws", "cloudformation", "package"],
        ["aws", "cloudformation", "deploy"],
    )
    assert option(deploy, "--s3-bucket") == option(package, "--s3-bucket")
    assert option(deploy, "--template-file") == option(package, "--output-template-file")
    assert option(deploy, "--stack-name") == ["waybill-prod"]  # what make deploy would update
    assert set(option(deploy, "--capabilities")) == {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}


def test_its_parameters_are_the_templates_and_all_that_it_needs(template: Value) -> None:
    _, deploy = commands()
    given = dict(pair.split("=", 1) for pair in option(deploy, "--parameter-overrides"))
    parameters = template["Parameters"]
    needed = {name for name, each in parameters.items() if "Default" not in each}
    assert needed <= given.keys() <= parameters.keys()
    for name, value in given.items():
        each = parameters[name]
        assert value in each.get("AllowedValues", [value])
        assert re.fullmatch(each.get("AllowedPattern", ".*"), value)


def test_every_make_target_and_file_that_the_first_deployment_names_is_there() -> None:
    text = (HOME / "docs/first-deploy.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (HOME / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (?:-s )?([a-z]+)\b", text)) <= targets
    for path in re.findall(r"`((?:docs|infra)/[\w/.-]+)`", text):
        assert (HOME / path).exists(), path
