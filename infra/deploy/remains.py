"""Take over the tables that an earlier stack of the same stage has left.

Tables outlive their stack. CloudFormation takes over what is there if the template names it
literally and retains it; it compares nothing, so that is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.errors import DeployError, code_of
from infra.resources.tables import keys_of
from infra.template.intrinsics import Value
from infra.template.tables import RETAINED, tables_of, with_literal_names

_DENIED = {"AccessDenied", "AccessDeniedException"}


def take_over(
    dynamodb: Any, template: Value, stage: str, held: Collection[str], say: Callable[[str], None]
) -> Value:
    """Return the template with literal names for a stage's tables, so that those are imported
    which exist; these are then kept whatever happens, also when the stack's creation is undone.

    `held`: logical ids of the tables that the stack has already. Raises DeployError if a table
    that is there has other keys or indexes than the template's, or is just being deleted.
    """
    template = with_literal_names(template, stage)
    free = {name: table for name, table in tables_of(template) if name not in held}
    try:
        found = {name: table for name, table in free.items() if _is_there(dynamodb, table)}
    except ClientError as error:
        if code_of(error) not in _DENIED:
            raise
        say(f"Tables of an earlier {stage} can't be looked for ({code_of(error)}): compare them.")
        found = free  # retaining one too many leaves an empty table; one too few loses rows
    if found and found is not free:
        say(f"Taking over {len(found)} tables that are there: {', '.join(_table_names(found))}.")
    kept = {name: {**table, **RETAINED} for name, table in found.items()}
    return {**template, "Resources": {**template["Resources"], **kept}}


def _is_there(dynamodb: Any, table: Value) -> bool:
    wanted = table["Properties"]
    try:
        there = dynamodb.describe_table(TableName=wanted["TableName"])["Table"]
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        return False
    if there["TableStatus"] == "DELETING":
        raise DeployError(f"{wanted['TableName']} is being deleted: wait a minute, then again.")
    if keys_of(there) != keys_of(wanted):
        raise DeployError(
            f"The table {wanted['TableName']} is there, with other keys or indexes than this "
            "version's: deploy the package that it was last used with, then this one."
        )
    return True


def _table_names(tables: dict[str, Value]) -> Iterator[str]:
    return (table["Properties"]["TableName"] for table in tables.values())
