"""`python -m infra.documents.fuzz`: ask a local run what OpenAPI lets one ask, and more.

Schemathesis asks, from an environment of its own (`make fuzz` installs it). Whatever is answered
must be in the document, and never a fault of the server's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from chalicelib.domain.people import ROLE_WORDS
from infra.documents.__main__ import WRITTEN
from infra.harness.stack_process import StackProcess
from infra.local.tokens import mint_token

HOME = Path(__file__).resolve().parents[2]
COMMAND = HOME / ".venv-fuzz" / "bin" / "schemathesis"
HOOKS = Path(__file__).with_name("fuzz_hooks.py")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
PERSON = "fuzz"
MERGE_PATCH = "application/merge-patch+json"


def main(arguments: list[str] | None = None) -> int:
    """Start a Waybill of one's own and ask it; return Schemathesis' exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.documents.fuzz")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--all", action="store_true", help="go on after a failure")
    given = parser.parse_args(arguments)
    with StackProcess() as stack:
        folder = stack.options.state_dir  # it writes files of its own
        document = folder / "openapi.json"
        document.write_text(json.dumps(take_json_only()))
        command = [
            *(str(COMMAND), "fuzz", str(document), "--url", stack.options.url),
            *("--max-time", str(given.seconds), "--checks", ",".join(CHECKS)),
            *("--suppress-health-check", "all", "--warnings", "off", "--no-color"),
            *("--request-timeout", "40"),  # a long poll takes 25 s
            *(["--continue-on-failure"] if given.all else []),
        ]
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)}
        environment["WAYBILL_TOKENS"] = json.dumps(make_tokens(stack.secret))
        return subprocess.run(command, env=environment, cwd=folder, check=False).returncode


def take_json_only() -> dict[str, Any]:
    """Read the document, with one type for each body: of two types of JSON it would not choose."""
    document: dict[str, Any] = json.loads((WRITTEN / "openapi.json").read_text())
    for path in document["paths"].values():
        for operation in path.values():
            operation.get("requestBody", {}).get("content", {}).pop(MERGE_PATCH, None)
    return document


def make_tokens(secret: str) -> dict[str, str]:
    """Make a token for each role, of people who have restaurants and are all one person."""
    roles = {role.value for role in ROLE_WORDS.values()}
    return {
        role: mint_token(secret, role, PERSON, restaurant_ids=["1", "mill"])
        for role in sorted(roles)
    }


if __name__ == "__main__":
    sys.exit(main())
