"""The sweep: what is due is worked off by as many Lambdas as there are, in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from chalicelib.domain.due import Due
from chalicelib.domain.messaging.wakeups import ConnectionsDue, OrdersDue, SweepDue, Wakeup
from chalicelib.errors import Overdue, Unavailable
from chalicelib.services.sweeper import ORDERS_PER_WAKEUP, PASS_INTERVAL, PASSES, Sweeper
from chalicelib.store.shards import read_in_turns
from chalicelib.store.tables import SHARDS
from tests.builders import NOW
from tests.fakes import Clock, RecordingQueue
from tests.unit.sweep_town import SOCKET, SweepTown

Id = Any


class Listed:
    """An index that lists what it is told, or fails."""

    def __init__(self, *dues: Due[Id]) -> None:
        self.dues = list(dues)
        self.error: Exception | None = None

    def list_due(self, now: datetime, since: datetime | None = None) -> Iterator[Due[Id]]:
        if self.error:
            raise self.error
        return (due for due in self.dues if due.at <= now and (since is None or due.at >= since))


class Sweep:
    """A sweeper over indexes of a test's own."""

    def __init__(self, orders: Iterable[Due[int]] = (), sockets: Iterable[Due[str]] = ()) -> None:
        self.orders, self.sockets = Listed(*orders), Listed(*sockets)
        self.clock = Clock()
        self.queue = RecordingQueue(self.clock)
        self.anew()

    def anew(self) -> None:
        """Another process."""
        parts: tuple[Any, Any] = (self.orders, self.sockets)
        self.sweeper = Sweeper(*parts, self.queue, self.clock)

    def taken(self) -> list[Wakeup]:
        """What the queue was sent since the last time, and forgets."""
        sent = [wakeup for wakeup, _ in self.queue.sent]
        self.queue.sent.clear()
        return sent


def dues(n: int) -> list[Due[int]]:
    return [Due(id_, NOW) for id_ in range(n)]


# In virtual time


def test_five_thousand_searches_are_looked_at_by_their_own_wakeups() -> None:
    """With Lambdas for them; the passes of the sweep add next to nothing, and nobody starves."""
    town = SweepTown(5000, lambdas=40, waits=True)
    town.arm()
    town.live(120)
    looks = [town.looks[id_] for id_ in range(5000)]
    assert min(looks) >= 120 / 10 - 3
    assert max(looks) - min(looks) <= 2
    assert town.reads < 0.1 * sum(looks)


def test_five_thousand_searches_whose_wakeups_are_all_lost_are_taken_up_by_one_pass() -> None:
    """And from then on they have wakeups again."""
    town = SweepTown(5000, lambdas=40, waits=True)
    town.live(60)
    assert min(town.looks[id_] for id_ in range(5000)) >= 60 / 10 - 3
    assert all(times == 1 for times in town.handed().values()) or town.reads < 5000


@pytest.mark.parametrize(("lambdas", "within_s"), [(50, 120), (200, 45)])
def test_a_backlog_is_worked_off_by_as_many_lambdas_as_there_are(
    lambdas: int, within_s: int
) -> None:
    """100,000 due: 100 s for fifty, a quarter of that for two hundred."""
    town = SweepTown(100_000, lambdas, waits=False)
    town.live(within_s)
    assert town.deadlines == {}
    assert set(town.looks.values()) == {1}
    assert max(town.handed().values()) <= 4  # 0, 30, 60 and 120 s
    assert town.reads <= 2 * 100_000


def test_no_backlog_of_orders_keeps_a_socket_from_its_ping() -> None:
    town = SweepTown(100_000, lambdas=50, waits=False)
    town.live(61)
    assert town.pings >= 2
    assert town.beats
    assert town.beats[0] - NOW < timedelta(seconds=1)  # it was in the queue before the orders


# What a pass hands on


