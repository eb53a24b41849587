"""DynamoDB's expressions: conditions, key conditions and updates, on items as the wire has them.

An item is a mapping of names to typed values: {"version": {"N": "3"}}. Items are never changed in
place: an update returns a new one. What is read of the syntax is what DynamoDB documents, less
`attribute_type`, arithmetic on paths other than `SET a = b + c`, and projections.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]
Step = str | int
Names = Mapping[str, str]
Values = Mapping[str, Value]
Scope = tuple[Item, Names, Values]
Operand = Callable[[Scope], Value | None]
Condition = Callable[[Scope], bool]
Path = tuple[Step, ...]

MAX_BYTES = 4096  # AWS quota: of one expression
MAX_OPERATORS = 300  # AWS quota

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_0-9]+|<>|<=|>=|[=<>()\[\],.+-])")
_COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")


class BadExpression(Exception):
    """What DynamoDB answers with a ValidationException."""


def check_size(*expressions: str | None) -> None:
    """Hold an expression to AWS's quotas. Raises BadExpression."""
    for text in expressions:
        if text and len(text.encode()) > MAX_BYTES:
            raise BadExpression(f"Expression size has exceeded the maximum allowed size: {text}")
        if text and sum(text.count(sign) for sign in (",", "=", "AND", "OR")) > MAX_OPERATORS:
            raise BadExpression("The expression has more than 300 operators")


def holds(condition: str | None, item: Item | None, names: Names, values: Values) -> bool:
    """Whether a condition holds of an item (None: of one that is not there)."""
    return not condition or _condition(condition)((item or {}, names, values))


def updated(update: str, item: Item, names: Names, values: Values) -> Item:
    """An item after an update. Raises BadExpression for a path that leads nowhere."""
    return _update(update)((item, names, values))


def number(value: Value) -> Decimal:
    """A typed number."""
    return Decimal(value["N"])


def order_of(value: Value) -> Any:
    """What a typed value is sorted by among its like."""
    ((kind, raw),) = value.items()
    if kind == "N":
        return Decimal(raw)
    return raw.encode() if kind == "S" else bytes(raw)


