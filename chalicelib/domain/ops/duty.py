"""How many of the couriers on duty had nothing to do, by the hour.

Nothing else remembers it: who comes on duty, or has no order any more, leaves no trace. So it is
counted once a minute while the board is read anyway, for somebody who watches; of an hour in which
nobody did nothing is known. One row has all of it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from chalicelib.domain.ops.hours import MAX_HOURS, find_hour

_MINUTE_S = 60


class DutyCount(msgspec.Struct, frozen=True, array_like=True):
    """Couriers on duty, and those of them who were idle, of all counts of an hour together."""

    couriers: int = 0
    idle: int = 0


class DutyHours(msgspec.Struct, frozen=True, omit_defaults=True):
    """The counts, by the number of the hour since 1970."""

    hours: dict[int, DutyCount] = {}
    version: int = 0

    def get_count(self, hour: int) -> DutyCount:
        """Return what was counted in an hour."""
        return self.hours.get(hour, DutyCount())

    def add_count(self, at: datetime, couriers: int, idle: int) -> DutyHours:
        """Add one count; hours that are too old to be asked for are dropped."""
        hour = find_hour(int(at.timestamp() * 1000))
        before = self.get_count(hour)
        kept = {number: one for number, one in self.hours.items() if number > hour - MAX_HOURS}
        kept[hour] = DutyCount(before.couriers + couriers, before.idle + idle)
        return replace(self, hours=kept)


def is_count_due(last: datetime | None, now: datetime) -> bool:
    """Say whether couriers are to be counted at a reading, after one at `last`: in each minute at
    one. All processes find the same."""
    return last is None or last.timestamp() // _MINUTE_S != now.timestamp() // _MINUTE_S
