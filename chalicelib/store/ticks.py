"""How far the ticks have got that keep the board up to date: one row, made by the first look; and
one with what they counted of couriers."""

from __future__ import annotations

from secrets import token_urlsafe

from msgspec.structs import replace
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from chalicelib.domain.ops.duty import DutyHours
from chalicelib.domain.ops.ticks import TickState
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import save_if
from chalicelib.store.tables import TickRow

_BOARD, _DUTY = "all", "duty"


class TickTable:
    """The ticks table."""

    def get_state(self) -> TickState | None:
        """Read the state, strongly consistent; None where nobody has ever watched."""
        try:
            row = TickRow.get(_BOARD, consistent_read=True)
        except DoesNotExist:
            return None
        return unpack(row.doc, TickState)

    def save_state(self, before: TickState | None, after: TickState) -> TickState:
        """Write `after` if the row is still `before` (None: if there is none); sent twice, it finds
        itself done. Raises Stale."""
        written = replace(after, version=before.version + 1 if before else 1)
        row = TickRow(_BOARD, doc=pack(written), version=written.version, commit=token_urlsafe(6))
        unchanged: Condition = (
            TickRow.version == before.version if before else TickRow.version.does_not_exist()
        )
        save_if(row, unchanged | (TickRow.commit == row.commit))
        return written

    def get_duty(self) -> DutyHours:
        """Read how many couriers were idle by the hour, a moment behind."""
        try:
            row = TickRow.get(_DUTY)
        except DoesNotExist:
            return DutyHours()
        return unpack(row.doc, DutyHours)

    def save_duty(self, before: DutyHours, after: DutyHours) -> None:
        """Write what was counted if the row is still `before`. Raises Stale."""
        written = replace(after, version=before.version + 1)
        row = TickRow(_DUTY, doc=pack(written), version=written.version, commit=token_urlsafe(6))
        unchanged: Condition = (
            TickRow.version == before.version
            if before.version
            else TickRow.version.does_not_exist()
        )
        save_if(row, unchanged | (TickRow.commit == row.commit))
