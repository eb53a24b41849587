"""Couriers in memory: duty, claims and positions, as the store has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.fixes import Judgement, Verdict, is_repeat, judge_fixes
from chalicelib.domain.geo import find_cell
from chalicelib.domain.odometer import Odometer
from chalicelib.domain.orders.acceptance import add_answer
from chalicelib.domain.people import Courier, Fix, HeldOrder, LastShown
from chalicelib.errors import NotOnline, RateLimited
from chalicelib.store.courier_index import is_news
from chalicelib.store.courier_positions import MAX_TRACK
from chalicelib.store.courier_rows import make_point
from infra.simulate.stores.bill import TRANSACTED
from infra.simulate.stores.courier_index import CourierRecord, MemoryCourierIndex


class MemoryCouriers(MemoryCourierIndex):
    """Implements services.ports.CourierStore."""

    # Reading

    def get_courier(self, courier_id: str) -> Courier | None:
        """Read a courier; None if never seen."""
        self._bill.charge_read("couriers")
        row = self._rows.get(courier_id)
        return row.courier if row else None

    def get_eventually(self, courier_id: str) -> Courier | None:
        """Read a courier for half the price; None if never seen."""
        self._bill.charge_read("couriers", 1)
        row = self._rows.get(courier_id)
        return row.courier if row else None

    def find_occupied(self, courier_ids: Iterable[str]) -> frozenset[str]:
        """Find those of some couriers who have no room for an order."""
        found = [self._rows[id_].courier for id_ in courier_ids if id_ in self._rows]
        self._bill.charge_read("couriers", 2 * len(found))
        return frozenset(courier.id for courier in found if not courier.has_room)

    # Duty

    def set_available(self, courier_id: str, available: bool, now: datetime) -> Courier:
        """Go on or off duty; return the courier after it."""
        row = self._find_row(courier_id)
        courier = row.courier
        self._bill.charge_read("couriers")
        if courier.available == available and not (available and is_news(courier, now)):
            return courier
        changes: dict[str, object] = {"available": available}
        if available:
            changes["alive_at"] = now
            if not courier.available:
                changes["idle_since"] = now
        self._write(row, replace(courier, **changes), 1, True)
        return row.courier

    def set_vehicle_type(self, courier_id: str, vehicle_type: str | None) -> None:
        """Note what a courier drives."""
        row = self._find_row(courier_id)
        self._write(row, replace(row.courier, vehicle_type=vehicle_type))

    def add_socket(
        self, courier_id: str, connection_id: str, ends_at: datetime | None = None
    ) -> None:
        """Note a live socket: here one is all that a courier ever has."""
        row = self._find_row(courier_id)
        self._write(row, replace(row.courier, connected=True, alive_at=self._clock()))

    def remove_socket(self, courier_id: str, connection_id: str) -> None:
        """Forget the socket."""
        row = self._find_row(courier_id)
        if row.courier.connected:
            self._write(row, replace(row.courier, connected=False, alive_at=self._clock()))

    # Claims

    def can_claim(self, courier_id: str, order_id: int, available_only: bool) -> bool:
        """Say whether an order can occupy a courier, as a part of its transaction, which costs the
        same if not."""
        row = self._rows.get(courier_id)
        self._bill.charge_write("couriers", TRANSACTED)
        if row is None or not row.courier.has_room:
            return False
        return row.courier.available or not available_only

    def claim(self, courier_id: str, order_id: int, asked_at: datetime | None = None) -> None:
        """Let an order occupy a courier. (No customer here has the map open: to post each fix to
        them would take a third of a run, and writes nothing.)"""
        row = self._rows[courier_id]
        if self._max_orders > 1:
            self._bill.charge_read("couriers")
        after = _give_orders(row.courier, (*row.courier.held, HeldOrder(order_id)))
        if self._notes_answers and asked_at:
            after = replace(after, asked_at=asked_at)
        self._write(row, after, 0, None if after.has_room else False)

    def release(
        self,
        courier_id: str,
        order_id: int,
        now: datetime,
        price: int,
        is_taken: bool | None,
    ) -> None:
        """Release a courier from an order, into the index if still on duty, and note their answer;
        nothing is done if the order does not occupy them."""
        row = self._find_row(courier_id)
        self._bill.charge_read("couriers", 1)
        if not row.courier.holds(order_id):
            return
        held = tuple(one for one in row.courier.held if one.order_id != order_id)
        after = _give_orders(row.courier, held)
        if not held:
            after = replace(after, idle_since=now)
        if self._notes_answers and is_taken is not None:
            after = replace(after, answers=add_answer(after.answers, is_taken))
        self._write(row, after, price, after.available)

    def release_courier(self, courier_id: str, order_id: int, now: datetime) -> None:
        """Release a courier from an order that is done. Harmless if it does not occupy them."""
        row = self._find_row(courier_id)
        if row.courier.holds(order_id):
            row.courier = replace(row.courier, alive_at=now)
        self.release(courier_id, order_id, now, 1, True)

    # Positions

    def record_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        min_gap: timedelta | None,
        at_work: bool = False,
    ) -> Courier | None:
        """Store a position; None for an outdated one. Raises RateLimited, NotOnline."""
        row = self._find_row(courier_id)
        if not _accepts_fix(row, fix, now, min_gap, at_work):
            return None
        judged = self._store_fixes(row, [fix], now, min_gap)
        if not judged.kept:  # refused by the boxes of the condition, and read
            self._bill.charge_write("positions")
            self._bill.charge_read("couriers")
        return row.courier

    def record_fixes(
        self, courier_id: str, fixes: Sequence[Fix], now: datetime, min_gap: timedelta | None
    ) -> tuple[Courier | None, list[Verdict]]:
        """Judge and store several fixes of one report; no courier where nothing has moved them.
        Raises RateLimited."""
        row = self._find_row(courier_id)
        self._bill.charge_read("couriers")
        newest = max(fixes, key=lambda fix: fix.at)
        if not _accepts_fix(row, newest, now, min_gap, False):
            return None, judge_fixes(row.trail, fixes).verdicts
        judged = self._store_fixes(row, fixes, now, min_gap)
        return row.courier if judged.kept else None, judged.verdicts

    def _store_fixes(
        self, row: CourierRecord, fixes: Sequence[Fix], now: datetime, min_gap: timedelta | None
    ) -> Judgement:
        judged = judge_fixes(row.trail, fixes)
        row.trail = judged.trail
        if min_gap is not None:
            row.heard_at = now
        if not judged.kept:
            self._note_unmoved(row, max(fixes, key=lambda fix: fix.at), now)
            return judged
        read = row.courier.odometer
        odometer = Odometer(read.counted_m, (*read.track, *map(make_point, judged.kept)))
        if len(odometer.track) >= MAX_TRACK:
            odometer = odometer.fold_track()
            self._bill.charge_write("positions")
        row.is_vague = False
        fix = judged.kept[-1]
        self._move(row, replace(row.courier, fix=fix, fix_received_at=now, odometer=odometer))
        return judged

    def _note_unmoved(self, row: CourierRecord, newest: Fix, now: datetime) -> None:
        """Note a report by which nobody has moved: the last fix again says that they are there."""
        self.note_alive(row.courier, now)
        if is_repeat(row.trail, newest):
            self._move(row, replace(row.courier, fix=newest, fix_received_at=now))
        else:
            self._bill.charge_write("positions")

    def record_doubtful_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        min_gap: timedelta | None,
        at_work: bool,
        good_after: datetime | None,
    ) -> Courier | None:
        """Hear of a position that is vague, or no place: it counts only where none better is known.
        Raises as record_fix."""
        row = self._find_row(courier_id)
        self._bill.charge_read("couriers")
        if not _accepts_fix(row, fix, now, min_gap, at_work):
            return None
        read = row.courier
        self.note_alive(read, now)
        keeps_position = good_after is None or (
            read.fix is not None and not row.is_vague and read.fix.at > good_after
        )
        if min_gap is not None:
            row.heard_at = now
        if keeps_position and min_gap is None:
            return read
        if keeps_position:
            self._bill.charge_write("positions")
            return row.courier
        row.is_vague = True
        row.trail = replace(row.trail, last=None, known_at=fix.at)
        self._move(row, replace(row.courier, fix=fix, fix_received_at=now))
        return row.courier

    def _move(self, row: CourierRecord, after: Courier) -> None:
        """Write a courier's new position: the index is touched only for a free one in a new cell,
        or one who was taken out of it."""
        self._bill.charge_write("positions")
        assert after.fix is not None, "whoever moves is somewhere"
        cell = find_cell(after.fix.point)
        is_indexed = after.is_free
        if cell != row.cell or is_indexed != (row.shard is not None):
            self._place(row, cell, is_indexed, "positions")
        row.courier = (
            after if after.is_indexed == is_indexed else replace(after, is_indexed=is_indexed)
        )
        self._keep_spot(row, "positions")

    def mark_shown(self, courier: Courier, seen: LastShown) -> bool:
        """Note that a courier is shown to the customer; False if another fix came meanwhile."""
        row = self._find_row(courier.id)
        self._bill.charge_write("positions")
        if not row.courier.holds(seen.order_id) or row.courier.fix != courier.fix:
            return False
        row.courier = replace(row.courier, last_shown=seen)  # the track is counted when it is full
        return True


def _give_orders(courier: Courier, held: tuple[HeldOrder, ...]) -> Courier:
    """Return a courier with these orders."""
    return replace(courier, order_id=held[0].order_id if held else None, others=held[1:])


def _accepts_fix(
    row: CourierRecord, fix: Fix, now: datetime, min_gap: timedelta | None, at_work: bool
) -> bool:
    """Say whether a fix may be stored; False for an outdated one. Raises NotOnline, RateLimited."""
    courier = row.courier
    if at_work and not courier.available and courier.order_id is None:
        raise NotOnline("Go online first.")
    if min_gap and row.heard_at is not None and row.heard_at > now - min_gap:
        retry_after_s = min_gap.total_seconds()
        raise RateLimited("One location a second is enough.", retry_after_s=retry_after_s)
    return courier.fix is None or courier.fix.at <= fix.at
