"""What orders cost on DynamoDB: an order of every flow, a fix, an idle pass of the sweep.

After each step time passes until its wakeups have run: what they cost counts with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from infra.bench.meter import Bill
from infra.bench.report import Report, Row
from infra.bench.scenes import SCENES, Cast, Step
from infra.bench.stage import Stage, stage

LATER_S = 7.0  # past the relay wakeup of a step
TIMERS_S = 310.0  # past the longest timer of an offer
BOOKS = ("wallets", "ledger", "payments", "counters")
DELIVERY, FIX, SWEEP = "delivery: all but the books", "a fix in the same cell", "an idle sweep pass"
GOALS: dict[str, tuple[float | None, float | None]] = {  # at most (write units, read units)
    DELIVERY: (40, 20),
    FIX: (1, None),
    SWEEP: (None, 8),
}


def measure() -> Report:
    """Every flow once, on an engine of its own: about 10 s."""
    report = Report("Cost: DynamoDB units, calls, posts to connections, wakeups sent")
    with stage() as on:
        report.rows += measured(on, SCENES)
    report.notes += [_verdict(row) for row in report.rows if row["what"] in GOALS]
    report.notes.append(
        "Writes as the engine reports them, with indexes; reads by DynamoDB's rules from what was "
        "read. The books: spec 003's earnings, ledger, payment status and counters."
    )
    return report


def measured(on: Stage, flows: Iterable[str]) -> Iterator[Row]:
    """What an order of each of these flows takes, and what there is much of."""
    for flow in flows:
        cast = Cast(on, flow)
        yield from _order(flow, on, SCENES[flow](cast))
        cast.off_duty()
    yield from _others(on)


def _order(name: str, on: Stage, steps: Iterator[Step]) -> list[Row]:
    rows: list[Row] = []
    total, rest = Bill(), Bill()
    for step, bill in _billed(on, steps):
        rows.append(_row(f"{name}: {step}", bill))
        total += bill
        earner = f"{name}-courier" if step in ("deliver", "complete") else None
        rest += bill.only(lambda where, earner=earner: not _of_books(where, earner))  # type: ignore[misc]
    rows.append(_row(f"{name}: whole", total))
    rows.append(_row(f"{name}: all but the books", rest, units_only=True))
    return rows


def _billed(on: Stage, steps: Iterator[Step]) -> Iterator[tuple[str, Bill]]:
    """Each step with its wakeups; then the timers that were left."""
    for name, act in steps:
        with on.meter.measuring() as bill:
            act()
            on.pass_time(LATER_S)
        yield name, bill
    with on.meter.measuring() as timers:
        on.pass_time(TIMERS_S)
    yield "timers left", timers


def _of_books(where: str, earner: str | None) -> bool:
    """Whether units were spent for spec 003's books, or on telling a courier what was earned."""
    table, _, who = where.partition(":")
    return table in BOOKS or who == earner


def _others(on: Stage) -> Iterator[Row]:
    """What there is much of: positions, and looking whether anything is due."""
    cast = Cast(on, "walker")
    cast.on_duty()
    for what, north in ((FIX, 0.0001), ("a fix in another cell", 0.05)):
        on.pass_time(2)
        with on.meter.measuring() as bill:
            cast.fix(north)
        yield _row(what, bill)
    on.connect("walker-courier", "courier", cast.courier)
    on.pass_time(2)
    with on.meter.measuring() as bill:
        on.say("walker-courier", {"event": "location.update", "data": {"lat": 13.02, "lng": 77.6}})
    yield _row("a fix by socket", bill)
    on.waybill.sweeper.sweep()  # what is due by now: heartbeats of those who are connected
    with on.meter.measuring() as bill:
        on.waybill.sweeper.sweep()
    yield _row(SWEEP, bill)


def _row(what: str, bill: Bill, units_only: bool = False) -> Row:
    counts = (None, None, None) if units_only else (bill.calls, bill.posts, bill.wakeups)
    calls, posts, wakeups = counts
    return {
        "what": what,
        "write_units": bill.write,
        "read_units": bill.read,
        "calls": calls,
        "posts": posts,
        "wakeups": wakeups,
    }


def _verdict(row: Row) -> str:
    """Whether a goal is met."""
    parts = [
        f"{row[kind]:g} {kind.partition('_')[0]} units, at most {goal:g}: "
        + ("met" if row[kind] <= goal else "MISSED")
        for kind, goal in zip(("write_units", "read_units"), GOALS[row["what"]], strict=True)
        if goal is not None
    ]
    return f"Goal, {row['what']}: {'; '.join(parts)}."
