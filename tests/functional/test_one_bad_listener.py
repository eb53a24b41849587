"""One bad part hurts itself only: sockets that can't be posted to, events that can't be worded,
marks that can't be taken in."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.events import ORDER_ACCEPTED, Event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.mailboxes import MAX_APPLIED, STUCK_AFTER
from chalicelib.errors import FrameTooLarge, PostFailed
from chalicelib.services.messaging.leases import LEASE_TIME
from chalicelib.store.mailbox_subscribers import MAX_PENDING
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import MailboxRow, OrderRow
from tests.builders import DEPOT, north_of
from tests.faults import Crash, CrashingProxy, failing
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.world import Socket, Someone, World, log_of

FOR_EVER = 10_000


def statuses(socket: Socket) -> list[str]:
    return [frame["data"]["status"] for frame in socket.frames]


def orders_of(socket: Socket) -> list[str]:
    return [frame["data"]["order_id"] for frame in socket.frames]


def stall(world: World, socket: Socket, times: int = FOR_EVER, status: int = 429) -> None:
    """Let posts to a socket fail, as API Gateway says it."""
    world.gateway.fail(socket.id, *[PostFailed(f"@connections answered {status}")] * times)


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_socket_that_stalls_for_ever_keeps_nobody_else_from_hearing(
    world: World, status: int
) -> None:
    """Each event once, in order, at once; no dead letter; the sick one is closed."""
    cara = world.customer("cara")
    well, sick = world.connect(cara), world.connect(cara)
    stall(world, sick, status=status)
    placed = []
    for _ in range(15):
        placed.append(world.place(cara)["id"])
        assert orders_of(well) == placed
        world.pass_time(20)
    world.pass_time(600)
    assert orders_of(well) == placed
    assert sick.id in world.gateway.closed
    assert world.queue.dead == []
    assert world.queue.waiting == []


def test_a_socket_that_stalls_is_told_though_the_outbox_has_moved_on(world: World) -> None:
    """Nothing more happens to him, and the order has more versions than its outbox keeps."""
    dan, eve = world.courier("dan"), world.courier("eve", north_of(DEPOT, 200))
    well, sick = world.connect(dan), world.connect(dan)
    order = world.place(world.customer("cara"))["id"]
    stall(world, sick, times=2)
    world.pass_time(16)
    for verb in ("accept", "arrived", "picked", "delivered"):
        world.step(verb, order, eve)
    assert "order.assignment_timed_out" in [frame["event"] for frame in well.frames]
    world.pass_time(60)
    assert sick.frames == well.frames


def test_a_socket_that_is_gone_and_can_not_be_forgotten_now_has_nobody_told_twice(
    world: World,
) -> None:
    cara = world.customer("cara")
    gone, well = world.connect(cara), world.connect(cara)
    gone.lose()
    with failing(world.engine.connection.client, "DeleteItem", 500, "InternalServerError"):
        world.place(cara)
    world.pass_time(120)
    assert statuses(well) == ["no_nearby_driver"]


def test_a_socket_that_stalls_for_a_while_is_told_the_rest_in_order(world: World) -> None:
    cara = world.customer("cara")
    well, sick = world.connect(cara), world.connect(cara)
    stall(world, sick, times=3)
    placed = []
    for _ in range(3):
        placed.append(world.place(cara)["id"])
        world.pass_time(3)
    world.pass_time(60)
    assert orders_of(well) == orders_of(sick) == placed
    assert world.gateway.closed == []


def test_a_client_whose_socket_stalled_comes_again_and_is_served_from_its_place(
    world: World,
) -> None:
    """Whatever the other socket of its person heard meanwhile."""
    cara = world.customer("cara")
    well, sick = world.connect(cara), world.connect(cara)
    first = world.place(cara)["id"]
    world.pass_time(10)
    stall(world, sick)
    missed = []
    for _ in range(4):
        missed.append(world.place(cara)["id"])
        world.pass_time(STUCK_AFTER.total_seconds() / 2)
    assert sick.id in world.gateway.closed
    assert orders_of(sick) == [first]
    again = world.connect(cara)
    assert orders_of(again) == missed
    missed.append(world.place(cara)["id"])
    assert orders_of(again) == missed
    assert orders_of(world.connect(cara)) == []  # it was one client
    assert orders_of(well) == [first, *missed]


def test_nobodys_request_fails_for_a_socket_of_somebody_else(make_world: MakeWorld) -> None:
    """The events of the first steps are in nobody's log yet when the last one is taken."""
    mailboxes = CrashingProxy(MailboxTable())
    world = make_world(mailboxes=mailboxes)
    cara, dan = world.customer("cara"), world.courier("dan")
    hers = world.connect(cara)
    order = world.place(cara)["id"]
    world.pass_time(6)
    mailboxes.crash_at("before", "release_lease")
    with pytest.raises(Crash):
        world.step("accept", order, dan)
    world.queue.waiting.clear()
    for verb in ("arrived", "picked"):
        assert world.step(verb, order, dan).status == 200
    world.clock.advance(LEASE_TIME.total_seconds() + 1)
    stall(world, hers)
    assert world.step("delivered", order, dan).status == 200


