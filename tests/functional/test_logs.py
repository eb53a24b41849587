"""The log of a person: its newest events are in the head of their mailbox, the others in rows that
hold a run each. Whoever reads it sees one log (P-04), whenever somebody died."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest

from chalicelib.domain.events import PAYMENT_FAILED, Event
from chalicelib.errors import NotFound
from chalicelib.services.messaging.event_history import EventHistory
from chalicelib.services.messaging.leases import LEASE_TIME
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.counters import CounterTable
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.tables import EventRow, MailboxRow
from infra.bench.units import item_bytes
from tests.faults import Crash
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.world import World, log_of

STEPS = ("accept", "arrived", "picked", "delivered")


def an_order_through(world: World) -> None:
    """An order of cara's, delivered by dan: six events for her."""
    dan = world.courier("dan")
    notes = Random(len(log_of("cara"))).randbytes(240).hex()
    order_id = world.place(world.customer("cara"), notes=notes)["id"]
    for verb in STEPS:
        assert world.step(verb, order_id, dan).status == 200


def is_whole(log: list[Event], length: int) -> bool:
    """Whether a log has each place once, in order."""
    return [event.seq for event in log] == list(range(1, length + 1))


@contextmanager
def dying_at(client: Any, operation: str, when: Callable[[dict[str, Any]], bool]) -> Iterator[None]:
    """The process ends just before a call of DynamoDB."""

    def die(params: dict[str, Any], **_: Any) -> None:
        if when(params):
            raise Crash

    event = f"before-parameter-build.dynamodb.{operation}"
    client.meta.events.register(event, die)
    try:
        yield
    finally:
        client.meta.events.unregister(event, die)


def test_a_log_is_in_few_rows_and_each_page_of_it_is_right(world: World) -> None:
    for _ in range(5):
        an_order_through(world)
    assert is_whole(log_of("cara"), 30)
    assert 2 <= len(list(EventRow.query("cara"))) <= 10
    store = MailboxTable()
    for before in (None, 31, 30, 17, 16, 2, 1):
        for limit in (1, 4, 100):
            upto = 30 if before is None else before - 1
            page = [event.seq for event in store.list_events_before("cara", before, limit)]
            assert page == list(range(upto, max(0, upto - limit), -1)), (before, limit)
    for first in (1, 2, 16, 30, 31):
        found = store.list_events_from(store.get_mailbox("cara"), first, 3)
        assert [event.seq for event in found] == list(range(first, 31))[:3]


def test_a_head_stays_within_one_write_unit(world: World) -> None:
    """P-12: it is written twice for each thing told."""
    world.connect(world.customer("cara"))
    for n in range(4):
        dan = world.courier("dan")
        notes = Random(n).randbytes(100).hex()
        order_id = world.place(world.customer("cara"), notes=notes)["id"]
        for verb in STEPS:
            assert world.step(verb, order_id, dan).status == 200
            row = MailboxRow.get("cara").serialize()
            assert item_bytes(row) < 1024 - 150  # what a lease adds


def test_one_who_died_between_a_row_and_the_head_leaves_the_log_whole(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    """The row is there, and what it has is still in the head, too."""
    world = make_engine_world(settings={"delivery_offer_ttl": timedelta(minutes=1)})
    cara = world.customer("cara")
    socket = world.connect(cara)
    client = engine.connection.client
    put: list[str] = []

    def after_a_row(params: dict[str, Any]) -> bool:
        return bool(put) and params["TableName"].endswith("mailboxes")

    def note(params: dict[str, Any], **_: Any) -> None:
        if params["TableName"].endswith("events"):
            put.append(params["Item"]["person_id"]["S"])

    client.meta.events.register("before-parameter-build.dynamodb.PutItem", note)
    crashes = 0
    for n in range(4):
        dan, notes = world.courier("dan"), Random(n).randbytes(240).hex()
        put.clear()
        try:
            with dying_at(client, "UpdateItem", after_a_row):
                world.place(cara, notes=notes)
        except Crash:
            crashes += 1
            assert is_whole(log_of("cara"), 6 * n)
        world.pass_time(20)  # its wakeup, past the dead one's lease
        order_id = str(log_of("cara")[-1].order_id)
        for verb in STEPS:
            assert world.step(verb, order_id, dan).status == 200
    client.meta.events.unregister("before-parameter-build.dynamodb.PutItem", note)
    assert crashes >= 2
    assert is_whole(log_of("cara"), 24)
    assert [e.seq for e in MailboxTable().list_events_before("cara", None, 100)] == list(
        range(24, 0, -1)
    )
    told = [(frame["data"]["order_id"], frame["data"]["status"]) for frame in socket.frames]
    assert len(set(told)) == 4 * 5


def test_a_critical_event_is_in_its_index_when_it_is_told(dynamo: Engine) -> None:
    """S3-32: and in the log, in its place, once."""
    now = datetime(2031, 5, 6, tzinfo=timezone.utc)
    store = MailboxTable()
    for n, type_ in enumerate(("payment_initiated", PAYMENT_FAILED, "order_placed"), 1):
        box = store.acquire_lease("cara", str(n), now, now + LEASE_TIME, f"x#1@{n}")
        assert box
        told = Event(type=type_, to="cara", stream="x#1", version=n, ordinal=0, at=now)
        assert store.release_lease(box.append_event(told), str(n), 1, now)
    assert [event.seq for event in store.list_critical_events(now.date(), now, 10)] == [2]
    assert is_whole(log_of("cara"), 3)


def test_more_than_a_head_should_carry_is_put_away_at_once(dynamo: Engine) -> None:
    now = datetime(2031, 5, 6, tzinfo=timezone.utc)
    store = MailboxTable()
    box = store.acquire_lease("cara", "me", now, now + LEASE_TIME)
    assert box
    for n in range(1, 4):
        text = Random(n).randbytes(20_000).hex()
        told = Event("said", "cara", "x#1", n, 0, now, data={"text": text})
        box = box.append_event(told)
    assert store.release_lease(box, "me", 0, now)
    assert item_bytes(MailboxRow.get("cara").serialize()) < 200
    assert is_whole(log_of("cara"), 3)


def test_an_event_that_is_just_being_told_is_waited_for(world: World) -> None:
    """S3-30: a client may ask for it before it is noted."""
    store, now = MailboxTable(), world.clock.now
    told = Event(type="order_placed", to="cara", stream="x#1", version=1, ordinal=0, at=now)
    box = store.acquire_lease("cara", "me", now, now + LEASE_TIME, "x#1@1")
    assert box
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            store.release_lease(box.append_event(told), "me", 1, now)

    threads = ThreadPoolExecutor(1)
    feeds = EventHistory(
        store, ConnectionTable(), CounterTable(threads), threads, lambda: now, sleep
    )
    assert feeds.get_event("cara", 1).type == "order_placed"
    assert len(waits) == 2
    with pytest.raises(NotFound):
        feeds.get_event("cara", 2)
    assert len(waits) == 2
