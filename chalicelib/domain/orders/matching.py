"""Match orders and couriers all at once, by the least cost. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

_UNMATCHED = 1e6  # more than all costs of a window: as many are matched as can be


def match_cheapest(costs: Sequence[Sequence[float | None]]) -> list[int | None]:
    """Match rows to columns, one to one: as many as can be, and of all such ways the cheapest.

    `costs` has a row of numbers, one a column; None where the two do not fit. Returns each row's
    column, None where it gets none. Rows are added one by one, each by the shortest augmenting path
    through those before it: n rows and m columns take some n² (n + m) steps.
    """
    matching = _Matching(costs)
    for row in range(len(costs)):
        matching.add_row(row)
    return matching.list_columns()


class _Matching:
    """Rows that are matched so far, and prices by which no other matching of them is cheaper: a
    pair costs at least the prices of its row and column, and exactly those where it is matched.

    Beside the columns of `costs` there is one for each row that gets none, and a last one from
    which a path begins.
    """

    def __init__(self, costs: Sequence[Sequence[float | None]]) -> None:
        self._costs = costs
        self._columns = len(costs[0]) if costs else 0
        self._width = self._columns + len(costs)
        self._row_price = [0.0] * len(costs)
        self._column_price = [0.0] * (self._width + 1)
        self._row_of: list[int | None] = [None] * (self._width + 1)

    def add_row(self, row: int) -> None:
        """Match one more row: along the cheapest path to a column that is left, each row on it
        takes the next column."""
        self._row_of[self._width] = row
        at, came_from = self._find_path()
        while at != self._width:
            self._row_of[at] = self._row_of[came_from[at]]
            at = came_from[at]

    def _find_path(self) -> tuple[int, list[int]]:
        """Find the cheapest path from the last column to one that no row has; return its end, and
        from where it came to each column. Changes the prices."""
        at, seen = self._width, set[int]()
        least, came_from = [inf] * self._width, [self._width] * self._width
        while (row := self._row_of[at]) is not None:
            seen.add(at)
            for column in range(self._width):
                reduced = self._get_cost(row, column) - self._column_price[column]
                reduced -= self._row_price[row]
                if column not in seen and reduced < least[column]:
                    least[column], came_from[column] = reduced, at
            left = [column for column in range(self._width) if column not in seen]
            at = min(left, key=least.__getitem__)
            step = least[at]
            for column in left:
                least[column] -= step
            self._raise_prices(seen, step)
        return at, came_from

    def _raise_prices(self, seen: set[int], step: float) -> None:
        for column in seen:
            self._column_price[column] -= step
            row = self._row_of[column]
            if row is not None:
                self._row_price[row] += step

    def _get_cost(self, row: int, column: int) -> float:
        if column >= self._columns:
            return _UNMATCHED if column - self._columns == row else inf
        cost = self._costs[row][column]
        return inf if cost is None else cost

    def list_columns(self) -> list[int | None]:
        """List each row's column; None where it has none of those of `costs`."""
        found: list[int | None] = [None] * len(self._costs)
        for column in range(self._columns):
            row = self._row_of[column]
            if row is not None:
                found[row] = column
        return found
