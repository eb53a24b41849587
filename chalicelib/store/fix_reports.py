"""One report of where a courier is, as what is written of it and on which condition."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import NamedTuple

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.fixes import (
    BOX_STEPS,
    ESTABLISHED_FIXES,
    ESTABLISHED_WITHIN,
    Box,
    Trail,
    is_repeat,
    list_boxes,
)
from chalicelib.domain.geo import find_cell
from chalicelib.domain.people import Fix
from chalicelib.errors import NotOnline, RateLimited
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.courier_rows import encode_json, make_point, pack_point
from chalicelib.store.tables import CourierRow


class Report(NamedTuple):
    """A fix as it came in; of several, the newest. `min_gap` is the least time between two reports,
    None for one that comes with another message; `at_work` takes it only of one who is available or
    has an order."""

    fix: Fix
    now: datetime
    min_gap: timedelta | None
    at_work: bool
    token: str


def make_fix_actions(report: Report) -> list[Action]:
    """List what is written of a good fix that is no jump."""
    point = pack_point(make_point(report.fix))
    return [
        *make_position_actions(report, report.fix),
        CourierRow.fix_token.set(report.token),
        CourierRow.vague.remove(),
        CourierRow.doubts.remove(),
        CourierRow.track.set((CourierRow.track | []).append([point])),
    ]


def make_position_actions(report: Report, fix: Fix) -> list[Action]:
    """List what a fix writes that becomes the courier's position. A report with a `min_gap` counts
    for the pace."""
    return [
        CourierRow.fix.set(encode_json(fix)),
        CourierRow.fix_at.set(to_epoch_ms(fix.at)),
        CourierRow.fix_lat.set(round(fix.lat * BOX_STEPS)),
        CourierRow.fix_lng.set(round(fix.lng * BOX_STEPS)),
        CourierRow.cell.set(find_cell(fix.point)),
        CourierRow.fix_came_at.set(to_epoch_ms(report.now)),
        *make_pace_actions(report),
    ]


def make_pace_actions(report: Report) -> list[Action]:
    """List what counts a report for the pace, if it does."""
    if report.min_gap is None:
        return []
    return [CourierRow.heard_at.set(to_epoch_ms(report.now))]


def make_unmoved_actions(report: Report, trail: Trail) -> list[Action]:
    """List what a report writes by which nobody has moved. The last fix again is no way, but says
    where its courier still is: they are located as of now, and in their cell again if a search has
    taken them out. Phones that stand still have no other fix to send."""
    if is_repeat(trail, report.fix):
        return make_position_actions(report, report.fix)
    return make_pace_actions(report)


def make_fix_condition(report: Report) -> Condition:
    """Make the condition on which a fix is stored: it is not outdated, not this very write sent
    again, not too soon, and of one at work, if it must be."""
    fix_at = CourierRow.fix_at
    condition: Condition = fix_at.does_not_exist() | (fix_at <= to_epoch_ms(report.fix.at))
    condition &= make_report_condition(report)
    return condition


def make_report_condition(report: Report) -> Condition:
    """Make the condition on which a report is heard, whatever its fixes are."""
    token, heard_at = CourierRow.fix_token, CourierRow.heard_at
    condition: Condition = token.does_not_exist() | (token != report.token)
    if report.min_gap:
        last_ms = to_epoch_ms(report.now - report.min_gap)
        condition &= heard_at.does_not_exist() | (heard_at <= last_ms)
    if report.at_work:
        condition &= (CourierRow.available == True) | CourierRow.order_id.exists()  # noqa: E712
    return condition


def make_no_jump_condition(fix: Fix) -> Condition:
    """Make a condition that holds only where a fix is no jump, nor the last one again: the track is
    not established (domain/fixes.py), or the last fix was in a box around this one. Where it does
    not hold, the row must be read, and the fix be judged."""
    fix_at = CourierRow.fix_at
    is_later: Condition = fix_at.does_not_exist() | (fix_at < to_epoch_ms(fix.at))
    long_ago_ms = to_epoch_ms(fix.at - ESTABLISHED_WITHIN)
    condition: Condition = CourierRow.track[ESTABLISHED_FIXES - 1].does_not_exist()
    condition |= CourierRow.vague.exists() | CourierRow.fix_lat.does_not_exist()
    condition |= fix_at < long_ago_ms
    for gap, boxes in list_boxes(fix.point):
        is_within = reduce(or_, map(_make_box_condition, boxes))
        condition |= (fix_at <= to_epoch_ms(fix.at - gap)) & is_within
    condition &= is_later
    return condition


def _make_box_condition(box: Box) -> Condition:
    condition: Condition = CourierRow.fix_lat.between(box.south, box.north)
    condition &= CourierRow.fix_lng.between(box.west, box.east)
    return condition


def is_outdated(row: CourierRow, report: Report) -> bool:
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


def knows_better(row: CourierRow, good_after: datetime) -> bool:
    """Say whether a courier's position is known by a good fix that is not too old."""
    return row.fix_at is not None and not row.vague and row.fix_at > to_epoch_ms(good_after)
