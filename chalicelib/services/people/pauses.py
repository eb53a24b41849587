"""Pausing couriers: they stay on duty, with the order that they have, and are asked for no other.

Only a dispatcher's word ends a pause, neither going off duty nor time. What was done with a courier
by hand is their history, whose newest rows are read first.
"""

from __future__ import annotations

from chalicelib.domain.courier_changes import (
    PAUSE,
    RESUME,
    ChangePage,
    ChangePosition,
    CourierChange,
    make_change,
)
from chalicelib.domain.ids import MAX_ID, IdSource
from chalicelib.domain.people import Actor, Courier
from chalicelib.errors import NotFound
from chalicelib.services.ports import Clock, CourierHistoryStore, CourierStore


class CourierPauses:
    """Pauses and resumes couriers, and shows what was done with them by hand."""

    def __init__(
        self, couriers: CourierStore, histories: CourierHistoryStore, ids: IdSource, clock: Clock
    ) -> None:
        self._couriers = couriers
        self._histories = histories
        self._ids = ids
        self._clock = clock

    def pause_courier(
        self, actor: Actor, courier_id: str, code: str | None = None, note: str | None = None
    ) -> Courier:
        """Pause a courier; one who is paused stays so, with no row more. Raises NotFound."""
        return self._set_paused(actor, courier_id, PAUSE, code, note)

    def resume_courier(
        self, actor: Actor, courier_id: str, code: str | None = None, note: str | None = None
    ) -> Courier:
        """Let a courier be asked again; one who is not paused stays so. Raises NotFound."""
        return self._set_paused(actor, courier_id, RESUME, code, note)

    def _set_paused(
        self, actor: Actor, courier_id: str, step: str, code: str | None, note: str | None
    ) -> Courier:
        def make() -> CourierChange:
            return make_change(self._ids(), courier_id, step, actor, self._clock(), code, note)

        return self._histories.set_paused(courier_id, step == PAUSE, make)

    def list_changes(
        self, courier_id: str, limit: int, position: ChangePosition | None = None
    ) -> ChangePage:
        """List a page of what was done with a courier by hand, the newest first. Raises NotFound
        for who was never seen."""
        below = position.below if position else MAX_ID + 1
        found = self._histories.list_changes(courier_id, limit + 1, below, self._clock())
        if not found and position is None and self._couriers.get_eventually(courier_id) is None:
            raise NotFound("There is no such courier.")
        page = found[:limit]
        more = len(found) > limit
        return ChangePage(page, ChangePosition(page[-1].id) if more else None)
