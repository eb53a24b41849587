"""What DynamoDB charges, by its published rules: sizes of items, and units from sizes.

Engines on a laptop report true write units at best; what they report for reads is a constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any

Value = Mapping[str, Any]
"""An attribute value as the API has it: {"S": "text"}, {"N": "1"}, …"""

READ_UNIT_BYTES = 4096
WRITE_UNIT_BYTES = 1024


def item_bytes(item: Mapping[str, Value]) -> int:
    """Add up the size of an item: its attributes' names and values."""
    return sum(_text(name) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Value) -> int:
    """Size one attribute's value."""
    ((kind, content),) = value.items()
    if kind == "S":
        return _text(content)
    if kind == "N":
        return _number(content)
    if kind == "B":
        return len(content)
    if kind in ("SS", "NS", "BS"):
        return sum(value_bytes({kind[0]: one}) for one in content)
    if kind == "L":
        return 3 + sum(1 + value_bytes(one) for one in content)
    if kind == "M":
        return 3 + sum(1 + _text(name) + value_bytes(one) for name, one in content.items())
    return 1  # BOOL, NULL


def read_units(sizes: Iterable[int], *, consistent: bool, together: bool = False) -> float:
    """Price the reading of items of these sizes: each rounded up to 4 KB, or `together`, as a query
    does. Half of it where the read is only eventually consistent. Nothing found costs one unit."""
    sizes = list(sizes)
    found = [sum(sizes)] if together else sizes or [0]
    units = sum(max(1, ceil(size / READ_UNIT_BYTES)) for size in found)
    return float(units) if consistent else units / 2


def write_units(size: int) -> int:
    """Price one write of an item of that size."""
    return max(1, ceil(size / WRITE_UNIT_BYTES))


def _text(text: str) -> int:
    return len(text.encode())


def _number(digits: str) -> int:
    """Size a number: a byte for two significant digits, one more, and one for a minus."""
    significant = digits.lstrip("-").replace(".", "").strip("0")
    return ceil(len(significant) / 2) + 1 + digits.startswith("-")