def test_what_is_due_is_handed_on_in_shares() -> None:
    sweep = Sweep(dues(45), [Due("a=", NOW), Due("b=", NOW), Due("c=", NOW + timedelta(hours=1))])
    sweep.sweeper.run_pass()
    beats, *looks = sweep.taken()
    assert beats == ConnectionsDue(("a=", "b="))
    assert [len(look.order_ids) for look in looks if isinstance(look, OrdersDue)] == [
        ORDERS_PER_WAKEUP,
        ORDERS_PER_WAKEUP,
        5,
    ]
    assert sorted(
        id_ for look in looks if isinstance(look, OrdersDue) for id_ in look.order_ids
    ) == [*range(45)]


def test_what_waits_in_the_queue_is_not_put_there_again_by_each_pass() -> None:
    """Nobody takes wakeups for an hour: nine times, and not 240."""
    sweep, times = Sweep(dues(1)), []
    for n in range(240):
        sweep.clock.now = NOW + n * PASS_INTERVAL
        try_to(sweep.sweeper.run_pass)
        times += [n * 15] * len(sweep.taken())
    assert times == [0, 30, 60, 120, 240, 480, 960, 1920, 2880]
    assert all(after - before <= 16 * 60 for before, after in pairwise(times))


def test_a_new_deadline_is_another_matter() -> None:
    """An order that was looked after, and whose own next wakeup was lost: by the next pass."""
    sweep = Sweep(dues(1))
    sweep.sweeper.run_pass()
    sweep.orders.dues = [Due(0, NOW + timedelta(seconds=10))]
    sweep.taken()
    sweep.clock.advance(15)
    sweep.sweeper.run_pass()
    assert sweep.taken() == [OrdersDue((0,))]


def test_another_process_hands_it_on_once_more() -> None:
    sweep = Sweep(dues(1))
    sweep.sweeper.run_pass()
    sweep.anew()
    sweep.sweeper.run_pass()
    assert sweep.taken() == [OrdersDue((0,))] * 2


def test_what_could_not_be_sent_comes_with_the_next_pass() -> None:
    sweep = Sweep(dues(3))
    sweep.queue.down = True
    with pytest.raises(Unavailable):
        sweep.sweeper.run_pass()
    sweep.queue.down = False
    sweep.sweeper.run_pass()
    assert sweep.taken() == [OrdersDue((0, 1, 2))]


def test_a_pass_ends_with_its_time_and_sends_what_it_has_read() -> None:
    sweep = Sweep(dues(1000))
    asked = iter([False] * 400)
    sweep.sweeper.run_pass(lambda: next(asked, True))
    handed = [id_ for one in sweep.taken() if isinstance(one, OrdersDue) for id_ in one.order_ids]
    assert handed == [*range(400)]
    sweep.sweeper.run_pass()
    handed = [id_ for one in sweep.taken() if isinstance(one, OrdersDue) for id_ in one.order_ids]
    assert handed == [*range(400, 1000)]


# What must be heard of


def test_a_failing_index_stops_nothing_else_and_fails_the_run() -> None:
    for broken in ("orders", "sockets"):
        sweep = Sweep(dues(1), [Due(SOCKET, NOW)])
        getattr(sweep, broken).error = RuntimeError("throttled")
        with pytest.raises(Overdue, match="a pass of the sweep failed"):
            sweep.sweeper.run_minute()
        *recent, handed = sweep.taken()
        assert len(recent) == PASSES - 1
        assert handed == (OrdersDue((0,)) if broken == "sockets" else ConnectionsDue((SOCKET,)))


def test_a_queue_that_is_down_fails_the_run_and_the_next_one_lists_it_all() -> None:
    sweep = Sweep(dues(1))
    sweep.queue.down = True
    with pytest.raises(Overdue):
        sweep.sweeper.run_minute()
    sweep.queue.down = False
    sweep.clock.advance(60)
    sweep.sweeper.run_minute()
    assert sweep.taken()[PASSES - 1 :] == [OrdersDue((0,))]


