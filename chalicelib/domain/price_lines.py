"""The lines of a price, in minor units: whatever adds to what a customer pays adds a line."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

ITEMS = "items"  # what was bought
BASE, DISTANCE, TIME = "base", "distance", "time"  # by a tariff
FARE = "fare"  # of a trip that was not quoted
WAITING_FEE = "waiting"
# What ends otherwise than by a delivery:
CANCELLATION_FEE, NO_SHOW_FEE, RETURN_FEE = "cancellation_fee", "no_show_fee", "return_fee"
TIP = "tip"


class PriceLine(msgspec.Struct, frozen=True, array_like=True):
    """One line of a price: what it is for, in a word that clients see, and minor units."""

    kind: str
    amount_minor: int


def sum_minor(lines: Iterable[PriceLine]) -> int:
    """Sum up lines, in minor units."""
    return sum(line.amount_minor for line in lines)
