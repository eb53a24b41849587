"""cfn-lint, with the rules that are on by default, on both forms of the template.

It expands AWS::Serverless by itself, but overlooks what is made of events; hence the other form.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# To look for garbage meanwhile is a fifth of its time.
CFN_LINT = "import gc, sys; gc.disable(); from cfnlint.runner.cli import main; sys.exit(main())"
WRONG = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": "long"}}


@pytest.fixture(scope="module")
def complaints(
    template: dict[str, Any], plain: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    """What cfn-lint says of each template; asked once, since starting it takes a second."""
    folder: Path = tmp_path_factory.mktemp("lint")
    templates = {"deployed": template, "plain": plain, "wrong": {"Resources": {"Queue": WRONG}}}
    for name, content in templates.items():
        (folder / name).write_text(json.dumps(content, indent=1))
    ran = subprocess.run(
        [sys.executable, "-c", CFN_LINT, "--format", "parseable", *templates],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.stderr == ""
    lines = ran.stdout.splitlines()
    found = {name: [line for line in lines if line.startswith(f"{name}:")] for name in templates}
    assert sum(map(len, found.values())) == len(lines)
    return found


@pytest.mark.parametrize("form", ["deployed", "plain"])
def test_it_is_clean_before_and_after_the_transform(
    complaints: dict[str, list[str]], form: str
) -> None:
    assert complaints[form] == []


def test_the_linter_sees_what_is_wrong(complaints: dict[str, list[str]]) -> None:
    assert any("E3012" in line for line in complaints["wrong"])
