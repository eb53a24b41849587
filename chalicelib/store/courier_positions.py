"""Where couriers are: their fixes, the way that these add up to, and when they were last shown.

A fix is one write, and no read, in the common case: its condition checks the pace, duty, and that
no newer fix is known; what it returns is all that the callers need. Only a refused one is read for
the reason. Each fix has a token of its own, so that a write whose answer got lost, and which the
SDK sends again, finds itself: its point is in the track once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import NamedTuple

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.geo import find_cell
from chalicelib.domain.odometer import TrackPoint
from chalicelib.domain.people import Courier, Fix, HeldOrder, LastShown
from chalicelib.errors import NotOnline, RateLimited, Stale
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.conditional import try_update, update_if
from chalicelib.store.courier_index import CourierIndex, make_index_condition
from chalicelib.store.courier_rows import (
    encode_held,
    encode_json,
    equals,
    find_row,
    make_odometer_actions,
    pack_point,
)
from chalicelib.store.tables import CourierRow

# Fixes noted before they are added up: more than come between two moments at which a courier is
# shown (domain/orders/progress.py), and few enough for the row to stay under 1 KB, one write unit.
_MAX_TRACK = 36


class _Report(NamedTuple):
    """A fix as it came in. `min_gap` is the least time between two fixes, None for one that comes
    with another message; `at_work` takes it only of one who is available or has an order."""

    fix: Fix
    now: datetime
    min_gap: timedelta | None
    at_work: bool
    token: str


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
        report = _Report(fix, now, min_gap, at_work, token_urlsafe(6))
        return self._retries.retry_while_stale(lambda: self._store_fix(courier_id, report))

    def _store_fix(self, courier_id: str, report: _Report) -> Courier | None:
        """Store a good fix, or return None for an outdated one. Raises Stale, too, to be tried once
        more: after whoever was not in the index has been put back, or after a lost race."""
        row = CourierRow(courier_id)
        condition = _make_fix_condition(report) & make_index_condition(self._max_orders)
        if try_update(row, _make_fix_actions(report), condition):
            return self._finish_fix(row)
        found = find_row(courier_id) or CourierRow(courier_id)
        if found.fix_token == report.token:
            return self._finish_fix(found)  # sent twice, and stored the first time
        if _is_outdated(found, report):
            return None
        self._put_back_in_index(courier_id)
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
        report = _Report(fix, now, min_gap, at_work, token_urlsafe(6))
        return self._retries.retry_while_stale(
            lambda: self._store_doubtful_fix(courier_id, report, good_after)
        )

    def _store_doubtful_fix(
        self, courier_id: str, report: _Report, good_after: datetime | None
    ) -> Courier | None:
        """Store a doubtful fix, or the sign of life alone. Raises as record_fix does, and Stale."""
        row = find_row(courier_id) or CourierRow(courier_id)
        if row.fix_token == report.token:
            return self._decode_row(row)  # sent twice, and stored the first time
        if _is_outdated(row, report):
            return None
        self.note_alive(self._decode_row(row), report.now)  # wherever they are, they are there
        keeps_position = good_after is None or _knows_better(row, good_after)
        if keeps_position and report.min_gap is None:
            return self._decode_row(row)
        actions: list[Action] = [CourierRow.heard_at.set(to_epoch_ms(report.now))]
        if not keeps_position:
            actions = [*_make_position_actions(report), CourierRow.vague.set(True)]
        written = CourierRow(courier_id)
        actions.append(CourierRow.fix_token.set(report.token))
        is_same_fix = equals(CourierRow.fix, row.fix)
        update_if(written, actions, is_same_fix & _make_fix_condition(report))
        if not keeps_position:
            self._keep_spot(written)
        return self._decode_row(written)

    def _finish_fix(self, row: CourierRow) -> Courier:
        """Return the courier of a fix just written, keep them where they are in the index, and
        count the way if the fix has filled the track. (On a trip mark_shown has mostly done that
        before.) A next fix that is quicker finds the track full as well, and counts it."""
        courier = self._decode_row(row)
        self._keep_spot(row)
        if len(courier.odometer.track) >= _MAX_TRACK:
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


def _make_fix_actions(report: _Report) -> list[Action]:
    fix = report.fix
    point = TrackPoint(fix.point, max(0, int(fix.at.timestamp())))
    return [
        *_make_position_actions(report),
        CourierRow.fix_token.set(report.token),
        CourierRow.vague.remove(),
        CourierRow.track.set((CourierRow.track | []).append([pack_point(point)])),
    ]


def _make_position_actions(report: _Report) -> list[Action]:
    """List what a fix writes that becomes the courier's position. One with a `min_gap` counts for
    the pace."""
    fix, now_ms = report.fix, to_epoch_ms(report.now)
    return [
        CourierRow.fix.set(encode_json(fix)),
        CourierRow.fix_at.set(to_epoch_ms(fix.at)),
        CourierRow.cell.set(find_cell(fix.point)),
        CourierRow.fix_came_at.set(now_ms),
        *([CourierRow.heard_at.set(now_ms)] if report.min_gap is not None else []),
    ]


def _make_fix_condition(report: _Report) -> Condition:
    """Make the condition on which a fix is stored: it is not outdated, not this very write sent
    again, not too soon, and of one at work, if it must be."""
    fix_at, token, heard_at = CourierRow.fix_at, CourierRow.fix_token, CourierRow.heard_at
    condition: Condition = fix_at.does_not_exist() | (fix_at <= to_epoch_ms(report.fix.at))
    condition &= token.does_not_exist() | (token != report.token)
    if report.min_gap:
        last_ms = to_epoch_ms(report.now - report.min_gap)
        condition &= heard_at.does_not_exist() | (heard_at <= last_ms)
    if report.at_work:
        condition &= (CourierRow.available == True) | CourierRow.order_id.exists()  # noqa: E712
    return condition


def _is_outdated(row: CourierRow, report: _Report) -> bool:
    """Say whether a fix is refused as an old one; False where there is no reason to refuse it.
    Raises NotOnline, RateLimited."""
    heard_ms, min_gap = row.heard_at, report.min_gap
    outdated = row.fix_at is not None and row.fix_at > to_epoch_ms(report.fix.at)
    if outdated and heard_ms is not None and heard_ms > to_epoch_ms(report.now):
        return True  # overtaken while this was on its way: it was not too soon when it came
    if report.at_work and not row.available and row.order_id is None:
        raise NotOnline("Go online first.")
    if min_gap and heard_ms is not None and heard_ms > to_epoch_ms(report.now - min_gap):
        retry_after_s = min_gap.total_seconds()
        raise RateLimited("One location a second is enough.", retry_after_s=retry_after_s)
    return outdated


def _knows_better(row: CourierRow, good_after: datetime) -> bool:
    """Say whether a courier's position is known by a good fix that is not too old."""
    return row.fix_at is not None and not row.vague and row.fix_at > to_epoch_ms(good_after)
