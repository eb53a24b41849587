"""DynamoDB's expressions: conditions, key conditions and updates.

What is read of the syntax is what DynamoDB documents, less `attribute_type` and projections.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from tests.simulation.values import (
    BadExpression,
    Item,
    Step,
    Value,
    add_to,
    begins_with,
    compares,
    contains,
    decimal_of,
    delete_from,
    find_at,
    measure,
    put_at,
    remove_at,
    replace_at,
    require,
    to_number,
)

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


def check_size(*expressions: str | None) -> None:
    """Hold an expression to AWS's quotas. Raises BadExpression."""
    for text in expressions:
        if text and len(text.encode()) > MAX_BYTES:
            raise BadExpression(f"Expression size has exceeded the maximum allowed size: {text}")
        if text and sum(text.count(sign) for sign in (",", "=", "AND", "OR")) > MAX_OPERATORS:
            raise BadExpression("The expression has more than 300 operators")


def holds(condition: str | None, item: Item | None, names: Names, values: Values) -> bool:
    """Tell whether a condition holds of an item (None: of one that is not there)."""
    return not condition or _condition(condition)((item or {}, names, values))


def apply_update(update: str, item: Item, names: Names, values: Values) -> Item:
    """Return an item after an update. Raises BadExpression for a path that leads nowhere."""
    return _update(update)((item, names, values))


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
        """Take the next token, which must be one of those, if any are named."""
        token = self.next
        if not token or (wanted and token.upper() not in wanted):
            raise BadExpression(f"Syntax error near {token!r}")
        self._at += 1
        return token

    def take_if(self, token: str) -> bool:
        """Take a token if it is next."""
        if self.next.upper() != token:
            return False
        self._at += 1
        return True

    def read_list(self, read: Callable[[], Any]) -> list[Any]:
        """Read one or more, with commas between."""
        found = [read()]
        while self.take_if(","):
            found.append(read())
        return found

    # Conditions

    def condition(self) -> Condition:
        """Read a condition: OR binds least."""
        parts = [self._conjunction()]
        while self.take_if("OR"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda scope: any(part(scope) for part in parts)

    def _conjunction(self) -> Condition:
        parts = [self._negation()]
        while self.take_if("AND"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else lambda scope: all(part(scope) for part in parts)

    def _negation(self) -> Condition:
        if self.take_if("NOT"):
            part = self._negation()
            return lambda scope: not part(scope)
        if self.take_if("("):
            part = self.condition()
            self.take(")")
            return part
        if self.next in _TESTS:
            return self._test()
        return self._comparison()

    def _test(self) -> Condition:
        test = _TESTS[self.take()]
        self.take("(")
        operands = self.read_list(self._operand)
        self.take(")")
        return lambda scope: test(*(operand(scope) for operand in operands))

    def _comparison(self) -> Condition:
        left = self._operand()
        if self.take_if("BETWEEN"):
            low = self._operand()
            self.take("AND")
            high = self._operand()
            return lambda scope: (
                compares("<=", low(scope), left(scope)) and compares("<=", left(scope), high(scope))
            )
        if self.take_if("IN"):
            self.take("(")
            among = self.read_list(self._operand)
            self.take(")")
            return lambda scope: any(compares("=", left(scope), one(scope)) for one in among)
        sign = self.take(*_COMPARATORS)
        right = self._operand()
        return lambda scope: compares(sign, left(scope), right(scope))

    def _operand(self) -> Operand:
        if self.next == "size":
            self.take()
            self.take("(")
            inner = self._operand()
            self.take(")")
            return lambda scope: measure(inner(scope))
        if self.next.startswith(":"):
            name = self.take()
            return lambda scope: scope[2][name]
        path = self.path()
        return lambda scope: find_at(scope[0], resolve_path(path, scope[1]))

    def path(self) -> Path:
        """Read a path: name.name[0].name"""
        steps: list[Step] = [self.take()]
        while self.next in (".", "["):
            if self.take_if("."):
                steps.append(self.take())
            else:
                self.take("[")
                steps.append(int(self.take()))
                self.take("]")
        return tuple(steps)

    # Updates

    def update(self) -> list[tuple[str, Path, Operand | None]]:
        """Read the actions of all clauses: what is done, where, and with which value."""
        actions: list[tuple[str, Path, Operand | None]] = []
        while self.next:
            clause = self.take(*_CLAUSES).upper()
            read = {"SET": self._assignment, "REMOVE": self._removal}.get(clause, self._change)
            actions += [(clause, path, value) for path, value in self.read_list(read)]
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
            first, second = require(left(scope)), require(right(scope))
            by = decimal_of(second) if sign == "+" else -decimal_of(second)
            return to_number(decimal_of(first) + by)

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
        return lambda scope: {"L": [*require(first(scope))["L"], *require(second(scope))["L"]]}


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
        """Take values from the item as it was, and list elements away from the last one on: their
        numbers are those of before."""
        before, names, _ = scope
        item: Item = dict(before)
        values = [value(scope) if value else None for _, _, value in actions]
        removals: list[tuple[Step, ...]] = []
        for (clause, path, _), value in zip(actions, values, strict=True):
            at = resolve_path(path, names)
            if clause == "SET":
                item = put_at(item, at, require(value))
            elif clause == "REMOVE":
                removals.append(at)
            else:
                change = add_to if clause == "ADD" else delete_from
                item = replace_at(item, at, change(find_at(before, at), require(value)))
        for at in sorted(removals, key=_last_index, reverse=True):
            item = remove_at(item, at)
        return item

    return apply


def resolve_path(path: Path, names: Names) -> tuple[Step, ...]:
    """Replace the placeholders of a path."""
    return tuple(names.get(step, step) if isinstance(step, str) else step for step in path)


def _last_index(path: tuple[Step, ...]) -> int:
    return path[-1] if isinstance(path[-1], int) else -1


_TESTS: dict[str, Callable[..., bool]] = {
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "begins_with": begins_with,
    "contains": contains,
}
