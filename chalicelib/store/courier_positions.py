"""Where couriers are: their fixes, the way that these add up to, and when they were last shown.

A fix is one write, and no read, in the common case: its condition checks the pace, duty, that no
newer fix is known, and that it is no jump; what it returns is all that the callers need. Only a
refused one is read for the reason: one that may be a jump is judged then (domain/fixes.py). Several
fixes at once are a read and one write. Each report has a token of its own, so that a write whose
answer got lost, and which the SDK sends again, finds itself: its points are in the track once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_urlsafe

from msgspec.structs import replace
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.fixes import Judgement, Verdict, judge_fixes
from chalicelib.domain.odometer import Odometer
from chalicelib.domain.people import Courier, Fix, HeldOrder, LastShown
from chalicelib.errors import Stale
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.conditional import try_update, update_if
from chalicelib.store.courier_index import CourierIndex, make_index_condition
from chalicelib.store.courier_rows import (
    encode_held,
    encode_json,
    encode_odometer,
    equals,
    find_row,
    make_doubts_action,
    make_odometer_actions,
    make_point,
    read_trail,
)
from chalicelib.store.fix_reports import (
    Report,
    is_outdated,
    knows_better,
    make_fix_actions,
    make_fix_condition,
    make_no_jump_condition,
    make_position_actions,
    make_report_condition,
    make_unmoved_actions,
)
from chalicelib.store.tables import CourierRow

# Fixes noted before they are added up: more than come between two moments at which a courier is
# shown (domain/orders/progress.py), and few enough for the row to stay under 1 KB, one write unit.
MAX_TRACK = 36


class CourierPositions(CourierIndex):
    """The positions of couriers, and the index that they move in."""

    def record_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        min_gap: timedelta | None,
        at_work: bool = False,
    ) -> Courier | None:
        """Store a position and note the way that was made: one write, which touches an index only
        for a free courier in a new cell; and one more for a free one who has come far. (One who was
        taken out of the index is put back first.)

        Returns the courier after it, or None for a fix older than the one known. Raises
        RateLimited if the last one is less than `min_gap` ago, NotOnline if `at_work` and they are
        neither available nor have an order.
        """
        report = Report(fix, now, min_gap, at_work, token_urlsafe(6))
        return self._retries.retry_while_stale(lambda: self._store_fix(courier_id, report))

    def _store_fix(self, courier_id: str, report: Report) -> Courier | None:
        """Store a good fix, or return None for an outdated one. Raises Stale, too, to be tried once
        more: after whoever was not in the index has been put back, or after a lost race."""
        row = CourierRow(courier_id)
        condition = make_fix_condition(report) & make_index_condition(self._max_orders)
        condition &= make_no_jump_condition(report.fix)
        if try_update(row, make_fix_actions(report), condition):
            return self._finish_fix(row)
        found = find_row(courier_id) or CourierRow(courier_id)
        if found.fix_token == report.token:
            return self._finish_fix(found)  # sent twice, and stored the first time
        if is_outdated(found, report):
            return None
        self._require_index(found)
        return self._store_judged(found, judge_fixes(read_trail(found), [report.fix]), report)

    def record_fixes(
        self, courier_id: str, fixes: Sequence[Fix], now: datetime, min_gap: timedelta | None
    ) -> tuple[Courier | None, list[Verdict]]:
        """Judge good fixes of one report and store them by one write: the newest that is kept is
        the position, the others are way that was made.

        Returns the courier after it, None if nothing has moved them, and a verdict of each fix.
        Raises RateLimited as record_fix.
        """
        newest = max(fixes, key=lambda fix: fix.at)
        report = Report(newest, now, min_gap, at_work=False, token=token_urlsafe(6))
        judged: list[Judgement] = []

        def store_fixes() -> Courier | None:
            row = find_row(courier_id) or CourierRow(courier_id)
            if judged and row.fix_token == report.token:  # sent twice, and stored as it was judged
                return self._finish_fix(row) if judged[-1].kept else None
            outdated = is_outdated(row, report)
            judged.append(judge_fixes(read_trail(row), fixes))
            if outdated:
                return None
            self._require_index(row)
            courier = self._store_judged(row, judged[-1], report)
            return courier if judged[-1].kept else None

        courier = self._retries.retry_while_stale(store_fixes)
        return courier, judged[-1].verdicts

    def _store_judged(self, row: CourierRow, judged: Judgement, report: Report) -> Courier:
        """Store what was judged by a row, if no other fix came since it was read. Raises Stale.

        The metres and the track are written together, from one reading: if somebody else has
        counted the way meanwhile, that is undone and no way is counted twice. Returns the courier
        with the whole track: who is told of them may look for a stop on it, which is not kept.
        """
        odometer: Odometer | None = None
        actions = [CourierRow.fix_token.set(report.token), make_doubts_action(judged.trail.doubts)]
        if judged.kept:
            read = self._decode_row(row).odometer
            odometer = Odometer(read.counted_m, (*read.track, *map(make_point, judged.kept)))
            is_full = len(odometer.track) >= MAX_TRACK
            actions += encode_odometer(odometer.fold_track() if is_full else odometer)
            actions += make_position_actions(report, judged.kept[-1])
            actions.append(CourierRow.vague.remove())
        else:
            # Wherever they are, they are there.
            self.note_alive(self._decode_row(row), report.now)
            actions += make_unmoved_actions(report, judged.trail)
        written = CourierRow(row.courier_id)
        is_same = equals(CourierRow.fix_token, row.fix_token) & equals(CourierRow.fix, row.fix)
        condition = is_same & make_report_condition(report) & make_index_condition(self._max_orders)
        update_if(written, actions, condition)
        courier = self._finish_fix(written)
        return replace(courier, odometer=odometer) if odometer else courier

    def _require_index(self, row: CourierRow) -> None:
        """Put a free courier who lacks in the index back into it. Raises Stale if so: their row is
        another then."""
        courier = self._decode_row(row)
        if courier.is_free and not courier.is_indexed:
            self._put_back_in_index(courier.id)
            raise Stale

    def record_doubtful_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        min_gap: timedelta | None,
        at_work: bool,
        good_after: datetime | None,
    ) -> Courier | None:
        """Hear of a position that is vague, or no place (`good_after` None), as record_fix does.

        It becomes the courier's position only where none is known, or none but vague ones and good
        ones of `good_after` and before; no place never does. It adds nothing to the way.
        """
        report = Report(fix, now, min_gap, at_work, token_urlsafe(6))
        return self._retries.retry_while_stale(
            lambda: self._store_doubtful_fix(courier_id, report, good_after)
        )

    def _store_doubtful_fix(
        self, courier_id: str, report: Report, good_after: datetime | None
    ) -> Courier | None:
        """Store a doubtful fix, or the sign of life alone. Raises as record_fix does, and Stale."""
        row = find_row(courier_id) or CourierRow(courier_id)
        if row.fix_token == report.token:
            return self._decode_row(row)  # sent twice, and stored the first time
        if is_outdated(row, report):
            return None
        self.note_alive(self._decode_row(row), report.now)  # wherever they are, they are there
        keeps_position = good_after is None or knows_better(row, good_after)
        if keeps_position and report.min_gap is None:
            return self._decode_row(row)
        actions: list[Action] = [CourierRow.heard_at.set(to_epoch_ms(report.now))]
        if not keeps_position:
            actions = [*make_position_actions(report, report.fix), CourierRow.vague.set(True)]
        written = CourierRow(courier_id)
        actions.append(CourierRow.fix_token.set(report.token))
        is_same_fix = equals(CourierRow.fix, row.fix)
        update_if(written, actions, is_same_fix & make_fix_condition(report))
        if not keeps_position:
            self._keep_spot(written)
        return self._decode_row(written)

    def _finish_fix(self, row: CourierRow) -> Courier:
        """Return the courier of a fix just written, keep them where they are in the index, and
        count the way if the fix has filled the track. (On a trip mark_shown has mostly done that
        before.) A next fix that is quicker finds the track full as well, and counts it."""
        courier = self._decode_row(row)
        self._keep_spot(row)
        if len(courier.odometer.track) >= MAX_TRACK:
            is_same_fix = CourierRow.fix == row.fix
            try_update(CourierRow(courier.id), make_odometer_actions(courier), is_same_fix)
        return courier

    def mark_shown(self, courier: Courier, shown: LastShown) -> bool:
        """Note that a courier is shown to the customer, and count the way since; False if another
        fix came, or another has shown them. Sent twice, it finds what it noted."""
        assert courier.fix is not None, "only a courier with a position can be shown"
        fix, marked = encode_json(courier.fix), encode_json(shown)
        is_held: Condition = CourierRow.order_id == shown.order_id
        if courier.others:
            held = encode_held(HeldOrder(shown.order_id, courier.visible_to))
            is_held |= CourierRow.others.contains(held)
        is_unchanged = (
            equals(CourierRow.seen, encode_json(courier.last_shown) if courier.last_shown else None)
            & is_held
            & (CourierRow.fix == fix)
        )
        actions = [CourierRow.seen.set(marked), *make_odometer_actions(courier)]
        if try_update(CourierRow(courier.id), actions, is_unchanged):
            return True
        found = find_row(courier.id)
        return found is not None and (found.seen, found.fix) == (marked, fix)
