"""`python -m infra.deploy secret STAGE`, then `python -m infra.deploy stack STAGE BUCKET`.

AWS is where the environment and the shared configuration lead, as with every tool of theirs.
"""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from infra.deploy import secret
from infra.deploy.errors import DeployError
from infra.deploy.stack import Stack
from infra.package.build import Package, PackageError
from infra.package.project import HOME


def main() -> int:
    """Do what the arguments say; return the exit code."""
    given = _parse_arguments()
    clients = functools.cache(get_session().create_client)
    try:
        if given.what == "secret":
            print(secret.make_secret(clients, given.stage))
            return 0
        package = Package.find_in(given.package)
        parameters = dict(pair.split("=", 1) for pair in given.parameters)
        stack = Stack(clients, given.stage, say=_print_remark)
        outputs = stack.deploy(package, given.bucket, parameters)
    except (DeployError, PackageError, BotoCoreError, ClientError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    print("\n".join(f"{name:20} {value}" for name, value in sorted(outputs.items())))
    return 0


def _print_remark(line: str) -> None:
    print(f"deploy: {line}", file=sys.stderr)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("secret").add_argument("stage")
    stack = what.add_parser("stack")
    stack.add_argument("stage")
    stack.add_argument("bucket")
    stack.add_argument("parameters", nargs="*", metavar="Name=Value", type=_check_pair)
    stack.add_argument(
        "--package", type=Path, default=HOME / "dist", help="a folder of `make package`: dist"
    )
    return parser.parse_args()


def _check_pair(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not Name=Value")
    return text


if __name__ == "__main__":
    sys.exit(main())
