"""What orders cost on DynamoDB: an order of every flow, a fix, an idle pass of the sweep.

After each step time passes until its wakeups have run: what they cost counts with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from infra.bench.meter import MeteredBill
from infra.bench.report import BenchReport, Row
from infra.bench.scenes import SCENES, Cast, Step
from infra.bench.stage import HEARTBEAT, Stage, open_stage

LATER_S = 7.0  # past the relay wakeup of a step
TIMERS_S = 310.0  # past the longest timer of an offer
WARM_UP = 2  # orders of the same people before those that count
ROUNDS = 5
DELIVERY, FIX, SWEEP = "delivery: whole", "a fix in the same cell", "an idle sweep pass"
BEAT = "a heartbeat"
GOALS: dict[str, tuple[float | None, float | None]] = {  # at most (write units, read units)
    DELIVERY: (44, 21),  # three of the writes are for lists, one for what is counted of it
    FIX: (1, None),
    SWEEP: (None, 8),
}


def measure() -> BenchReport:
    """Measure some orders of every flow, on an engine of their own: about 20 s."""
    report = BenchReport("Cost: DynamoDB units, calls, posts to connections, wakeups sent")
    with open_stage() as on:
        report.rows += measure_flows(on, SCENES)
    report.notes += [_judge_row(row) for row in report.rows if row["what"] in GOALS]
    report.notes.append(
        "Writes as the engine reports them, with indexes; reads by DynamoDB's rules from what was "
        f"read. Orders are the mean of {ROUNDS} of the same people, after {WARM_UP} others."
    )
    return report


def measure_flows(on: Stage, flows: Iterable[str]) -> Iterator[Row]:
    """Measure what an order of each of these flows takes, and what there is much of."""
    for flow in flows:
        cast = Cast(on, flow)
        yield from _measure_order(flow, on, cast)
        cast.go_off_duty()
    yield from _measure_others(on)


def _measure_order(name: str, on: Stage, cast: Cast) -> list[Row]:
    """Measure an order of people who had some before: what is put off to every other order, or so,
    counts with a part of it."""
    for _ in range(WARM_UP):
        for _ in _bill_steps(on, SCENES[name](cast)):
            pass
    bills: dict[str, MeteredBill] = {}
    for _ in range(ROUNDS):
        for step, bill in _bill_steps(on, SCENES[name](cast)):
            bills[step] = bills.get(step, MeteredBill()) + bill
    rows = [_make_row(f"{name}: {step}", bill, ROUNDS) for step, bill in bills.items()]
    return [*rows, _make_row(f"{name}: whole", sum(bills.values(), MeteredBill()), ROUNDS)]


def _bill_steps(on: Stage, steps: Iterator[Step]) -> Iterator[tuple[str, MeteredBill]]:
    """Take each step with its wakeups, and its bill; then the timers that were left."""
    for name, act in steps:
        with on.meter.open_bill() as bill:
            act()
            on.pass_time(LATER_S)
        yield name, bill
    with on.meter.open_bill() as timers:
        on.pass_time(TIMERS_S)
    yield "timers left", timers


def _measure_others(on: Stage) -> Iterator[Row]:
    """Measure what there is much of: positions, heartbeats, an idle look of the sweep."""
    cast = Cast(on, "walker")
    cast.go_on_duty()
    for what, north in ((FIX, 0.0001), ("a fix in another cell", 0.05)):
        on.pass_time(2)
        with on.meter.open_bill() as bill:
            cast.send_fix(north)
        yield _make_row(what, bill)
    on.connect("walker-courier", "courier", cast.courier)
    on.pass_time(130)  # not so soon that this were a jump of the receiver
    with on.meter.open_bill() as bill:
        on.send_frame(
            "walker-courier", {"event": "location.update", "data": {"lat": 13.02, "lng": 77.6}}
        )
    yield _make_row("a fix by socket", bill)
    on.now += HEARTBEAT
    with on.meter.open_bill() as bill:
        on.waybill.connections.check_connection("walker-courier")
    yield _make_row(BEAT, bill)
    on.waybill.sweeper.run_pass()  # what is due by now: heartbeats of those who are connected
    on.pass_time(0)
    with on.meter.open_bill() as bill:
        on.waybill.sweeper.run_pass()
    yield _make_row(SWEEP, bill)


def _make_row(what: str, bill: MeteredBill, rounds: int = 1) -> Row:
    return {
        "what": what,
        "write_units": bill.write / rounds,
        "read_units": bill.read / rounds,
        "calls": bill.calls / rounds,
        "posts": bill.posts / rounds,
        "wakeups": bill.wakeups / rounds,
    }


def _judge_row(row: Row) -> str:
    """Say whether a row's goals are met."""
    parts = [
        f"{row[kind]:g} {kind.partition('_')[0]} units, at most {goal:g}: "
        + ("met" if row[kind] <= goal else "MISSED")
        for kind, goal in zip(("write_units", "read_units"), GOALS[row["what"]], strict=True)
        if goal is not None
    ]
    return f"Goal, {row['what']}: {'; '.join(parts)}."