def test_what_is_still_due_long_after_it_was_handed_on_fails_the_run_until_it_is_not() -> None:
    """An order that can't be looked after: every pass says so, and none before it has had time."""
    sweep = Sweep(dues(1))
    failed = []
    for n in range(20):
        sweep.clock.now = NOW + n * PASS_INTERVAL
        failed.append(try_to(sweep.sweeper.run_pass))
    assert failed.index(True) * PASS_INTERVAL == timedelta(seconds=90)
    assert all(failed[failed.index(True) :])
    sweep.orders.dues = []
    assert not try_to(sweep.sweeper.run_pass)


# Between the whole passes


def test_the_schedule_makes_a_whole_pass_and_wakeups_make_three_fifteen_seconds_apart() -> None:
    """S0-33"""
    sweep = Sweep()
    sweep.sweeper.run_minute()
    delays = [delay for _, delay in sweep.queue.sent]
    assert delays == [n * PASS_INTERVAL for n in (1, 2, 3)]
    assert timedelta(seconds=15) == PASS_INTERVAL
    assert sweep.taken() == [SweepDue(NOW + delay) for delay in delays]


def test_a_recent_pass_hands_on_what_has_fallen_due_since_the_one_before_in_any_process() -> None:
    late, now = Due(1, NOW - timedelta(seconds=21)), Due(2, NOW - timedelta(seconds=14))
    sweep = Sweep([late, now, Due(3, NOW + timedelta(seconds=1))], [Due("a=", NOW)])
    sweep.sweeper.run_recent_pass(NOW)
    assert sweep.taken() == [ConnectionsDue(("a=",)), OrdersDue((2,))]


def test_every_deadline_falls_into_a_pass_however_late_or_early_its_message_comes() -> None:
    """Each message by up to ten seconds; a deadline each second, none handed on by a whole pass."""
    for late in range(-10, 11):
        handed = set()
        for n in range(1, PASSES):
            sweep = Sweep(Due(s, NOW + timedelta(seconds=s)) for s in range(60))
            due_at = NOW + n * PASS_INTERVAL
            sweep.clock.now = due_at + timedelta(seconds=late)
            sweep.sweeper.run_recent_pass(due_at)
            handed |= {
                id_ for one in sweep.taken() if isinstance(one, OrdersDue) for id_ in one.order_ids
            }
        assert handed >= set(range(46 + min(late, 0)))


def test_a_recent_pass_that_fails_or_comes_long_late_is_left_to_the_whole_one() -> None:
    sweep = Sweep(dues(1))
    sweep.queue.down = True
    sweep.sweeper.run_recent_pass(NOW)
    sweep.queue.down = False
    sweep.clock.advance(60)
    sweep.sweeper.run_recent_pass(NOW)
    assert sweep.taken() == []
    sweep.sweeper.run_pass()
    assert sweep.taken() == [OrdersDue((0,))]


# Shards


def test_shards_are_read_in_turns_beginning_with_any() -> None:
    firsts = set()
    for _ in range(200):
        rows = list(read_in_turns(lambda shard: iter([shard] * (shard + 1))))
        assert sorted(rows[:SHARDS]) == [*range(SHARDS)]
        assert rows[-1] == SHARDS - 1
        firsts.add(rows[0])
    assert firsts == {*range(SHARDS)}


def test_a_shard_that_can_not_be_read_keeps_nobody_from_the_others() -> None:
    def read(shard: int) -> Iterator[int]:
        yield shard
        if shard == 3:
            raise RuntimeError("throttled")
        yield shard

    rows: list[int] = []
    with pytest.raises(RuntimeError, match="throttled"):
        rows += _noting(read_in_turns(read), rows)
    assert Counter(rows) == {shard: 1 if shard == 3 else 2 for shard in range(SHARDS)}


def _noting(reading: Iterator[int], rows: list[int]) -> list[int]:
    for row in reading:
        rows.append(row)
    return []


def try_to(sweep: Callable[[], None]) -> bool:
    """Whether a pass said that something is overdue."""
    try:
        sweep()
    except Overdue:
        return True
    return False
