"""Allowances: how much of a limit somebody has used."""

from __future__ import annotations

from datetime import datetime

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.limits import Limit
from chalicelib.store.clock import ms
from chalicelib.store.failures import lost_race
from chalicelib.store.tables import AllowanceRow


class Allowances:
    """The allowances table: a window that begins with its first use, and how much was used."""

    def take(self, name: str, limit: Limit, now: datetime) -> bool:
        """Use it once more; False where it is used up. One conditional write, and a second one
        where a window begins."""
        end = now + limit.within
        running = AllowanceRow.ends_at > ms(now)
        left = running & (AllowanceRow.used < limit.most)
        if self._write(name, [AllowanceRow.used.add(1)], left):
            return True
        new: list[Action] = [
            AllowanceRow.used.set(1),
            AllowanceRow.ends_at.set(ms(end)),
            AllowanceRow.expires.set(int(end.timestamp()) + 1),
        ]
        over = AllowanceRow.ends_at.does_not_exist() | (AllowanceRow.ends_at <= ms(now))
        return self._write(name, new, over) or self._write(
            name, [AllowanceRow.used.add(1)], left
        )  # the last: another has just begun it

    @staticmethod
    def _write(name: str, actions: list[Action], condition: Condition) -> bool:
        try:
            AllowanceRow(name).update(actions=actions, condition=condition)
        except UpdateError as error:
            if lost_race(error):
                return False
            raise
        return True
