"""The DynamoDB tables, from the models that the application uses."""

from __future__ import annotations

from pynamodb.models import Model

from chalicelib.store.tables import MODELS, TTL_ATTRIBUTES, short_name
from infra.tables import definition
from infra.template.intrinsics import Value, named, when


def logical_id(model: type[Model]) -> str:
    """A table's name in the template."""
    return "".join(word.capitalize() for word in short_name(model).split("-")) + "Table"


def resources() -> Value:
    """Every table, kept when the stack goes (but not when its creation is rolled back)."""
    return {logical_id(model): _table(model) for model in MODELS}


def _table(model: type[Model]) -> Value:
    properties: Value = {
        **definition(model, ""),
        "TableName": named(short_name(model)),
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        # Not while a stack is made: a creation that is rolled back could not take them away.
        "DeletionProtectionEnabled": when("ProtectsTables", True, False),
        "SSESpecification": {"SSEEnabled": False},  # the key that AWS owns, at no charge
    }
    if attribute := TTL_ATTRIBUTES.get(short_name(model)):
        properties["TimeToLiveSpecification"] = {"AttributeName": attribute, "Enabled": True}
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }
