"""CloudFormation's functions, as Python values."""

from __future__ import annotations

from typing import Any

Value = dict[str, Any]

NO_VALUE: Value = {"Ref": "AWS::NoValue"}


def ref(name: str) -> Value:
    """Return a parameter's value or a resource's id."""
    return {"Ref": name}


def sub(text: str) -> Value:
    """Return a text with `${Name}` and `${Name.Attribute}` filled in."""
    return {"Fn::Sub": text}


def att(resource: str, attribute: str) -> Value:
    """Return a resource's attribute."""
    return {"Fn::GetAtt": [resource, attribute]}


def when(condition: str, then: Any, otherwise: Any = None) -> Value:
    """Return one value or another, by a condition; None leaves the property out."""
    return {"Fn::If": [condition, then, NO_VALUE if otherwise is None else otherwise]}


def is_set(parameter: str) -> Value:
    """Return the condition that a parameter is not empty."""
    return {"Fn::Not": [{"Fn::Equals": [ref(parameter), ""]}]}


def stage_name(name: str) -> Value:
    """Return a physical name that two stages never share."""
    return sub(f"waybill-${{Stage}}-{name}")
