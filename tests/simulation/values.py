"""Items as the wire has them, and the places within them: {"version": {"N": "3"}}.

Nothing is changed in place: a change returns a new item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]
Step = str | int
Place = tuple[Step, ...]


class BadExpression(Exception):
    """What DynamoDB answers with a ValidationException."""


def number(value: Value) -> Decimal:
    """A typed number."""
    return Decimal(value["N"])


def order_of(value: Value) -> Any:
    """What a typed value is sorted by among its like."""
    ((kind, raw),) = value.items()
    if kind == "N":
        return Decimal(raw)
    return raw.encode() if kind == "S" else bytes(raw)


def required(value: Value | None) -> Value:
    if value is None:
        raise BadExpression(
            "The provided expression refers to an attribute that does not exist in the item"
        )
    return value


def found_at(item: Item, path: Place) -> Value | None:
    value: Value | None = item.get(str(path[0]))
    for step in path[1:]:
        if value is None:
            return None
        if isinstance(step, int):
            inner: Sequence[Value] = value.get("L", ())
            value = inner[step] if step < len(inner) else None
        else:
            value = value.get("M", {}).get(step)
    return value


def _changed(value: Value, path: Place, change: Callable[[Any, Step], Any]) -> Value:
    """A document with the container at the end of a path replaced by `change` of it."""
    step, rest = path[0], path[1:]
    kind = "L" if isinstance(step, int) else "M"
    if kind not in value:
        raise BadExpression(
            "The document path provided in the update expression is invalid for update"
        )
    inner = value[kind]
    if not rest:
        return {kind: change(inner, step)}
    child = inner[step] if isinstance(step, int) and step < len(inner) else None
    child = inner.get(step) if isinstance(step, str) else child
    if child is None:
        raise BadExpression(
            "The document path provided in the update expression is invalid for update"
        )
    copied: Any = list(inner) if isinstance(inner, list) else dict(inner)
    copied[step] = _changed(child, rest, change)
    return {kind: copied}


def with_value(item: Item, path: Place, value: Value) -> Item:
    def put(inner: Any, step: Step) -> Any:
        if isinstance(step, str):
            return {**inner, step: value}
        return [*inner[:step], value, *inner[step + 1 :]]

    found: Item = _changed({"M": item}, path, put)["M"]
    return found


def without(item: Item, path: Place) -> Item:
    def remove(inner: Any, step: Step) -> Any:
        if isinstance(step, str):
            return {name: value for name, value in inner.items() if name != step}
        return [*inner[:step], *inner[step + 1 :]]

    found: Item = _changed({"M": item}, path, remove)["M"]
    return found


def with_or_without(item: Item, path: Place, value: Value | None) -> Item:
    if value is not None:
        return with_value(item, path, value)
    return without(item, path) if found_at(item, path) else item


def added(old: Value | None, more: Value) -> Value:
    if "N" in more:
        return a_number((number(old) if old else Decimal(0)) + number(more))
    ((kind, members),) = more.items()
    return {kind: sorted({*(old or {}).get(kind, ()), *members})}


def deleted(old: Value | None, fewer: Value) -> Value | None:
    """A set less some members; None, and so no attribute, where none are left."""
    ((kind, members),) = fewer.items()
    left = sorted(set((old or {}).get(kind, ())) - set(members))
    return {kind: left} if left else None


def a_number(value: Decimal) -> Value:
    return {"N": format(value.normalize(), "f")}


def size_of(value: Value | None) -> Value | None:
    if value is None:
        return None
    ((kind, raw),) = value.items()
    return {"N": str(len(raw.encode() if kind == "S" else raw))}


def _equal(left: Value, right: Value) -> bool:
    ((kind, first),), ((other, second),) = left.items(), right.items()
    if kind != other:
        return False
    if kind == "N":
        return Decimal(first) == Decimal(second)
    return sorted(first) == sorted(second) if kind in ("SS", "NS", "BS") else bool(first == second)


def compares(sign: str, left: Value | None, right: Value | None) -> bool:
    """What is absent, or of another type, compares false, but that it is unequal."""
    if left is None or right is None:
        return sign == "<>" and left is not right
    if sign in ("=", "<>"):
        return _equal(left, right) is (sign == "=")
    if left.keys() != right.keys() or next(iter(left)) not in ("N", "S", "B"):
        return False
    first, second = order_of(left), order_of(right)
    return bool(
        {"<": first < second, "<=": first <= second, ">": first > second, ">=": first >= second}[
            sign
        ]
    )


def contains(whole: Value | None, part: Value | None) -> bool:
    if whole is None or part is None:
        return False
    ((kind, raw),), ((_, wanted),) = whole.items(), part.items()
    return any(_equal(one, part) for one in raw) if kind == "L" else wanted in raw


def begins_with(whole: Value | None, part: Value | None) -> bool:
    if whole is None or part is None or whole.keys() != part.keys():
        return False
    return bool(next(iter(whole.values())).startswith(next(iter(part.values()))))
