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


def decimal_of(value: Value) -> Decimal:
    """Read a typed number."""
    return Decimal(value["N"])


def sort_key(value: Value) -> Any:
    """Return what a typed value is sorted by among its like."""
    ((kind, raw),) = value.items()
    if kind == "N":
        return Decimal(raw)
    return raw.encode() if kind == "S" else bytes(raw)


def require(value: Value | None) -> Value:
    if value is None:
        raise BadExpression(
            "The provided expression refers to an attribute that does not exist in the item"
        )
    return value


def find_at(item: Item, path: Place) -> Value | None:
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


def _change_at(value: Value, path: Place, change: Callable[[Any, Step], Any]) -> Value:
    """Replace the container at the end of a path by `change` of it."""
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
    copied[step] = _change_at(child, rest, change)
    return {kind: copied}


def put_at(item: Item, path: Place, value: Value) -> Item:
    def put(inner: Any, step: Step) -> Any:
        if isinstance(step, str):
            return {**inner, step: value}
        return [*inner[:step], value, *inner[step + 1 :]]

    found: Item = _change_at({"M": item}, path, put)["M"]
    return found


def remove_at(item: Item, path: Place) -> Item:
    def remove(inner: Any, step: Step) -> Any:
        if isinstance(step, str):
            return {name: value for name, value in inner.items() if name != step}
        return [*inner[:step], *inner[step + 1 :]]

    found: Item = _change_at({"M": item}, path, remove)["M"]
    return found


def replace_at(item: Item, path: Place, value: Value | None) -> Item:
    if value is not None:
        return put_at(item, path, value)
    return remove_at(item, path) if find_at(item, path) else item


def add_to(old: Value | None, more: Value) -> Value:
    if "N" in more:
        return to_number((decimal_of(old) if old else Decimal(0)) + decimal_of(more))
    ((kind, members),) = more.items()
    return {kind: sorted({*(old or {}).get(kind, ()), *members})}


def delete_from(old: Value | None, fewer: Value) -> Value | None:
    """Take members from a set; None, and so no attribute, where none are left."""
    ((kind, members),) = fewer.items()
    left = sorted(set((old or {}).get(kind, ())) - set(members))
    return {kind: left} if left else None


def to_number(value: Decimal) -> Value:
    return {"N": format(value.normalize(), "f")}


def measure(value: Value | None) -> Value | None:
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
    """Compare two values: what is absent, or of another type, is unequal and nothing else."""
    if left is None or right is None:
        return sign == "<>" and left is not right
    if sign in ("=", "<>"):
        return _equal(left, right) is (sign == "=")
    if left.keys() != right.keys() or next(iter(left)) not in ("N", "S", "B"):
        return False
    first, second = sort_key(left), sort_key(right)
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
