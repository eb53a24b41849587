"""Tell a deployed stage the end-to-end stories: `make smoke HOST=…`.

`python -m infra.deploy.smoke HOST [--tell STORY …]`

HOST is what `make deploy` printed, or any URL that a stage is served at, `make run`'s too. Only
what people see is looked at, over REST and sockets: nothing is read from tables or logs. People and
places are new in every run, so a stage that is in use may be told as well; what was ordered stays.
Other options are pytest's.

Tokens are signed by JWT_SECRET (SECRET=…), by a stage's own secret (--stage, with AWS's
credentials), or else by this checkout's. Where an issuer signs them, --tokens names a command that
prints one: `./token {role} {id}`; other claims are in its environment, as JSON in CLAIMS.
"""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import sys
from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from chalicelib.settings import BadSetting
from infra.deploy import secret
from infra.deploy.errors import DeployError
from infra.local.options import LocalOptions
from infra.local.tokens import find_signing_secret
from infra.package.project import HOME

STORIES = (
    "tests/e2e/courier/test_delivery.py",
    "tests/e2e/courier/test_races.py",
    "tests/e2e/courier/test_sockets.py",
    "tests/e2e/food/test_python_client.py",
    "tests/e2e/test_drivers.py",
    "tests/e2e/test_feed.py",
    "tests/e2e/test_rides.py",
)


def main(arguments: list[str] | None = None) -> int:
    """Tell the stories; return pytest's exit code, or 1 if there is nothing to sign tokens by."""
    given, others = _parse_arguments(arguments)
    try:
        signed_by = "" if given.tokens else find_secret(given.stage, os.environ)
    except (BadSetting, DeployError, BotoCoreError, ClientError) as error:
        print(f"smoke: {error}", file=sys.stderr)
        return 1
    environment = {
        **os.environ,
        "WAYBILL_REMOTE": url_of(given.host),
        "WAYBILL_JWT_SECRET": signed_by,
        "WAYBILL_TOKENS": given.tokens,
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "0",
        "-q",
        "-p",
        "no:cacheprovider",
        *given.tell,
        *others,
    ]
    return subprocess.run(command, cwd=HOME, env=environment, check=False).returncode


def url_of(host: str) -> str:
    """Return the URL of a host, which may be one already."""
    return (host if "://" in host else f"https://{host}").rstrip("/")


def find_secret(stage: str, env: Mapping[str, str]) -> str:
    """Find what signs tokens: SECRET, a stage's own secret, or this checkout's. Raises BadSetting,
    DeployError, BotoCoreError, ClientError."""
    # What is said for this run comes before what is kept anywhere.
    if given := env.get("SECRET"):
        return given
    if stage:
        clients = functools.cache(get_session().create_client)
        return secret.read_secret(clients, stage)["JWT_SECRET"]
    return find_signing_secret(LocalOptions.from_env(env), env)


def _parse_arguments(arguments: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy.smoke", description=__doc__)
    parser.add_argument("host", help="a host name (https) or a URL")
    parser.add_argument("--stage", default="", help="the stage whose secret signs the tokens")
    parser.add_argument("--tokens", default="", metavar="COMMAND", help="what prints a token")
    parser.add_argument(
        "--tell", nargs="+", default=STORIES, metavar="STORY", help="instead of all"
    )
    return parser.parse_known_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
