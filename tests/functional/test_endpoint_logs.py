"""An endpoint is one more recipient: its log, by which way ever, and whoever knows of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from chalicelib import wiring
from chalicelib.contracts.webhooks.body import render_body
from chalicelib.domain.messaging.mailboxes import APPLIED_KEPT_FOR, MAX_APPLIED
from chalicelib.domain.webhooks.registry import EndpointRegistry
from chalicelib.services.messaging.endpoints import MAX_ENDPOINTS_AT_ONCE
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import MailboxRow
from tests.builders import DEPOT, north_of
from tests.faults import Crash, CrashingProxy
from tests.functional import schedules
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.endpoints import Registry, Sends, told, told_types
from tests.functional.kitchen import ORDER
from tests.functional.test_amending import amend
from tests.functional.world import World

DELIVERED = [
    "order.placed",
    "order.offered",
    "order.accepted",
    "order.arrived",
    "order.picked_up",
    "order.delivered",
]


STEPS = ("accept", "arrived", "picked", "delivered")


class Shop:
    """A world whose registry and webhook queue are at hand; what tells of its orders can die."""

    def __init__(self, make_world: MakeWorld, engine: Engine) -> None:
        self.registry, self.sends = Registry(), Sends()
        self.orders = CrashingProxy(OrderTable(engine.connection))
        self.mailboxes = CrashingProxy(MailboxTable())
        self.queue = CrashingProxy(self.sends)
        self.world: World = make_world(
            endpoints=self.registry,
            webhook_queue=self.queue,
            orders=self.orders,
            mailboxes=self.mailboxes,
        )
        self.dan, self.cara = self.world.courier(), self.world.customer()

    def place(self, **changes: Any) -> str:
        """An order that is offered to dan."""
        return str(self.world.place(self.cara, **changes)["id"])

    def step(self, verb: str, order_id: str) -> None:
        assert self.world.step(verb, order_id, self.dan).status == 200

    def add_endpoint(self, id_: str = "shop", **fields: Any) -> None:
        """An endpoint from this moment on."""
        self.registry.add(id_, created_at=self.world.clock.now, **fields)

    def are_all_sent(self, endpoint_id: str = "shop") -> bool:
        """Whether the queue has had a message for each event of the log, in order."""
        sent = self.sends.list_seqs(endpoint_id)
        return list(dict.fromkeys(sent)) == [event.seq for event in told(endpoint_id)]


@pytest.fixture
def shop(make_world: MakeWorld, dynamo: Engine) -> Shop:
    return Shop(make_world, dynamo)


def test_an_order_is_told_step_by_step_at_once(shop: Shop) -> None:
    shop.registry.add()
    order_id = shop.place(external_id="A-1", metadata={"till": "7"})
    for verb in STEPS:
        shop.step(verb, order_id)
    assert told_types() == DELIVERED
    assert shop.sends.list_seqs() == [1, 2, 3, 4, 5, 6]
    orders = [msgspec.json.decode(render_body(event))["data"]["order"] for event in told()]
    assert [order["version"] for order in orders] == [1, 1, 2, 3, 4, 5]
    assert {order["external_id"] for order in orders} == {"A-1"}
    assert orders[2]["courier"]["id"] == "dan"
    shop.world.pass_time(60)
    assert told_types() == DELIVERED
    assert shop.sends.list_seqs() == [1, 2, 3, 4, 5, 6]  # no wakeup sends them again


def test_an_endpoint_hears_of_what_it_asks_for_and_of_its_own(shop: Shop) -> None:
    shop.registry.add("ends", events=("order.delivered",))
    shop.registry.add("kitchen", merchant_ids=("kitchen",))
    order_id = shop.place()
    for verb in STEPS:
        shop.step(verb, order_id)
    shop.world.pass_time(60)
    assert told_types("ends") == ["order.delivered"]
    assert told_types("kitchen") == []


def test_an_endpoint_of_which_the_committer_does_not_know_is_told_by_the_wakeup(
    shop: Shop,
) -> None:
    """Also where everybody else has been told, and the wakeup would end with a look at that."""
    hers = shop.world.connect(shop.cara)
    order_id = shop.place()
    shop.world.pass_time(10)
    shop.add_endpoint()
    shop.step("accept", order_id)
    assert [frame["data"]["status"] for frame in hers.frames] == ["assigned", "accepted"]
    assert told_types() == []
    shop.world.pass_time(6)
    assert told_types() == ["order.accepted"]
    assert shop.are_all_sent()


def test_entries_stay_until_an_endpoint_that_nobody_knew_of_has_them(shop: Shop) -> None:
    """Rule 4 of mailboxes.py: more commits than an outbox keeps, before any wakeup."""
    order_id = shop.place()
    shop.world.clock.advance(1)
    shop.add_endpoint()
    for verb in STEPS:
        shop.step(verb, order_id)
        shop.world.clock.advance(1)
    shop.world.pass_time(60)
    assert told_types() == DELIVERED[2:]
    assert [event.version for event in told()] == [2, 3, 4, 5]
    assert shop.are_all_sent()


def test_of_two_lambdas_the_one_that_knows_tells_what_the_other_committed_first(
    shop: Shop, dynamo: Engine
) -> None:
    order_id = shop.place()  # here the registry is read
    shop.world.clock.advance(1)
    shop.add_endpoint()
    shop.step("accept", order_id)
    assert told_types() == []
    other = World(
        dynamo,
        clock=shop.world.clock,
        queue=shop.world.queue,
        gateway=shop.world.gateway,
        endpoints=shop.registry,
        webhook_queue=shop.sends,
    )
    assert other.step("arrived", order_id, shop.dan).status == 200
    assert told_types() == ["order.accepted", "order.arrived"]
    wiring.use(shop.world.waybill)
    shop.step("picked", order_id)
    wiring.use(other.waybill)
    other.pass_time(60)
    assert told_types() == ["order.accepted", "order.arrived", "order.picked_up"]
    assert shop.are_all_sent()


def test_a_stage_that_never_had_an_endpoint_reads_the_registry_twice_a_minute(shop: Shop) -> None:
    shop.registry.now = EndpointRegistry()
    order_id = shop.place()
    shop.world.pass_time(6)
    for verb in STEPS:
        shop.step(verb, order_id)
        shop.world.pass_time(6)
    assert shop.registry.reads <= 2


def test_a_crowd_of_endpoints_is_told_by_the_wakeup_beyond_a_dozen(shop: Shop) -> None:
    names = [f"shop-{n}" for n in range(MAX_ENDPOINTS_AT_ONCE + 2)]
    for name in names:
        shop.registry.add(name, events=("order.accepted",))
    order_id = shop.place()
    shop.step("accept", order_id)
    assert [bool(told(name)) for name in names] == [True] * MAX_ENDPOINTS_AT_ONCE + [False] * 2
    shop.world.pass_time(6)
    assert {tuple(told_types(name)) for name in names} == {("order.accepted",)}


def test_what_happened_before_an_endpoint_was_created_is_not_told(shop: Shop) -> None:
    order_id = shop.place()
    shop.step("accept", order_id)
    shop.world.clock.advance(1)
    shop.add_endpoint()
    shop.world.clock.advance(40)
    shop.step("arrived", order_id)
    assert told_types() == ["order.arrived"]
    shop.world.pass_time(60)
    assert told_types() == ["order.arrived"]


def test_a_registry_that_cannot_be_read_stops_no_order(shop: Shop) -> None:
    shop.registry.add()
    shop.registry.is_down = True
    order_id = shop.place()
    for verb in STEPS:
        shop.step(verb, order_id)
        shop.world.clock.advance(1)
    assert told_types() == []
    shop.registry.is_down = False
    shop.world.pass_time(120)
    assert told_types() == DELIVERED
    assert shop.are_all_sent()


def test_a_webhook_queue_that_does_not_answer_stops_no_order(shop: Shop) -> None:
    shop.registry.add()
    shop.sends.is_down = True
    order_id = shop.place()
    for verb in STEPS:
        shop.step(verb, order_id)
    assert shop.sends.sent == []
    shop.sends.is_down = False
    shop.world.pass_time(120)
    assert told_types() == DELIVERED
    assert shop.are_all_sent()
    assert shop.world.queue.dead == []


def test_a_dormant_order_s_end_is_told_though_nobody_else_hears_of_it(shop: Shop) -> None:
    shop.registry.add()
    at = (shop.world.clock.now + timedelta(hours=5)).isoformat()
    order_id = shop.place(pickup_from=at)
    assert shop.world.post(f"/v1/orders/{order_id}/cancel", {}, shop.cara).status == 200
    assert told_types() == ["order.scheduled", "order.cancelled"]
    shop.world.pass_time(60)
    assert told_types() == ["order.scheduled", "order.cancelled"]
    assert len(shop.sends.sent) == 2


def test_what_happens_to_a_scheduled_order_is_told_though_nobody_else_hears_of_it(
    shop: Shop,
) -> None:
    shop.registry.add()
    shop.registry.add("begins", events=("order.activated",))
    order = schedules.place(shop.world, shop.cara)
    assert amend(shop.world, order, shop.cara, notes="Ring twice").status == 200
    shop.world.clock.advance(3600)
    shop.world.courier()
    shop.world.sweep()
    shop.world.pass_time(6)
    assert told_types() == [
        "order.scheduled",
        "order.amended",
        "order.activated",
        "order.offered",
    ]
    assert [event.version for event in told()] == [1, 2, 3, 3]
    amended, activated = (msgspec.json.decode(render_body(event)) for event in told()[1:3])
    assert amended["data"]["order"]["notes"] == "Ring twice"
    assert activated["data"]["order"]["state"] == "searching"
    assert told_types("begins") == ["order.activated"]
    assert shop.are_all_sent()
    assert shop.are_all_sent("begins")


CRASHES: dict[str, Callable[[Shop], None]] = {
    "after_commit": lambda s: s.orders.crash_at("after", "commit_order"),
    "before_lease": lambda s: s.mailboxes.crash_at("before", "acquire_lease"),
    "after_lease": lambda s: s.mailboxes.crash_at("after", "acquire_lease"),
    "during_post": lambda s: s.queue.crash_at("before", "send_sends"),
    "after_post": lambda s: s.queue.crash_at("after", "send_sends"),
    "before_release": lambda s: s.mailboxes.crash_at("before", "release_lease"),
    "after_release": lambda s: s.mailboxes.crash_at("after", "release_lease"),
}


@pytest.mark.parametrize(
    ("name", "knows"),
    [*((name, True) for name in CRASHES), ("after_commit", False), ("after_post", False)],
)
def test_after_a_crash_each_change_is_logged_once_in_order(
    shop: Shop, name: str, knows: bool
) -> None:
    """At each point of mailboxes.py; by a process that knows of the endpoint, or does not. The
    customer is told by the same calls: whose lease it is that dies differs."""
    if knows:
        shop.registry.add()
    order_id = shop.place()
    shop.world.pass_time(6)
    if not knows:
        shop.add_endpoint()
    CRASHES[name](shop)
    for verb in STEPS:
        with suppress(Crash):
            shop.step(verb, order_id)
            continue
        shop.step(verb, order_id)  # as whoever got no answer asks again
    shop.world.pass_time(700)  # until the last wakeup, of a wait that ended
    assert told_types() == (DELIVERED if knows else DELIVERED[2:])
    versions = [event.version for event in told()]
    assert versions == sorted(versions)
    assert shop.are_all_sent()
    assert shop.world.queue.waiting == shop.world.queue.dead == []
    row = MailboxRow.get("webhook#shop")
    assert not row.pending
    assert row.lease is None


def test_a_crash_of_the_endpoint_s_own_lease_repeats_messages_and_omits_none(shop: Shop) -> None:
    """Nobody but the endpoint hears of it: the lease that dies is its own."""
    shop.registry.add()
    order_id = shop.place()
    shop.world.pass_time(6)
    shop.queue.crash_at("after", "send_sends")
    with pytest.raises(Crash):
        shop.step("accept", order_id)
    assert shop.sends.list_seqs() == [1, 2, 3]
    assert told_types() == DELIVERED[:2]  # not written yet: the sender finds nothing
    shop.world.pass_time(30)
    assert told_types() == DELIVERED[:3]
    assert shop.sends.list_seqs() == [1, 2, 3, 3]


def test_payments_are_told_to_those_of_the_order_s_merchant_and_to_all_others(shop: Shop) -> None:
    shop.registry.add("all", events=("payment.initiated",))
    shop.registry.add("kitchen", merchant_ids=("kitchen",))
    meal = shop.world.post("/v1/restaurants/kitchen/orders", ORDER, shop.cara)
    for order_id in (shop.place(), meal.body["id"]):
        body = {"order_id": order_id, "method": "card"}
        assert shop.world.post("/v1/payments", body, shop.cara).status == 201
    assert told_types("all") == ["payment.initiated"] * 2
    assert told_types("kitchen") == ["order.placed", "payment.initiated"]


def test_positions_are_told_to_who_asks_and_only_every_twenty_seconds(shop: Shop) -> None:
    shop.registry.add("map", events=("courier.position",))
    shop.registry.add("shop")
    order_id = shop.place(dropoff_lat=DEPOT[0], dropoff_lng=DEPOT[1] + 0.1)

    def move(metres: float, seconds: float) -> None:
        lat, lng = north_of(DEPOT, metres)
        answer = shop.world.post("/v1/courier/location", {"lat": lat, "lng": lng}, shop.dan)
        assert answer.status == 200
        shop.world.pass_time(seconds)

    move(1, 5)
    assert told_types("map") == []  # it is merely offered
    shop.step("accept", order_id)
    for metres in range(2, 12):
        move(metres, 5)
    events = told("map")
    assert [event.type for event in events] == ["courier.position"] * 3
    gaps = [b.at - a.at for a, b in pairwise(events)]
    assert gaps == [timedelta(seconds=20)] * 2
    body = msgspec.json.decode(render_body(events[0]))
    assert body["data"]["order"]["id"] == order_id
    assert body["data"]["position"]["lat"] == pytest.approx(north_of(DEPOT, 2)[0])
    assert re.fullmatch(r"2031-05-06T\d\d:\d\d:\d\d\.\d{3}Z", body["data"]["position"]["at"])
    assert "courier.position" not in told_types("shop")
    assert shop.are_all_sent("map")


def test_nothing_is_told_twice_long_after(shop: Shop) -> None:
    """A wakeup of days ago, and one that comes when the head has dropped its note."""
    shop.registry.add()
    order_id = shop.place()
    shop.world.pass_time(6)
    shop.step("accept", order_id)
    message = shop.world.queue.waiting[-1]
    shop.world.pass_time(APPLIED_KEPT_FOR.total_seconds() + 60)
    shop.world.queue.again(message)
    shop.world.pass_time(600)
    assert told_types().count("order.accepted") == 1


def test_many_orders_at_once_leave_their_wakeups_nothing_to_do(shop: Shop) -> None:
    """An endpoint has one lease for all orders: wakeups must not queue for it to find all done."""
    shop.add_endpoint()
    shop.world.pass_time(120)
    for _ in range(MAX_APPLIED + 12):
        shop.place()
    holder = MailboxRow.get("webhook#shop").last_holder
    shop.world.pass_time(8)
    assert MailboxRow.get("webhook#shop").last_holder == holder
    assert shop.are_all_sent()