class _Parser:
    """Reads an expression into functions of an item, its placeholders' names and values."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if not found:
                raise BadExpression(f"Syntax error: {text[at:]}")
            self._tokens.append(found[1])
            at = found.end()
        self._at = 0

    @property
    def next(self) -> str:
        """The next token, "" at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, *wanted: str) -> str:
        """The next token, which must be one of those, if any are named."""
        token = self.next
        if not token or (wanted and token.upper() not in wanted):
            raise BadExpression(f"Syntax error near {token!r}")
        self._at += 1
        return token

    def took(self, token: str) -> bool:
        """Take a token if it is next."""
        if self.next.upper() != token:
            return False
        self._at += 1
        return True

    def listed(self, read: Callable[[], Any]) -> list[Any]:
        """One or more, with commas between."""
        found = [read()]
        while self.took(","):
            found.append(read())
        return found

    # Conditions

    def condition(self) -> Condition:
        """OR binds least."""
        parts = [self._all()]
        while self.took("OR"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda scope: any(part(scope) for part in parts)

    def _all(self) -> Condition:
        parts = [self._negated()]
        while self.took("AND"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else lambda scope: all(part(scope) for part in parts)

    def _negated(self) -> Condition:
        if self.took("NOT"):
            part = self._negated()
            return lambda scope: not part(scope)
        if self.took("("):
            part = self.condition()
            self.take(")")
            return part
        if self.next in _TESTS:
            return self._test()
        return self._comparison()

    def _test(self) -> Condition:
        test = _TESTS[self.take()]
        self.take("(")
        operands = self.listed(self._operand)
        self.take(")")
        return lambda scope: test(*(operand(scope) for operand in operands))

    def _comparison(self) -> Condition:
        left = self._operand()
        if self.took("BETWEEN"):
            low = self._operand()
            self.take("AND")
            high = self._operand()
            return lambda scope: (
                _compare("<=", low(scope), left(scope)) and _compare("<=", left(scope), high(scope))
            )
        if self.took("IN"):
            self.take("(")
            among = self.listed(self._operand)
            self.take(")")
            return lambda scope: any(_compare("=", left(scope), one(scope)) for one in among)
        sign = self.take(*_COMPARATORS)
        right = self._operand()
        return lambda scope: _compare(sign, left(scope), right(scope))

    def _operand(self) -> Operand:
        if self.next == "size":
            self.take()
            self.take("(")
            inner = self._operand()
            self.take(")")
            return lambda scope: _size(inner(scope))
        if self.next.startswith(":"):
            name = self.take()
            return lambda scope: scope[2][name]
        path = self.path()
        return lambda scope: _found(scope[0], resolved(path, scope[1]))

    def path(self) -> Path:
        """name.name[0].name"""
        steps: list[Step] = [self.take()]
        while self.next in (".", "["):
            if self.took("."):
                steps.append(self.take())
            else:
                self.take("[")
                steps.append(int(self.take()))
                self.take("]")
        return tuple(steps)

    # Updates

    def update(self) -> list[tuple[str, Path, Operand | None]]:
        """The actions of all clauses: what is done, where, and with which value."""
        actions: list[tuple[str, Path, Operand | None]] = []
        while self.next:
            clause = self.take(*_CLAUSES).upper()
            read = {"SET": self._assignment, "REMOVE": self._removal}.get(clause, self._change)
            actions += [(clause, path, value) for path, value in self.listed(read)]
        return actions

    def _assignment(self) -> tuple[Path, Operand]:
        path = self.path()
        self.take("=")
        return path, self._sum()

    def _removal(self) -> tuple[Path, None]:
        return self.path(), None

    def _change(self) -> tuple[Path, Operand]:
        return self.path(), self._operand()

    def _sum(self) -> Operand:
        left = self._function()
        if self.next not in ("+", "-"):
            return left
        sign, right = self.take(), self._function()

        def total(scope: Scope) -> Value:
            first, second = _required(left(scope)), _required(right(scope))
            by = number(second) if sign == "+" else -number(second)
            return _number(number(first) + by)

        return total

    def _function(self) -> Operand:
        if self.next not in ("if_not_exists", "list_append"):
            return self._operand()
        name = self.take()
        self.take("(")
        first = self._function()
        self.take(",")
        second = self._function()
        self.take(")")
        if name == "if_not_exists":
            return lambda scope: first(scope) or second(scope)
        return lambda scope: {"L": [*_required(first(scope))["L"], *_required(second(scope))["L"]]}


@lru_cache(maxsize=1024)
def _condition(text: str) -> Condition:
    parser = _Parser(text)
    found = parser.condition()
    if parser.next:
        raise BadExpression(f"Syntax error near {parser.next!r}")
    return found


@lru_cache(maxsize=1024)
def _update(text: str) -> Callable[[Scope], Item]:
    actions = _Parser(text).update()

    def apply(scope: Scope) -> Item:
        """Values are of the item as it was; list elements go from the last one, as their numbers
        are those of before."""
        before, names, _ = scope
        item: Item = dict(before)
        values = [value(scope) if value else None for _, _, value in actions]
        removals: list[tuple[Step, ...]] = []
        for (clause, path, _), value in zip(actions, values, strict=True):
            at = resolved(path, names)
            if clause == "SET":
                item = _put(item, at, _required(value))
            elif clause == "REMOVE":
                removals.append(at)
            else:
                change = _added if clause == "ADD" else _deleted
                item = _replaced(item, at, change(_found(before, at), _required(value)))
        for at in sorted(removals, key=_last_index, reverse=True):
            item = _removed(item, at)
        return item

    return apply


def resolved(path: Path, names: Names) -> tuple[Step, ...]:
    """A path with its placeholders replaced."""
    return tuple(names.get(step, step) if isinstance(step, str) else step for step in path)


def _required(value: Value | None) -> Value:
    if value is None:
        raise BadExpression(
            "The provided expression refers to an attribute that does not exist in the item"
        )
    return value


def _last_index(path: tuple[Step, ...]) -> int:
    return path[-1] if isinstance(path[-1], int) else -1


def _found(item: Item, path: tuple[Step, ...]) -> Value | None:
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


def _changed(value: Value, path: tuple[Step, ...], change: Callable[[Any, Step], Any]) -> Value:
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
    copied = list(inner) if isinstance(inner, list) else dict(inner)
    copied[step] = _changed(child, rest, change)
    return {kind: copied}


def _put(item: Item, path: tuple[Step, ...], value: Value) -> Item:
    def put(inner: Any, step: Step) -> Any:
        if isinstance(step, str):
            return {**inner, step: value}
        return [*inner[:step], value, *inner[step + 1 :]]

    found: Item = _changed({"M": item}, path, put)["M"]
    return found


def _removed(item: Item, path: tuple[Step, ...]) -> Item:
    def remove(inner: Any, step: Step) -> Any:
        if isinstance(step, str):
            return {name: value for name, value in inner.items() if name != step}
        return [*inner[:step], *inner[step + 1 :]]

    found: Item = _changed({"M": item}, path, remove)["M"]
    return found


def _replaced(item: Item, path: tuple[Step, ...], value: Value | None) -> Item:
    if value is not None:
        return _put(item, path, value)
    return _removed(item, path) if _found(item, path) else item


def _added(old: Value | None, more: Value) -> Value:
    if "N" in more:
        return _number((number(old) if old else Decimal(0)) + number(more))
    ((kind, members),) = more.items()
    return {kind: sorted({*(old or {}).get(kind, ()), *members})}


def _deleted(old: Value | None, fewer: Value) -> Value | None:
    """A set less some members; None, and so no attribute, where none are left."""
    ((kind, members),) = fewer.items()
    left = sorted(set((old or {}).get(kind, ())) - set(members))
    return {kind: left} if left else None


def _number(value: Decimal) -> Value:
    return {"N": format(value.normalize(), "f")}


def _size(value: Value | None) -> Value | None:
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


def _compare(sign: str, left: Value | None, right: Value | None) -> bool:
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


def _contains(whole: Value | None, part: Value | None) -> bool:
    if whole is None or part is None:
        return False
    ((kind, raw),), ((_, wanted),) = whole.items(), part.items()
    return any(_equal(one, part) for one in raw) if kind == "L" else wanted in raw


def _begins_with(whole: Value | None, part: Value | None) -> bool:
    if whole is None or part is None or whole.keys() != part.keys():
        return False
    return bool(next(iter(whole.values())).startswith(next(iter(part.values()))))


_TESTS: dict[str, Callable[..., bool]] = {
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "begins_with": _begins_with,
    "contains": _contains,
}