def test_a_client_whose_answer_can_not_be_posted_is_no_fault_of_ours(world: World) -> None:
    """What it asked for is done; it asks again when it hears nothing."""
    dan = world.courier("dan")
    his = world.connect(dan)
    stall(world, his, times=1)
    assert his.say("nonsense") == []
    assert his.say("nonsense") != []


def test_an_outage_of_an_hour_closes_nobody_and_loses_nothing(world: World) -> None:
    """Where closing fails as well, the clients are not at fault."""
    cara = world.customer("cara")
    hers = world.connect(cara)
    down = _Outage(world)
    order = world.place(cara)["id"]
    world.pass_time(3600)
    down.end()
    world.pass_time(900)
    assert orders_of(hers) == [order]
    assert world.gateway.closed == []


class _Outage:
    """@connections answers nothing."""

    def __init__(self, world: World) -> None:
        self._gateway = world.gateway
        self._post, self._close = world.gateway.before_post, world.gateway.close_connection
        world.gateway.before_post = self._fail
        vars(world.gateway)["close_connection"] = self._fail

    def _fail(self, *_: str) -> None:
        raise PostFailed("@connections can't be reached")

    def end(self) -> None:
        self._gateway.before_post = self._post
        del vars(self._gateway)["close_connection"]


class Tongue:
    """A contract that can't word some events for some listeners."""

    def __init__(self, contract: Any, unknown: Callable[[Subscriber, Event], bool]) -> None:
        self._contract = contract
        self._unknown = unknown

    def __getattr__(self, name: str) -> Any:
        return getattr(self._contract, name)

    def render_event(self, event: Event, listener: Subscriber) -> Sequence[str]:
        if self._unknown(listener, event):
            raise KeyError("this version does not know it")
        return self._contract.render_event(event, listener)  # type: ignore[no-any-return]


def refuse_words(world: World, unknown: Callable[[Subscriber, Event], bool]) -> None:
    """Let contract `customer` fail to word an event for some listeners."""
    contracts: Any = world.waybill.contracts
    contracts["customer"] = Tongue(contracts["customer"], unknown)


@pytest.mark.parametrize("sockets", [1, 2])
def test_an_event_that_can_not_be_worded_is_left_out_and_logged(
    world: World, caplog: pytest.LogCaptureFixture, sockets: int
) -> None:
    cara, dan = world.customer("cara"), world.courier("dan")
    *others, last = [world.connect(cara) for _ in range(sockets)]
    refuse_words(world, lambda li, e: li.connection_id == last.id and e.type == ORDER_ACCEPTED)
    order = world.place(cara)["id"]
    with caplog.at_level(logging.ERROR):
        for verb in ("accept", "arrived", "picked", "delivered"):
            world.step(verb, order, dan)
            world.pass_time(12)
    world.pass_time(1800)
    assert statuses(last) == ["assigned", "arrived", "picked_up", "delivered"]
    for other in others:
        assert statuses(other) == ["assigned", "accepted", "arrived", "picked_up", "delivered"]
    assert [r for r in caplog.records if r.getMessage().startswith("parked: event order_accepted")]
    assert world.queue.waiting == world.queue.dead == []
    assert not MailboxRow.get("cara").pending


@pytest.mark.parametrize("query", [{}, {"from": "now"}])
def test_an_event_whose_post_fails_as_nobody_expected_is_not_left_out(
    world: World, query: dict[str, str]
) -> None:
    """As where there are no credentials for a moment: the frame is as good as any, and comes."""
    cara, dan = world.customer("cara"), world.courier("dan")
    socket, other = world.connect(cara, query=query), world.connect(cara, query=query)
    order = world.place(cara)["id"]
    world.gateway.fail(socket.id, *[RuntimeError("no credentials")] * 4)
    for verb in ("accept", "arrived", "picked", "delivered"):
        world.step(verb, order, dan)
        world.pass_time(4)
    world.pass_time(60)
    names = ["assigned", "accepted", "arrived", "picked_up", "delivered"]
    for each in (socket, other):
        told = [frame["data"]["status"] for frame in each.frames if frame["event"] != "resumed"]
        assert told == names


