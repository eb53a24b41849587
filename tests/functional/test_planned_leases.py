"""An offer takes the lease of its courier's mailbox in its own transaction, if the mailbox is as it
was read a moment before; and whatever happened to it since, the offer is made and told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.domain.messaging.mailboxes import PlannedLease
from chalicelib.domain.orders.model import Status
from chalicelib.errors import CourierTaken
from chalicelib.services.messaging.leases import LEASE_TIME
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.mailbox_subscribers import add_subscriber, remove_subscriber
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import CourierRow, MailboxRow
from infra.erase.redaction import Redaction
from infra.erase.rows import rewrite_head
from tests.builders import DEPOT, an_order, north_of
from tests.faults import Crash, CrashingProxy, answers_lost, conflicts, leases_contended
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.world import Socket, World, log_of

PENDING = "order#4711@1"


class Meeting:
    """dan is connected and has declined an order of cara's. The lease of his mailbox is planned."""

    def __init__(self, world: World) -> None:
        self.world = world
        dan, cara = world.courier(), world.customer()
        self.his: Socket = world.connect(dan)
        self.declined_id = int(world.place(cara)["id"])
        world.step("decline", str(self.declined_id), dan)
        head, until = MailboxTable().get_eventually("dan"), world.clock.now + LEASE_TIME
        self.planned = PlannedLease(head, "the planner", until, PENDING)
        self.orders = OrderTable(world.engine.connection)

    def commit(self) -> bool:
        """Commit an offer to dan; tell whether his mailbox was leased by it."""
        order = an_order(Status.OFFERED)
        is_leased = self.orders.commit_order(None, order, lease=self.planned)
        assert self.orders.get_order(order.id).version == 1
        assert CourierRow.get("dan").order_id == order.id
        return is_leased

    # What may happen meanwhile

    def take_lease(self) -> None:
        now = self.world.clock.now
        assert MailboxTable().acquire_lease("dan", "another", now, now + LEASE_TIME)

    def write_head(self) -> None:
        now = self.world.clock.now
        box = MailboxTable().acquire_lease("dan", "another", now, now + LEASE_TIME)
        assert box
        assert MailboxTable().release_lease(box, "another", 0, now)

    def subscribe_another(self) -> None:
        connection = ConnectionTable().get_connection(self.his.id, self.world.clock.now)
        assert connection
        add_subscriber("dan", replace(connection, id="another"))

    def unsubscribe(self) -> None:
        remove_subscriber("dan", self.his.id)

    def erase_customer(self) -> None:
        redaction = Redaction("cara", "nobody", frozenset({self.declined_id}))
        rewrite_head(redaction, "dan", self.world.clock.now)

    def delete_head(self) -> None:
        MailboxRow("dan").delete()


def test_an_offer_takes_the_lease_of_a_mailbox_that_is_as_it_was_read(engine_world: World) -> None:
    meeting = Meeting(engine_world)
    assert meeting.commit()
    row = MailboxRow.get("dan")
    assert (row.lease, row.pending) == ("the planner", [PENDING])


MEANWHILE = [
    Meeting.take_lease,
    Meeting.write_head,
    Meeting.subscribe_another,
    Meeting.unsubscribe,
    Meeting.erase_customer,
    Meeting.delete_head,
]


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_what_happens_to_a_mailbox_meanwhile_hinders_the_lease_and_not_the_offer(
    world: World, meanwhile: Callable[[Meeting], None]
) -> None:
    meeting = Meeting(world)
    meanwhile(meeting)
    before = MailboxTable().get_mailbox("dan")
    assert not meeting.commit()
    assert MailboxTable().get_mailbox("dan") == before


def test_a_mailbox_that_another_write_holds_hinders_the_lease_and_not_the_offer(
    world: World,
) -> None:
    meeting = Meeting(world)
    client = world.engine.connection.client
    with leases_contended(client, "dan", times=1) as refused:
        assert not meeting.commit()
    assert refused == ["dan"]


