"""Allowances: how much of a limit somebody has used."""

from __future__ import annotations

from datetime import datetime
from secrets import token_urlsafe

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.update import Action

from chalicelib.domain.rate_limits import RateLimit
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.failures import is_lost_race
from chalicelib.store.tables import AllowanceRow


class AllowanceTable:
    """The allowances table: a window that begins with its first use, and its uses, a token each.

    They are few: a limit of thousands would need another way.
    """

    def take(self, name: str, limit: RateLimit, now: datetime) -> bool:
        """Use it once more; False where it is used up. One conditional write, and a second one
        where a window begins. A write that the SDK sends twice adds the same token: one use."""
        token, end = token_urlsafe(6), now + limit.window
        use: list[Action] = [AllowanceRow.uses.add({token})]
        mine: Condition = AllowanceRow.uses.contains(token)
        room = size(AllowanceRow.uses) < limit.max_requests
        left = mine | ((AllowanceRow.ends_at > to_epoch_ms(now)) & room)
        if self._write_if(name, use, left):
            return True
        new: list[Action] = [
            AllowanceRow.uses.set({token}),
            AllowanceRow.ends_at.set(to_epoch_ms(end)),
            AllowanceRow.expires.set(int(end.timestamp()) + 1),
        ]
        over = AllowanceRow.ends_at.does_not_exist() | (AllowanceRow.ends_at <= to_epoch_ms(now))
        # The last: another has just begun it.
        return self._write_if(name, new, over | mine) or self._write_if(name, use, left)

    @staticmethod
    def _write_if(name: str, actions: list[Action], condition: Condition) -> bool:
        try:
            AllowanceRow(name).update(actions=actions, condition=condition)
        except UpdateError as error:
            if is_lost_race(error):
                return False
            raise
        return True
