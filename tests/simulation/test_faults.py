"""What goes wrong at each boundary goes wrong as it does at AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from chalicelib.domain.messaging.wakeups import GreetingDue
from chalicelib.errors import Gone, PostFailed, Unavailable
from chalicelib.store.tables import CounterRow
from infra.resources import tables
from tests.faults import Crash
from tests.simulation.faults import Rates
from tests.simulation.gateway import Socket, Trouble
from tests.simulation.scheduler import Invocation
from tests.simulation.town import Plan, Town

Attempt = Callable[[], Any]


@pytest.fixture
def town() -> Iterator[Town]:
    """An empty one, where nothing fails yet."""
    made = Town(Plan(seed=1, faults="none"))
    with made.lasting():
        yield made


def fail(town: Town, **rates: float) -> None:
    """From now on these faults happen."""
    town.faults.rates = Rates(**rates)


def outcome(town: Town, attempt: Attempt, limit_s: float = 1000.0) -> Any:
    """What an attempt returns or raises, in a Lambda of its own."""
    found: list[Any] = []

    def run() -> None:
        invocation = Invocation("wake", town.scheduler.now_s, limit_s)
        try:
            found.append(town.scheduler.invoke(invocation, attempt))
        except (Exception, Crash) as error:  # noqa: BLE001 - it is looked at
            found.append(error)

    town.scheduler.begin(run)
    town.scheduler.run_until(town.scheduler.now_s + 100)
    return found[0]


def count(town: Town) -> Any:
    """Add one to a counter: a write that is not the same twice."""
    return CounterRow("2031-05-06#1").update(actions=[CounterRow.expires.add(1)])


def counted(town: Town) -> int:
    rows = town.dynamo.rows("counters")
    return int(rows[0]["expires"]["N"]) if rows else 0


def test_a_lost_answer_is_asked_for_again_or_given_up(town: Town) -> None:
    """Either way it was written."""
    fail(town, lost_answer=1.0)
    gave_up = 0
    for _ in range(20):
        before, found = counted(town), outcome(town, lambda: count(town))
        if isinstance(found, Exception):
            gave_up += 1
            assert counted(town) == before + 1
        else:
            assert counted(town) == before + 2
    assert 0 < gave_up < 20


def test_a_transaction_is_done_once_however_often_it_is_asked_for(town: Town) -> None:
    fail(town, lost_answer=1.0)
    row = {"TableName": "waybill-counters", "Key": {"day": {"S": "d"}}}
    change = {"UpdateExpression": "ADD #n :n", "ExpressionAttributeNames": {"#n": "expires"}}
    item = {"Update": {**row, **change, "ExpressionAttributeValues": {":n": {"N": "1"}}}}
    client: Any = town.database.client

    def write() -> Any:
        return client._make_api_call("TransactWriteItems", {"TransactItems": [item]})

    for n in range(10):
        outcome(town, write)
        assert counted(town) == n + 1


def test_what_fails_before_was_not_written(town: Town) -> None:
    fail(town, failure=1.0)
    for _ in range(10):
        assert isinstance(outcome(town, lambda: count(town)), Exception)
    assert counted(town) == 0


def test_a_death_ends_the_process_before_the_call_or_after_it(town: Town) -> None:
    fail(town, death=0.5)
    written = set()
    for _ in range(20):
        before, found = counted(town), outcome(town, lambda: count(town))
        if isinstance(found, Crash):
            written.add(counted(town) - before)
    assert written == {0, 1}


def test_a_process_that_is_frozen_for_too_long_is_cut_off(town: Town) -> None:
    fail(town, freeze=1.0)
    assert isinstance(outcome(town, lambda: count(town), limit_s=2.0), Crash)


def test_where_faults_are_over_nothing_fails(town: Town) -> None:
    fail(town, failure=1.0, death=1.0, lost_answer=1.0)
    town.faults.over = True
    outcome(town, lambda: count(town))
    assert counted(town) == 1


# Sockets


def a_socket(town: Town, id_: str = "s1") -> Socket:
    socket = Socket(id_, "ana", "customer", opened_s=town.scheduler.now_s)
    town.gateway.accept(socket)
    return socket


@pytest.mark.parametrize("kind", ["throttled", "stalled", "forbidden", "broken"])
def test_a_troubled_socket_hears_nothing_and_the_others_do(town: Town, kind: str) -> None:
    bad, good = a_socket(town, "bad"), a_socket(town, "good")
    bad.troubles.append(Trouble(kind, 0.0, 1000.0))
    assert isinstance(outcome(town, lambda: town.gateway.post_frame("bad", "x")), PostFailed)
    failures = outcome(town, lambda: town.gateway.post_frames([("bad", "x"), ("good", "y")]))
    assert [type(failure) for failure in failures] == [PostFailed, type(None)]
    assert (bad.frames(), good.frames()) == ([], ["y"])


def test_who_leaves_silently_is_there_for_a_while_and_hears_nothing(town: Town) -> None:
    socket = a_socket(town)
    town.gateway.hang_up(socket, polite=False)
    socket.gone_s = town.scheduler.now_s + 150
    assert outcome(town, lambda: town.gateway.post_frame("s1", "x")) is None
    assert (socket.frames(), len(socket.lost)) == ([], 1)
    town.scheduler.run_until(200)
    assert isinstance(outcome(town, lambda: town.gateway.post_frame("s1", "y")), Gone)


def test_an_outage_is_everybodys(town: Town) -> None:
    a_socket(town)
    town.gateway.outage = Trouble("broken", 0.0, 1000.0)
    assert isinstance(outcome(town, lambda: town.gateway.post_frame("s1", "x")), PostFailed)
    assert isinstance(outcome(town, lambda: town.gateway.close_connection("s1")), PostFailed)
    assert outcome(town, lambda: town.gateway.is_connected("s1")) is True


# Messages


def send(town: Town, delay_s: float = 0.0) -> Any:
    wakeup = GreetingDue("s1")
    return outcome(town, lambda: town.queue.send_wakeups([(wakeup, timedelta(seconds=delay_s))]))


def test_a_message_that_fails_comes_again_and_ends_with_the_dead_letters(town: Town) -> None:
    came: list[float] = []

    def refuse(records: list[dict[str, Any]]) -> set[str]:
        came.append(town.scheduler.now_s)
        return {record["messageId"] for record in records}

    town.queue.consume = refuse
    send(town)
    town.scheduler.run_until((tables.MAX_RECEIVES + 1) * tables.VISIBILITY_TIMEOUT_S + 1)
    apart = [later - earlier for earlier, later in pairwise(came)]
    assert len(came) == tables.MAX_RECEIVES
    assert all(gap == pytest.approx(tables.VISIBILITY_TIMEOUT_S, abs=1) for gap in apart)
    assert [message.receives for message in town.queue.dead] == [tables.MAX_RECEIVES]
    assert not town.queue.waiting


def test_a_message_is_late_in_whole_seconds_and_maybe_twice(town: Town) -> None:
    came: list[float] = []

    def take(records: list[dict[str, Any]]) -> set[str]:
        came.extend(town.scheduler.now_s for _ in records)
        return set()

    town.queue.consume = take
    fail(town, twice=1.0)
    send(town, delay_s=1.2)
    assert len(came) == 2
    assert all(2 <= at_s < 2.5 for at_s in came)
    assert not town.queue.waiting


def test_a_queue_that_fails_says_so_and_may_have_taken_it(town: Town) -> None:
    taken = set()
    for rates in ({"failure": 1.0}, {"lost_answer": 1.0}):
        fail(town, **rates)
        for _ in range(10):
            before = sum(town.queue.sent.values())
            if isinstance(send(town), Unavailable):
                taken.add(sum(town.queue.sent.values()) - before)
    assert taken == {0, 1}
