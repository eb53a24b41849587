"""When couriers are searched for an order that is to be picked up by a time. Pure.

An order without such a time has one search, as its flow has it. One with `pickup_by` has up to
three: as it becomes active, half way to the last, and the last; then it is unserved, early enough
for its customer to be told TOLD_BEFORE that time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

TOLD_BEFORE = timedelta(minutes=10)
# The sweep finds an end whose wakeup was lost up to a pass later, and the telling takes a moment.
_MARGIN = timedelta(seconds=30)
MIN_SEARCH = timedelta(minutes=1)  # however short an offer of the flow is


class SearchPlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """The searches of an order that have not begun, by when each is to; the end of them all."""

    ends_at: datetime
    starts: tuple[datetime, ...] = ()

    def drop_started(self, now: datetime) -> SearchPlan:
        """Return the plan with what is to come after now."""
        return SearchPlan(self.ends_at, tuple(at for at in self.starts if at > now))

    @property
    def next_start(self) -> datetime | None:
        """When the next search begins, even if that has just passed: it must not be skipped. None
        where this is the last."""
        return self.starts[0] if self.starts else None

    def has_started_next(self, now: datetime) -> bool:
        """Say whether it is time for the next search."""
        return any(at <= now for at in self.starts)

    @property
    def search_end(self) -> datetime:
        """When a search must end that has begun: where the next begins, or all end."""
        return self.next_start or self.ends_at


class Schedule(msgspec.Struct, frozen=True):
    """What a new order waits for: for the time when it becomes active (None: it is), else for the
    end of its search. A `search_until` of None ends with nobody left to ask."""

    active_at: datetime | None = None
    search_until: datetime | None = None
    plan: SearchPlan | None = None


ONE_PASS = Schedule()


def plan_searches(began_at: datetime, pickup_by: datetime, search_time: timedelta) -> SearchPlan:
    """Plan the searches of an order that became active at `began_at`; the first begins then.

    Each has `search_time` at least: where there is no room for three, there are two, or the first
    alone. That one takes place even where its end comes too late to be told of in time, but never
    past `pickup_by`.
    """
    in_time = pickup_by - TOLD_BEFORE - _MARGIN
    ends_at = min(max(in_time, began_at + search_time), pickup_by)
    last = ends_at - search_time
    if last < began_at + search_time:
        return SearchPlan(ends_at)
    # Whole seconds: an index of milliseconds would list it before it is due.
    half_way = (began_at + (last - began_at) / 2).replace(microsecond=0)
    if half_way < began_at + search_time:
        return SearchPlan(ends_at, (last,))
    return SearchPlan(ends_at, (half_way, last))
