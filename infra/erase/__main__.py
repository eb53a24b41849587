"""`python -m infra.erase PERSON [--stage STAGE] [--dry-run]`: erase a person, or count what would.

Without a stage: where the environment leads, as the application has it (TABLE_PREFIX,
AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI). Exits 1 if it refuses or is to be run
again, with the reason.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session
from pynamodb.exceptions import PynamoDBException
from rich.console import Console
from rich.table import Table

from chalicelib.edge.aws.connections_api import ConnectionsApi
from chalicelib.settings import BadSetting, Settings
from chalicelib.store.database import bind_tables
from infra.erase.eraser import CannotEraseYet, Close, ErasedRows, Eraser
from infra.erase.files import FileEraser
from infra.erase.writer import Busy
from infra.resources.aws_clients import make_client

_MANAGEMENT = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"
FAILURES = (BadSetting, CannotEraseYet, Busy, BotoCoreError, ClientError, PynamoDBException)


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Erase, and print a table of what was done; return the exit code."""
    options = _make_parser().parse_args(arguments)
    try:
        # No token is looked at here, but settings without a secret are refused.
        settings = Settings.from_env(
            {"JWT_SECRET": "-" * 32, **env, **_stage_environment(options.stage)}
        )
        if settings.aws_endpoint:
            os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
            os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
        bind_tables(settings.table_prefix, settings.aws_region, settings.aws_endpoint)
        return run_eraser(
            Eraser(
                options.person,
                _make_close(settings),
                partial(datetime.now, timezone.utc),
                time.sleep,
                files=_make_files(settings),
                dry=options.dry_run,
            ),
            dry=options.dry_run,
        )
    except FAILURES as error:
        print(f"waybill: {error}", file=sys.stderr)
        return 1


def run_eraser(eraser: Eraser, *, dry: bool) -> int:
    """Run it; print what was done, even if it ends early. Raises what the eraser does."""
    done: list[ErasedRows] = []
    try:
        done.extend(eraser.run())
    finally:
        if done:
            Console(highlight=False).print(_make_table(done, dry))
    for note in eraser.notes:
        print(note)
    print("Nothing was written." if dry else "Erased.")
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.erase", description="Erase a person.")
    parser.add_argument("person", metavar="PERSON", help="the id in their tokens")
    parser.add_argument("--stage", help="a deployed stage; else where the environment leads")
    parser.add_argument("--dry-run", action="store_true", help="only count, write nothing")
    return parser


def _stage_environment(stage: str | None) -> dict[str, str]:
    """Return the environment that leads to a stage, as its functions have it.

    Nothing for None. Raises ClientError.
    """
    if stage is None:
        return {}
    name = f"waybill-{stage}"
    region = get_session().get_config_variable("region")
    (stack,) = make_client("cloudformation", None, region).describe_stacks(StackName=name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return {
        "TABLE_PREFIX": name,
        "AWS_REGION": region,
        _MANAGEMENT: outputs["ManagementURL"],
        "PROOF_BUCKET": outputs.get("ProofBucket", ""),  # stacks of earlier versions have none
    }


def _make_close(settings: Settings) -> Close | None:
    if not settings.connections_endpoint:
        return None
    session = get_session()
    return ConnectionsApi(
        settings.connections_endpoint, session, settings.aws_region
    ).close_connection


def _make_files(settings: Settings) -> FileEraser | None:
    if not settings.proof_bucket:
        return None
    s3 = make_client("s3", settings.aws_endpoint, settings.aws_region)
    return FileEraser(s3, settings.proof_bucket)


def _make_table(done: Sequence[ErasedRows], dry: bool) -> Table:
    table = Table("table", "rows", "would be" if dry else "what was done")
    for one in done:
        table.add_row(one.table, str(one.rows), one.what)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
