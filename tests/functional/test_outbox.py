"""An order's outbox is short, and still nothing leaves it untold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from chalicelib.domain.details import OrderDetails, Place
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.messaging.wakeups import GreetingDue, RelayDue, Wakeup
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import CourierTaken
from chalicelib.services.messaging.leases import LEASE_TIME
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.orders import OrderTable
from chalicelib.wiring import build
from tests.fakes import failure_of
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.world import World

ANA, BEN = Actor("ana", Role.CUSTOMER), Actor("ben", Role.COURIER)
STEPS = (commands.Arrive(), commands.PickUp(), commands.ReachDropoff(), commands.Deliver())


class Heard:
    """A gateway that keeps what is posted."""

    def __init__(self) -> None:
        self.frames: list[str] = []

    def post_frame(self, connection_id: str, frame: str) -> None:
        self.frames.append(frame)

    def post_frames(self, posts: Sequence[tuple[str, str]]) -> list[Exception | None]:
        return [failure_of(self.post_frame, id_, frame) for id_, frame in posts]

    def is_connected(self, connection_id: str) -> bool:
        return True

    def get_last_active(self, connection_id: str) -> None:
        return None

    def close_connection(self, connection_id: str) -> None:
        return None


class Unsent:
    """A queue that keeps what is sent."""

    def __init__(self) -> None:
        self.wakeups: list[Wakeup] = []

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        self.wakeups += [wakeup for wakeup, _ in wakeups]


def test_what_is_left_to_a_busy_mailbox_stays_in_the_outbox_until_it_is_told(
    dynamo: Engine,
) -> None:
    """P-04, P-05: five steps while another holds the customer's mailbox, and then dies."""
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    heard, queue = Heard(), Unsent()
    waybill = build(dynamo.settings(), clock=lambda: now, gateway=heard, queue=queue)
    waybill.courier_status.set_available(BEN, True)
    waybill.connections.on_connect(
        Connection("a", "customer", now, person_id=ANA.id, role=ANA.role)
    )
    waybill.wakeup_handler.handle_wakeup(GreetingDue("a"))
    job = OrderDetails("delivery", ANA.id, Place("Mill 1"), Place("Lane 2"), now)
    order = waybill.customer_orders.place_order(job).order

    assert MailboxTable().acquire_lease(ANA.id, "one who dies", now, now + LEASE_TIME)
    waybill.courier_orders.accept_order(BEN, order.id)
    for step in STEPS:
        waybill.courier_orders.take_step(BEN, order.id, step)
    assert len(heard.frames) == 1

    now += LEASE_TIME + timedelta(seconds=1)
    for relay in [w for w in queue.wakeups if isinstance(w, RelayDue)]:
        waybill.wakeup_handler.handle_wakeup(relay)
    words = ("assigned", "accepted", "arrived", "picked_up", "delivered")
    assert [w for f in heard.frames for w in words if f'"status":"{w}"' in f] == list(words)


class Beaten:
    """The orders table, to whoever is beaten to their first courier."""

    def __init__(self, orders: OrderTable) -> None:
        self._orders = orders
        self.taken: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._orders, name)

    def commit_order(self, before: Order | None, after: Order, **how: Any) -> bool:
        if self.taken is None and after.occupied_courier_id:
            self.taken = after.occupied_courier_id
            raise CourierTaken(after.occupied_courier_id)
        return self._orders.commit_order(before, after, **how)


def test_the_wakeup_of_an_offer_is_good_for_whoever_gets_the_order_in_the_end(
    dynamo: Engine, make_world: MakeWorld
) -> None:
    """P-04: it goes out once, before it is known who that is, and so it names nobody."""
    orders = Beaten(OrderTable(dynamo.connection))
    world = make_world(orders=orders)
    world.courier("dan")
    world.courier("eve")
    order = world.order(world.place(world.customer())["id"])

    assert orders.taken not in (None, order.courier_id)
    named = [w.recipients for w, _ in world.queue.sent if isinstance(w, RelayDue)]
    assert named == [("cara",)]


def test_the_wakeup_of_an_offer_finds_the_courier_whom_it_does_not_name(world: World) -> None:
    """The customer has heard of the offer, and names the courier, who has not."""
    dan = world.courier()
    socket, now = world.connect(dan), world.clock()
    assert MailboxTable().acquire_lease("dan", "one who dies", now, now + LEASE_TIME)
    world.place(world.customer())
    assert socket.take() == []
    relay = next(w for w, _ in world.queue.sent if isinstance(w, RelayDue))
    world.clock.advance(LEASE_TIME.total_seconds() + 1)
    world.waybill.wakeup_handler.handle_wakeup(relay)
    assert [frame["event"] for frame in socket.take()] == ["order.assigned"]
