"""Instances of the meal delivery routing problem, in the text format of grubhub/mdrplib.

A folder has four tables, with tabs between the columns and the columns' names in the first line:

 orders.txt               order, x, y (of the door), placement_time, restaurant, ready_time
 couriers.txt             courier, x, y, on_time, off_time
 restaurants.txt          restaurant, x, y
 instance_parameters.txt  meters_per_minute, pickup service minutes, dropoff service minutes

Places are in metres and times in minutes. Travel is by the straight line, at one speed for all.
Other columns are left alone, and so are further files, blank lines, and those that begin with #.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

from infra.simulate.city import draw_share
from infra.simulate.options import Options
from infra.simulate.scenario import PlannedOrder, Scenario, Shift, Spot

_MOST_M = 200_000.0  # from the corner: a city, on the flat
_MOST_MIN = 7 * 24 * 60.0
_MOST_ROWS = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

T = TypeVar("T")


class MalformedInstance(Exception):
    """An instance that can't be read; the message is one line that says which file and line."""


class _Row:
    """One line of a table. Each reading names the file and the line where it fails."""

    def __init__(self, path: Path, line: int, cells: dict[str, str]) -> None:
        self._path = path
        self._line = line
        self._cells = cells

    def fail(self, problem: str) -> MalformedInstance:
        """Make the error of this line."""
        return MalformedInstance(f"{self._path}:{self._line}: {problem}")

    def read_text(self, column: str) -> str:
        """Read a name. Raises MalformedInstance."""
        text = self._cells[column]
        if not _NAME.fullmatch(text):
            problem = "takes a name of 1 to 64 letters, digits, dots, _ and -"
            raise self.fail(f"{column} {problem}, not {text[:80]!r}")
        return text

    def read_number(self, column: str, least: float, most: float) -> float:
        """Read a number within its limits. Raises MalformedInstance."""
        text = self._cells[column]
        try:
            value = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            value = math.nan  # within no limits
        if not least <= value <= most:
            raise self.fail(
                f"{column} takes a number from {least:g} to {most:g}, not {text[:80]!r}"
            )
        return value

    def read_spot(self) -> Spot:
        """Read a place. Raises MalformedInstance."""
        return self.read_number("x", -_MOST_M, _MOST_M), self.read_number("y", -_MOST_M, _MOST_M)

    def read_seconds(self, column: str) -> float:
        """Read a time in minutes. Raises MalformedInstance."""
        return 60 * self.read_number(column, 0, _MOST_MIN)


def read_instance(folder: Path, options: Options) -> Scenario:
    """Read an instance. Which offers couriers take is drawn by the options, as the format does not
    say. Raises MalformedInstance."""
    restaurants = _read_named(folder / "restaurants.txt", ("restaurant", "x", "y"), _Row.read_spot)
    speed_m_s, pickup_s, dropoff_s = _read_parameters(folder / "instance_parameters.txt")
    random = Random(f"instance {options.seed}")

    def read_shift(row: _Row) -> Shift:
        on_s, off_s = row.read_seconds("on_time"), row.read_seconds("off_time")
        if off_s <= on_s:
            raise row.fail("off_time must come after on_time")
        declines = draw_share(random, options.decline)
        ignores = draw_share(random, options.ignore)
        id_ = row.read_text("courier")
        return Shift(id_, on_s, off_s, row.read_spot(), speed_m_s, "scooter", declines, ignores)

    def read_order(row: _Row) -> PlannedOrder:
        placed_s, ready_s = row.read_seconds("placement_time"), row.read_seconds("ready_time")
        if ready_s < placed_s:
            raise row.fail("ready_time must not come before placement_time")
        restaurant = row.read_text("restaurant")
        if restaurant not in restaurants:
            raise row.fail(f"there is no restaurant {restaurant!r}")
        pickup, dropoff = restaurants[restaurant], row.read_spot()
        return PlannedOrder(row.read_text("order"), placed_s, ready_s, pickup, dropoff)

    shifts = _read_named(
        folder / "couriers.txt", ("courier", "x", "y", "on_time", "off_time"), read_shift
    )
    columns = ("order", "x", "y", "placement_time", "restaurant", "ready_time")
    orders = _read_named(folder / "orders.txt", columns, read_order)
    return Scenario(
        name=folder.name,
        orders=tuple(sorted(orders.values(), key=lambda order: order.placed_s)),
        shifts=tuple(shifts.values()),
        pickup_service_s=pickup_s,
        dropoff_service_s=dropoff_s,
    )


def _read_parameters(path: Path) -> tuple[float, float, float]:
    """Read metres a second, and the seconds of service at a restaurant and at a door."""
    columns = ("meters_per_minute", "pickup_service_minutes", "dropoff_service_minutes")
    rows = _read_rows(path, columns)
    if len(rows) != 1:
        raise MalformedInstance(f"{path}:1: one line of parameters is needed, not {len(rows)}")
    metres = rows[0].read_number("meters_per_minute", 1, 100_000)
    return metres / 60, rows[0].read_seconds(columns[1]), rows[0].read_seconds(columns[2])


def _read_named(path: Path, columns: tuple[str, ...], read: Callable[[_Row], T]) -> dict[str, T]:
    """Read a table by its first column, whose names must differ. Raises MalformedInstance."""
    found: dict[str, T] = {}
    for row in _read_rows(path, columns):
        name = row.read_text(columns[0])
        if name in found:
            raise row.fail(f"{columns[0]} {name!r} is there twice")
        found[name] = read(row)
    return found


def _read_rows(path: Path, columns: tuple[str, ...]) -> list[_Row]:
    """Read the lines of a table. Raises MalformedInstance."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        number = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise MalformedInstance(f"{path}:{number}: this is no UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise MalformedInstance(f"{path}: can't be read: {reason}") from None
    written = [(n, line) for n, line in enumerate(lines, start=1) if _is_written(line)]
    first, header = written[0] if written else (1, "")
    names = [_normalize(name) for name in header.split("\t")]
    missing = [column for column in columns if names.count(column) != 1]
    if missing:
        problem = f"the columns {', '.join(missing)} must be there once"
        raise MalformedInstance(f"{path}:{first}: {problem}")
    rows = []
    for number, line in written[1:]:
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(names):
            raise MalformedInstance(
                f"{path}:{number}: {len(cells)} columns, and line {first} has {len(names)}"
            )
        rows.append(_Row(path, number, dict(zip(names, cells, strict=True))))
    if len(rows) > _MOST_ROWS:
        raise MalformedInstance(f"{path}: more than {_MOST_ROWS} lines")
    return rows


def _is_written(line: str) -> bool:
    """Say whether a line is of the table: neither blank nor a comment."""
    return bool(line.strip()) and not line.startswith("#")


def _normalize(name: str) -> str:
    """Write a column's name in one way: some have spaces, and some underscores."""
    return "_".join(name.strip().lower().replace("-", " ").split())
