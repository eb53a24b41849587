"""The bill: write and read units as DynamoDB counts them, without sizing each row.

A row of ours is one write unit, as docs/cost.md says and its tests keep: orders, couriers, heads of
mailboxes and all others stay under 1 KB. A write that is a part of a transaction is two. An entry
of an index that comes or goes is one, and one whose key changes two.
"""

from __future__ import annotations

from collections import Counter

TRANSACTED = 2  # times the price


class Bill:
    """Units that were used, by what for."""

    def __init__(self) -> None:
        self.writes: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()

    def charge_write(self, what: str, units: int = 1) -> None:
        """Note write units."""
        self.writes[what] += units

    def charge_read(self, what: str, half_units: int = 2) -> None:
        """Note read units, in halves: an eventually consistent read is one half."""
        self.reads[what] += half_units

    def charge_index(self, what: str, before: object, after: object) -> None:
        """Note what an index is written whose entry was at one key and is at another; None: none"""
        if before != after:
            self.writes[what] += (before is not None) + (after is not None)
