"""The DynamoDB tables, from the models that the application uses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from pynamodb.models import Model

from chalicelib.store.tables import MODELS, TTL_ATTRIBUTES, get_short_name
from infra.resources.tables import table_definition
from infra.template.intrinsics import Value, stage_name, when

TABLE = "AWS::DynamoDB::Table"
# For a table that holds rows already: whatever becomes of its stack, it stays.
RETAINED = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def logical_id(model: type[Model]) -> str:
    """Return a table's name in the template."""
    return "".join(word.capitalize() for word in get_short_name(model).split("-")) + "Table"


def make_resources() -> Value:
    """Return every table, kept when the stack goes (but not when its creation is rolled back).

    Those with indexes are made one after another: CloudFormation's reference of the type asks for
    it, as DynamoDB may refuse to make several at once.
    """
    tables = {logical_id(model): _make_table(model) for model in MODELS}
    indexed = [n for n, t in tables.items() if "GlobalSecondaryIndexes" in t["Properties"]]
    for before, after in pairwise(indexed):
        tables[after]["DependsOn"] = before
    return tables


def tables_of(template: Value) -> Iterator[tuple[str, Value]]:
    """Yield the logical id and the resource of each table of a template, expanded or not."""
    return ((n, each) for n, each in template["Resources"].items() if each["Type"] == TABLE)


def with_literal_names(template: Value, stage: str) -> Value:
    """Return the template with its tables' names written out for one stage.

    CloudFormation takes over a table that exists only if the template names it literally.
    """
    literal = {name: _with_literal_name(table, stage) for name, table in tables_of(template)}
    return {**template, "Resources": {**template["Resources"], **literal}}


def _with_literal_name(table: Value, stage: str) -> Value:
    name = table["Properties"]["TableName"]
    if isinstance(name, dict):
        name = name["Fn::Sub"].replace("${Stage}", stage)
    return {**table, "Properties": {**table["Properties"], "TableName": name}}


def _make_table(model: type[Model]) -> Value:
    properties: Value = {
        **table_definition(model, ""),
        "TableName": stage_name(get_short_name(model)),
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        # Not while a stack is made: a creation that is rolled back could not take them away.
        "DeletionProtectionEnabled": when("ProtectsTables", True, False),
        "SSESpecification": {"SSEEnabled": False},  # the key that AWS owns, at no charge
    }
    if attribute := TTL_ATTRIBUTES.get(get_short_name(model)):
        properties["TimeToLiveSpecification"] = {"AttributeName": attribute, "Enabled": True}
    return {
        "Type": TABLE,
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }
