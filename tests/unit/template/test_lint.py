"""cfn-lint, with the rules that are on by default, on both forms of the template."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CFN_LINT = "import sys; from cfnlint.runner.cli import main; sys.exit(main())"


def lint(folder: Path, **templates: dict[str, Any]) -> str:
    files = [folder / f"{name}.json" for name in templates]
    for file, template in zip(files, templates.values(), strict=True):
        file.write_text(json.dumps(template, indent=1))
    ran = subprocess.run(
        [sys.executable, "-c", CFN_LINT, "--format", "parseable", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.stdout + ran.stderr


def test_it_is_clean_before_and_after_the_transform(
    template: dict[str, Any], plain: dict[str, Any], tmp_path: Path
) -> None:
    assert lint(tmp_path, deployed=template, plain=plain) == ""


def test_the_linter_sees_what_is_wrong(tmp_path: Path) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": "long"}}
    assert "E3012" in lint(tmp_path, wrong={"Resources": {"Queue": queue}})
