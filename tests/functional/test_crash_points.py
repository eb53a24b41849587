"""Every place where telling somebody may end halfway (services/messaging/mailboxes.py names them),
and that the event is told all the same: once or more, by the same id, in order (P-04, P-05)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from chalicelib.domain.messaging.mailboxes import APPLIED_KEPT_FOR
from chalicelib.services.messaging.leases import LEASE_TIME
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import MailboxRow
from tests.faults import Crash, CrashingProxy, answers_lost, conflicts
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.feeds import a_feed, a_profile
from tests.functional.world import Socket, Someone, World, log_of

STEPS = ("accept", "arrived", "picked", "delivered")
TOLD_BY_THE_FEED = ("order_created", "delivery_accepted", "delivery_completed")


class Stage:
    """cara has an order that is offered to dan; what tells her of it can die."""

    def __init__(self, make_world: MakeWorld, engine: Engine) -> None:
        self.orders = CrashingProxy(OrderTable(engine.connection))
        self.mailboxes = CrashingProxy(MailboxTable())
        self.world: World = make_world(orders=self.orders, mailboxes=self.mailboxes)
        self.dan, self.cara = self.world.courier(), self.world.customer()
        self.hers: Socket = self.world.connect(self.cara)
        self.order_id = self.world.place(self.cara)["id"]
        self.world.pass_time(6)
        assert self.heard() == ["assigned"]

    def step(self, verb: str, by: Someone | None = None) -> None:
        assert self.world.step(verb, self.order_id, by or self.dan).status == 200

    def heard(self) -> list[str]:
        """What she has heard of so far, in order."""
        return [frame["data"]["status"] for frame in self.hers.frames]

    def logged(self) -> list[tuple[int, int]]:
        """(seq, version) of her log: each event has one place, so one id."""
        log = log_of("cara")
        assert len({(event.stream, event.version, event.ordinal) for event in log}) == len(log)
        assert [event.seq for event in log] == list(range(1, len(log) + 1))
        return [(event.seq, event.version) for event in log]


@pytest.fixture
def stage(make_engine_world: MakeWorld, engine: Engine) -> Stage:
    return Stage(make_engine_world, engine)


def once(items: list[str]) -> list[str]:
    """Without what is said twice in a row."""
    return [item for n, item in enumerate(items) if n == 0 or items[n - 1] != item]


def crash_while_posting(when: str) -> Callable[[Stage], None]:
    def arm(stage: Stage) -> None:
        gateway, post = stage.world.gateway, stage.world.gateway.before_post

        def die(connection_id: str, frame: str) -> None:
            gateway.before_post = post
            if when == "after":
                gateway.post_frame(connection_id, frame)
            raise Crash

        gateway.before_post = die

    return arm


CRASHES: dict[str, tuple[Callable[[Stage], None], int]] = {
    "after_commit": (lambda s: s.orders.crash_at("after", "commit_order"), 1),
    "before_lease": (lambda s: s.mailboxes.crash_at("before", "acquire_lease"), 1),
    "after_lease": (lambda s: s.mailboxes.crash_at("after", "acquire_lease"), 1),
    "during_post": (crash_while_posting("before"), 1),
    "after_post": (crash_while_posting("after"), 2),
    "before_release": (lambda s: s.mailboxes.crash_at("before", "release_lease"), 2),
    "after_release": (lambda s: s.mailboxes.crash_at("after", "release_lease"), 1),
}


@pytest.mark.parametrize("name", CRASHES)
def test_after_a_crash_the_wakeup_tells_it_by_the_same_id(stage: Stage, name: str) -> None:
    """P-04: within a minute; a duplicate is the same event of the log, told again"""
    crash, frames = CRASHES[name]
    crash(stage)
    with pytest.raises(Crash):
        stage.step("accept")
    stage.world.pass_time(60)
    assert stage.heard() == ["assigned"] + ["accepted"] * frames
    assert stage.logged() == [(1, 1), (2, 1), (3, 2)]
    assert stage.world.queue.waiting == stage.world.queue.dead == []


@pytest.mark.parametrize("name", CRASHES)
def test_what_happens_after_a_crash_is_told_after_it(stage: Stage, name: str) -> None:
    """P-05: the next steps find a mailbox whose holder is dead, and leave them to the next one."""
    crash, _ = CRASHES[name]
    crash(stage)
    with pytest.raises(Crash):
        stage.step("accept")
    for verb in ("arrived", "picked", "delivered"):
        stage.step(verb)
    stage.world.pass_time(60)
    heard = once(stage.heard())
    assert heard == ["assigned", "accepted", "arrived", "picked_up", "delivered"]
    assert [version for _, version in stage.logged()] == [1, 1, 2, 3, 4, 5]
    assert MailboxRow.get("cara").lease is None
    assert not MailboxRow.get("cara").pending


def test_before_commit_nothing_was_written_and_nothing_is_told(stage: Stage) -> None:
    """before_commit: the wakeup finds nothing new, and ends."""
    stage.orders.crash_at("before", "commit_order")
    with pytest.raises(Crash):
        stage.step("accept")
    assert stage.world.order(stage.order_id).version == 1
    stage.world.pass_time(5)
    assert stage.heard() == ["assigned"]
    stage.step("accept")
    assert stage.heard() == ["assigned", "accepted"]
    stage.world.pass_time(60)
    assert stage.world.queue.waiting == []


def test_a_commit_slower_than_its_wakeup_is_told_all_the_same(stage: Stage) -> None:
    """The wakeup is sent first: it may come while the commit is still on its way."""
    commit = stage.orders._part.commit_order

    def slow(*args: Any, **kwargs: Any) -> None:
        stage.orders._part.commit_order = commit
        stage.world.pass_time(8)  # its wakeup comes and finds nothing
        commit(*args, **kwargs)
        raise Crash

    stage.orders._part.commit_order = slow
    with pytest.raises(Crash):
        stage.step("accept")
    assert stage.heard() == ["assigned"]
    stage.world.pass_time(30)
    assert stage.heard() == ["assigned", "accepted"]
    assert stage.world.queue.waiting == []


def test_the_wakeup_itself_may_die_and_comes_again(stage: Stage) -> None:
    stage.orders.crash_at("after", "commit_order")
    with pytest.raises(Crash):
        stage.step("accept")
    stage.mailboxes.crash_at("after", "acquire_lease")
    with pytest.raises(Crash):
        stage.world.pass_time(6)  # the message is received, and its receiver is gone
    stage.step("arrived")  # left to the dead holder, with a wakeup of its own
    stage.world.pass_time(60)
    assert once(stage.heard()) == ["assigned", "accepted", "arrived"]
    stage.logged()


def test_a_courier_whose_delivery_died_is_let_go_by_the_wakeup(stage: Stage) -> None:
    """They are let go after the order is done, and nobody else gets the order meanwhile."""
    for verb in ("accept", "arrived", "picked"):
        stage.step(verb)
    stage.orders.crash_at("after", "commit_order")
    with pytest.raises(Crash):
        stage.step("delivered")
    assert stage.world.order(stage.order_id).is_terminal
    assert stage.world.place(stage.world.customer("eve"))["status"] == "no_nearby_driver"
    stage.world.pass_time(60)
    stage.world.courier("dan")  # where they are by now
    assert stage.world.place(stage.world.customer("bob"))["status"] == "assigned"


def test_a_greeting_that_dies_is_greeted_again(stage: Stage) -> None:
    """Whoever was greeted and not let in would hear nothing, ever."""
    stage.hers.close()
    stage.step("accept")
    again = stage.world.connect(stage.cara, greet=False)
    wakeup = stage.world.queue.waiting[-1].wakeup
    stage.mailboxes.crash_at("after", "acquire_lease")
    with pytest.raises(Crash):
        stage.world.waybill.wakeup_handler.handle_wakeup(wakeup)
    stage.world.pass_time(12)  # its message was never deleted: it comes again
    stage.world.waybill.wakeup_handler.handle_wakeup(wakeup)
    stage.step("arrived")
    assert [frame["data"]["status"] for frame in again.frames] == ["accepted", "arrived"]


def test_what_comes_while_another_tells_is_told_by_them(stage: Stage) -> None:
    """`todo`: the holder does not let go before it is empty, and the order of things is kept."""
    gateway = stage.world.gateway
    posting, go_on = threading.Event(), threading.Event()

    def hold(connection_id: str, frame: str) -> None:
        gateway.before_post = lambda connection_id, frame: None
        posting.set()
        assert go_on.wait(10)

    gateway.before_post = hold
    actor, delivery = stage.dan.actor, stage.world.waybill.courier_orders
    holder = threading.Thread(target=delivery.accept_order, args=(actor, int(stage.order_id)))
    holder.start()
    assert posting.wait(10)
    stage.step("arrived")
    stage.step("picked")
    assert stage.heard() == ["assigned"]
    go_on.set()
    holder.join(10)
    assert stage.heard() == ["assigned", "accepted", "arrived", "picked_up"]
    assert gateway.overlaps == 0


def test_one_who_wakes_after_the_lease_changes_nothing(stage: Stage) -> None:
    """A zombie: frozen in the middle of a post, until others have done its work and more."""
    gateway = stage.world.gateway

    def freeze(connection_id: str, frame: str) -> None:
        gateway.before_post = lambda connection_id, frame: None
        stage.world.pass_time(LEASE_TIME.total_seconds() + 12)
        stage.step("arrived")

    gateway.before_post = freeze
    stage.step("accept")
    assert stage.heard() == ["assigned", "accepted", "arrived", "accepted"]  # its last breath
    stage.step("picked")
    stage.world.pass_time(60)
    assert stage.heard()[4:] == ["picked_up"]
    assert [version for _, version in stage.logged()] == [1, 1, 2, 3, 4]
    assert stage.world.queue.dead == []


def test_a_holder_out_of_time_notes_how_far_it_came(stage: Stage) -> None:
    """No post is begun when the lease is about to end, and the next holder goes on from there:
    however much waits, it is all told in the end."""
    stage.hers.close()
    for verb in ("accept", "arrived", "picked"):
        stage.step(verb)
    for _ in range(8):
        stage.world.place(stage.cara)
    stage.world.queue.waiting.clear()
    gateway, clock = stage.world.gateway, stage.world.clock
    began = clock.now
    gateway.before_post = lambda connection_id, frame: clock.advance(0.65)
    again = stage.world.connect(stage.cara, greet=False)
    stage.world.pass_time(30)
    heard = [(f["data"]["order_id"], f["data"]["status"]) for f in again.frames]
    assert len(set(heard)) == 3 + 8
    assert len(heard) == 11  # with one socket it is known to a frame how far that came
    assert heard.count(heard[0]) == 1
    assert clock.now - began == timedelta(seconds=30)
    assert MailboxRow.get("cara").lease is None


def test_notes_that_expire_make_nothing_be_told_twice(stage: Stage) -> None:
    """What is in the log is known for 15 minutes by a note, and then by the log itself."""
    stage.step("accept")
    stage.world.clock.advance((APPLIED_KEPT_FOR + timedelta(minutes=1)).total_seconds())
    stage.world.place(stage.cara)  # another stream: now the old notes are dropped
    stage.step("arrived")
    stage.world.pass_time(60)
    statuses = ["assigned", "accepted", "no_nearby_driver", "arrived"]
    assert stage.heard() == statuses
    assert len(stage.logged()) == 6


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
def test_an_answer_that_gets_lost_does_no_harm(stage: Stage, operation: str) -> None:
    """The SDK sends again what was not answered; what is done knows itself."""
    client = stage.world.engine.connection.client
    with answers_lost(client, operation) as lost:
        stage.step("accept")
    assert lost == [operation]
    with answers_lost(client, operation):
        other = stage.world.place(stage.cara)
    stage.world.pass_time(60)
    assert stage.heard() == ["assigned", "accepted", "no_nearby_driver"]
    assert other["status"] == "no_nearby_driver"
    assert stage.world.order(stage.order_id).version == 2


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
def test_a_write_that_meets_a_transaction_waits_for_it(stage: Stage, operation: str) -> None:
    """DynamoDB refuses single writes to an item in a transaction; no engine at hand does."""
    client = stage.world.engine.connection.client
    with conflicts(client, operation, times=2) as refused:
        stage.step("accept")
    assert refused == [operation] * 2
    assert stage.heard() == ["assigned", "accepted"]


def let_time_pass(stage: Stage) -> None:
    """Until every wakeup has been handled, whoever died of one meanwhile."""
    for _ in range(5):
        with suppress(Crash):
            stage.world.pass_time(60)


def ask_again_if_need_be(stage: Stage, verb: str) -> None:
    """As clients do: whoever died may have died before anything was written."""
    for _ in range(4):
        with suppress(Crash):
            stage.step(verb)
            return


def three_orders(stage: Stage, dice: Random) -> None:
    """Hers, one after the other to the door, while whoever tells her keeps dying."""
    crashes = [crash for crash, _ in CRASHES.values()]
    for _ in range(3):
        let_time_pass(stage)
        stage.world.courier("dan")  # where they are by now
        try:
            stage.order_id = stage.world.place(stage.cara)["id"]
        except Crash:
            active = stage.world.waybill.customer_orders.poll_active_order("dan")
            stage.order_id = str(active.id if active else None)
        for verb in STEPS:
            if dice.random() < 0.7:
                dice.choice(crashes)(stage)
            ask_again_if_need_be(stage, verb)
            with suppress(Crash):
                stage.world.pass_time(dice.choice((0, 0, 1, 6, 12)))


@pytest.mark.parametrize("seed", range(6))
def test_an_id_stands_for_one_event_however_often_somebody_dies(
    make_world: MakeWorld, dynamo: Engine, seed: int
) -> None:
    """P-04, P-05: what was posted before a death is posted again under the same id, if at all."""
    stage = Stage(make_world, dynamo)
    feed = a_feed(stage.world, a_profile(stage.world, stage.cara), *TOLD_BY_THE_FEED)
    for verb in STEPS:
        stage.step(verb)
    three_orders(stage, Random(seed))
    let_time_pass(stage)
    events = [frame for frame in feed.frames if "event_id" in frame]
    told = {(f["event_id"], f["event_type"], str(f["data"])) for f in events}
    assert len({id_ for id_, _, _ in told}) == len(told) == 4 * len(TOLD_BY_THE_FEED)
    assert len(stage.logged()) == 4 * 6
    heard = {(f["data"]["order_id"], f["data"]["status"]) for f in stage.hers.frames}
    assert len(heard) == 4 * 5
    stage.world.pass_time(300)  # a wakeup comes after each wait at a pickup, whoever has left
    assert stage.world.queue.waiting == stage.world.queue.dead == []
