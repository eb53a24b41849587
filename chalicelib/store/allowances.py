"""Allowances: how much of a rate limit somebody has used."""

from __future__ import annotations

from datetime import datetime
from secrets import token_urlsafe

from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.update import Action

from chalicelib.domain.rate_limits import RateLimit
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.conditional import try_update
from chalicelib.store.tables import AllowanceRow


class AllowanceTable:
    """Counts uses in the allowances table: a window begins with its first use, and the row keeps a
    token of each use in it. A limit of thousands would make the row too large to keep tokens."""

    def try_use(self, name: str, limit: RateLimit, now: datetime) -> bool:
        """Use an allowance once; return False where it is used up.

        It takes one conditional write, and a second one where a window begins. The token makes a
        write that the SDK sends twice one use: it is in the set already.
        """
        token = token_urlsafe(6)
        is_mine: Condition = AllowanceRow.uses.contains(token)
        is_open: Condition = AllowanceRow.ends_at > to_epoch_ms(now)
        has_left: Condition = size(AllowanceRow.uses) < limit.max_requests
        use: list[Action] = [AllowanceRow.uses.add({token})]
        if try_update(AllowanceRow(name), use, is_mine | (is_open & has_left)):
            return True

        ended = AllowanceRow.ends_at.does_not_exist() | (AllowanceRow.ends_at <= to_epoch_ms(now))
        if try_update(AllowanceRow(name), _begin_window(token, limit, now), ended | is_mine):
            return True
        # Either the window is open and used up, or another has begun a new one since the first try.
        return try_update(AllowanceRow(name), use, is_mine | (is_open & has_left))


def _begin_window(token: str, limit: RateLimit, now: datetime) -> list[Action]:
    """Make the actions that replace an ended window by a new one with its first use."""
    end = now + limit.window
    return [
        AllowanceRow.uses.set({token}),
        AllowanceRow.ends_at.set(to_epoch_ms(end)),
        AllowanceRow.expires.set(int(end.timestamp()) + 1),
    ]