def test_a_frame_that_no_socket_takes_is_left_out_after_some_sockets(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The client comes again each time; in the end it hears what comes after."""
    cara = world.customer("cara")
    poison = world.place(cara)["id"]
    after = world.place(cara)["id"]

    def refuse(connection_id: str, frame: str) -> None:
        if poison in frame:
            raise PostFailed("@connections answered 400")

    world.gateway.before_post = refuse
    heard: list[str] = []
    for _ in range(8):
        hers = world.connect(cara)
        for _ in range(4):
            world.place(cara)
            world.pass_time(40)
        heard += orders_of(hers)
        world.gateway.drop(hers.id)
        if after in heard:
            break
    assert after in heard
    assert poison not in heard
    assert any("can't be posted" in record.getMessage() for record in caplog.records)


def test_a_frame_that_is_too_large_is_left_out(world: World) -> None:
    cara = world.customer("cara")
    one, two = world.connect(cara), world.connect(cara)
    world.gateway.fail(two.id, FrameTooLarge("413"))
    placed = [world.place(cara)["id"] for _ in range(2)]
    assert orders_of(one) == placed
    assert orders_of(two) == placed[1:]


def test_a_mark_that_can_not_be_taken_in_stops_nothing_else(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """An order that can't be decoded, left to a holder who died; and marks nobody understands."""
    cara, dan = world.customer("cara"), world.courier("dan")
    hers = world.connect(cara)
    bad = world.place(world.customer("eve"))["id"]
    assert world.step("decline", bad, dan).status == 200
    OrderRow(int(bad)).update(actions=[OrderRow.doc.set(b"garbage")])
    order = world.place(cara)["id"]
    world.pass_time(6)
    for mark in (f"order#{bad}@9", "nothing@1", "garbage", "order#x@1", "arrival#x@{", "new#1@2"):
        held = MailboxTable().acquire_lease(
            "cara", "dead", world.clock(), world.clock() + LEASE_TIME, mark
        )
        assert held or MailboxTable().enqueue_for_holder("cara", mark, world.clock())
    with caplog.at_level(logging.ERROR):
        for verb in ("accept", "arrived", "picked"):
            world.step(verb, order, dan)
            world.pass_time(12)
    assert statuses(hers) == ["assigned", "accepted", "arrived", "picked_up"]
    assert not MailboxRow.get("cara").pending
    assert any(r.getMessage().startswith("parked: order#") for r in caplog.records)


class Moody:
    """A store whose next call of `fail` can't be answered by its engine."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self.fail = ""

    def __getattr__(self, name: str) -> Any:
        if name == self.fail:
            self.fail = ""
            raise OSError("the engine is away")
        return getattr(self._part, name)


def test_a_lease_is_given_back_whatever_is_raised(make_world: MakeWorld) -> None:
    """The next one need not wait until it runs out."""
    mailboxes = Moody(MailboxTable())
    world = make_world(mailboxes=mailboxes)
    cara, dan = world.customer("cara"), world.courier("dan")
    hers = world.connect(cara)
    order = world.place(cara)["id"]
    mailboxes.fail = "list_events_from"
    world.step("accept", order, dan)
    assert MailboxRow.get("cara").lease is None
    world.pass_time(10)
    assert statuses(hers) == ["assigned", "accepted"]


def test_what_waits_for_a_holder_is_bounded_and_let_go_of_in_one_write(world: World) -> None:
    """A holder is dead while much happens: it must be possible to write the head afterwards."""
    cara = world.customer("cara")
    hers = world.connect(cara)
    assert MailboxTable().acquire_lease(
        "cara", "dead", world.clock(), world.clock() + timedelta(hours=1)
    )
    left = [
        MailboxTable().enqueue_for_holder(
            "cara", f"order#{1_000_000_000_000 + n}@{n}", world.clock()
        )
        for n in range(MAX_PENDING + 50)
    ]
    assert left.count(True) == MAX_PENDING
    assert len(MailboxRow.get("cara").pending) == MAX_PENDING
    order = world.place(cara)["id"]  # there is no room for it: its wakeup comes again
    world.clock.advance(3601)
    world.pass_time(120)
    assert orders_of(hers) == [order]
    assert not MailboxRow.get("cara").pending


def test_a_mark_is_left_once(world: World) -> None:
    assert MailboxTable().acquire_lease("cara", "dead", world.clock(), world.clock() + LEASE_TIME)
    assert MailboxTable().enqueue_for_holder("cara", "order#1@1", world.clock())
    assert not MailboxTable().enqueue_for_holder("cara", "order#1@1", world.clock())
    assert list(MailboxRow.get("cara").pending) == ["order#1@1"]


def test_a_busy_mailbox_is_told_no_old_step_again(world: World) -> None:
    """More streams than notes, more events than a page, and an order from before all of them."""
    cara, dan = world.customer("cara"), world.courier("dan")
    hers = world.connect(cara)
    order = world.place(cara)["id"]
    world.step("accept", order, dan)
    world.pass_time(17 * 60)
    for n in range(MAX_APPLIED + 12):
        world.clock.advance(1 if n % 10 else 20)
        world.place(cara)
    world.pass_time(60)
    assert len(MailboxTable().get_mailbox("cara").applied_versions) <= MAX_APPLIED
    world.step("arrived", order, dan)
    about_it = [f["data"]["status"] for f in hers.frames if f["data"]["order_id"] == order]
    assert about_it == ["assigned", "accepted", "arrived"]
    places = itertools.groupby(sorted((e.stream, e.version, e.ordinal) for e in log_of("cara")))
    assert all(len(list(same)) == 1 for _, same in places)


def test_what_comes_an_hour_late_is_told_all_the_same(make_world: MakeWorld) -> None:
    """The wakeups wait while Lambda is throttled: no age makes an event one that was told."""
    mailboxes = CrashingProxy(MailboxTable())
    world = make_world(mailboxes=mailboxes)
    cara, dan = world.customer("cara"), world.courier("dan")
    hers = world.connect(cara)
    order = world.place(cara)["id"]
    world.pass_time(6)
    mailboxes.crash_at("before", "acquire_lease")
    with pytest.raises(Crash):
        world.step("accept", order, dan)
    later(world, cara, hours=1)
    assert statuses(hers).count("accepted") == 1


def later(world: World, by: Someone, hours: float) -> None:
    """Nothing is delivered for so long; other things happen meanwhile, to the same person."""
    waiting, world.queue.waiting = world.queue.waiting, []
    world.clock.advance(hours * 3600)
    world.place(by)
    world.queue.waiting += waiting
    world.pass_time(60)


def test_a_mark_that_the_engine_could_not_be_asked_about_is_not_lost(
    make_world: MakeWorld, dynamo: Engine
) -> None:
    """The holder gives back what it took on, and only that."""
    orders = Moody(OrderTable(dynamo.connection))
    world = make_world(orders=orders)
    cara, dan = world.customer("cara"), world.courier("dan")
    hers = world.connect(cara)
    order = world.place(cara)["id"]
    world.pass_time(6)
    assert MailboxTable().acquire_lease("cara", "dead", world.clock(), world.clock() + LEASE_TIME)
    world.step("accept", order, dan)  # left to a holder who is dead
    world.queue.waiting.clear()
    world.clock.advance(LEASE_TIME.total_seconds() + 1)
    orders.fail = "get"
    world.place(cara)
    world.pass_time(60)
    assert sorted(statuses(hers)) == ["accepted", "assigned", "no_nearby_driver"]


def test_a_holder_whose_lease_is_anothers_takes_in_nothing_more(world: World) -> None:
    """What it would find to do is the other's, at places that the other has given."""
    cara, dan = world.customer("cara"), world.courier("dan")
    hers = world.connect(cara)
    order = world.place(cara)["id"]
    world.pass_time(6)

    def freeze(connection_id: str, frame: str) -> None:
        world.gateway.before_post = lambda *_: None
        world.clock.advance(LEASE_TIME.total_seconds() + 1)
        assert MailboxTable().acquire_lease(
            "cara", "other", world.clock(), world.clock() + LEASE_TIME
        )
        assert MailboxTable().enqueue_for_holder("cara", f"order#{order}@9", world.clock())

    world.gateway.before_post = freeze
    world.step("accept", order, dan)
    assert MailboxRow.get("cara").lease == "other"
    world.pass_time(60)
    assert statuses(hers)[-1] == "accepted"
    assert [event.seq for event in log_of("cara")] == [1, 2, 3]