def test_a_courier_who_is_taken_is_taken_whatever_became_of_the_lease(world: World) -> None:
    meeting = Meeting(world)
    meeting.take_lease()
    CourierRow("dan").update(actions=[CourierRow.order_id.set(12)])
    with pytest.raises(CourierTaken):
        meeting.commit()


def test_an_answer_that_gets_lost_leaves_the_lease_with_who_took_it(engine_world: World) -> None:
    """Sent again it finds its own lease, and keeps what became pending meanwhile."""
    meeting = Meeting(engine_world)
    client = engine_world.engine.connection.client
    with answers_lost(client, "TransactWriteItems") as lost:
        assert meeting.commit()
    assert lost == ["TransactWriteItems"]
    assert MailboxRow.get("dan").lease == "the planner"


class Told:
    """dan and eve are connected; cara's order is offered to dan. `orders` may die or wait."""

    def __init__(self, make_world: MakeWorld, engine: Engine) -> None:
        self.orders = CrashingProxy(OrderTable(engine.connection))
        ttl = timedelta(minutes=1)  # longer than a lease, or a dead holder's offer lapses untold
        self.world = make_world(orders=self.orders, settings={"delivery_offer_ttl": ttl})
        self.dan = self.world.courier()
        self.his = self.world.connect(self.dan)
        self.hers = self.world.connect(self.world.courier("eve", north_of(DEPOT, 200)))
        self.cara = self.world.customer()

    def place(self) -> str:
        return str(self.world.place(self.cara)["id"])


def list_offers(socket: Socket) -> list[str]:
    """List the orders that a courier was told of, one for each frame."""
    frames = socket.frames
    return [f["data"]["order_id"] for f in frames if f["event"] == "order.assigned"]


@pytest.fixture
def told(make_world: MakeWorld, dynamo: Engine) -> Told:
    return Told(make_world, dynamo)


def test_whoever_dies_after_the_commit_leaves_a_lease_that_runs_out(told: Told) -> None:
    told.orders.crash_at("after", "commit_order")
    with pytest.raises(Crash):
        told.place()
    assert MailboxRow.get("dan").pending
    told.world.pass_time(6)  # the wakeup comes, and finds it leased
    assert list_offers(told.his) == []
    told.world.pass_time(LEASE_TIME.total_seconds() + 2)
    assert len(list_offers(told.his)) == 1
    assert [event.seq for event in log_of("dan")] == [1]
    assert MailboxRow.get("dan").lease is None
    assert told.world.queue.dead == []


def test_an_offer_that_meets_a_newcomer_is_told_to_both_sockets_once(told: Told) -> None:
    """A second socket is let in between the look at the mailbox and the commit."""
    others: list[Socket] = []
    commit = told.orders._part.commit_order

    def slow(*args: Any, **kwargs: Any) -> bool:
        told.orders._part.commit_order = commit
        others.append(told.world.connect(told.dan))
        assert kwargs["lease"]
        return bool(commit(*args, **kwargs))

    told.orders._part.commit_order = slow
    order_id = told.place()
    told.world.pass_time(6)
    assert list_offers(told.his) == list_offers(others[0]) == [order_id]


def test_the_next_offer_takes_its_lease_just_so(told: Told) -> None:
    order_id = told.place()
    assert told.world.step("decline", order_id, told.dan).status == 200
    assert list_offers(told.hers) == [order_id]
    assert [event.seq for event in log_of("eve")] == [1]
    assert MailboxRow.get("eve").lease is None


def test_a_socket_that_ends_while_a_transaction_has_the_mailbox_is_forgotten_all_the_same(
    make_world: MakeWorld,
) -> None:
    """Six refusals are as many as the SDK waits for; a $disconnect comes but once."""
    pauses: list[float] = []
    world = make_world(pause=pauses.append)
    his = world.connect(world.courier())
    with conflicts(world.engine.connection.client, "UpdateItem", times=8) as refused:
        his.close()
    assert (len(refused), len(pauses)) == (8, 1)
    assert MailboxTable().get_mailbox("dan").subscribers == ()
