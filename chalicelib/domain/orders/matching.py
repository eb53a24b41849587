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
    if not costs:
        return []
    rows, columns = len(costs), len(costs[0])
    # A column of its own stands for each row that gets none.
    width = columns + rows
    row_price, column_price = [0.0] * rows, [0.0] * (width + 1)
    row_of: list[int | None] = [None] * (width + 1)  # the last column is where a new row comes in

    def get_cost(row: int, column: int) -> float:
        if column >= columns:
            return _UNMATCHED if column - columns == row else inf
        cost = costs[row][column]
        return inf if cost is None else cost

    for new in range(rows):
        row_of[width] = new
        at = width
        least, came_from, seen = [inf] * width, [width] * width, [False] * (width + 1)
        while (row := row_of[at]) is not None:
            seen[at] = True
            for column in range(width):
                reduced = get_cost(row, column) - row_price[row] - column_price[column]
                if not seen[column] and reduced < least[column]:
                    least[column], came_from[column] = reduced, at
            at = min((c for c in range(width) if not seen[c]), key=least.__getitem__)
            step = least[at]
            for column in range(width + 1):
                if seen[column]:
                    row_price[row_of[column] or 0] += step
                    column_price[column] -= step
                elif column < width:
                    least[column] -= step
        while at != width:  # back along the path, each row takes the next column
            row_of[at] = row_of[came_from[at]]
            at = came_from[at]
    found: list[int | None] = [None] * rows
    for column in range(columns):
        if (taker := row_of[column]) is not None:
            found[taker] = column
    return found
