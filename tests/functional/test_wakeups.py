"""Wakeups: through the real queue, in batches, and more than a page of what is due."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.domain.messaging.wakeups import (
    AuthenticationDue,
    GreetingDue,
    OfferDue,
    RelayDue,
    decode_wakeup,
    encode_wakeup,
)
from chalicelib.domain.orders.model import Status
from chalicelib.edge.aws.queue import WakeupQueue
from chalicelib.errors import Unavailable
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import SHARDS
from tests.builders import NOW, an_offer, an_order
from tests.functional.conftest import QUEUE, Engine, MakeWorld
from tests.functional.world import World


@pytest.fixture
def real(make_engine_world: MakeWorld, engine: Engine) -> World:
    """A world whose wakeups go through SQS."""
    world: World = make_engine_world(queue=WakeupQueue(engine.sqs, QUEUE))
    return world


def batch(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]}


def delayed(engine: Engine) -> int:
    name = "ApproximateNumberOfMessagesDelayed"
    answer = engine.sqs.get_queue_attributes(QueueUrl=engine.queue_url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def test_what_is_due_now_comes_now_and_the_rest_waits(real: World, engine: Engine) -> None:
    dan = real.courier()
    real.place(real.customer())
    assert engine.wakeups() == []
    assert delayed(engine) == 2  # the relay in 5 s, the offer's end in 15 s
    socket = real.connect(dan, greet=False)
    (greet,) = engine.wakeups()
    assert decode_wakeup(greet) == GreetingDue(socket.id, courier_id="dan")
    assert real.invoke("wake", batch(greet)) == {"batchItemFailures": []}
    assert [frame["event"] for frame in socket.take()] == ["order.assigned"]


def test_a_queue_that_is_not_there_is_unavailable(engine: Engine) -> None:
    with pytest.raises(Unavailable):
        WakeupQueue(engine.sqs, "nowhere").send_wakeups([(GreetingDue("c="), timedelta(0))])


def test_of_a_batch_only_what_failed_comes_again(world: World) -> None:
    """A partial batch response: the others are done, and stay done."""
    dan = world.courier()
    world.place(world.customer())
    socket = world.connect(dan, greet=False)
    good, unknown = encode_wakeup(GreetingDue(socket.id)), encode_wakeup(RelayDue("order#1"))
    answer = world.invoke("wake", batch("nonsense", good, '{"type": "no_such"}', unknown))
    failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    assert failed == ["m0", "m2"]
    assert len(socket.take()) == 1


@pytest.mark.parametrize(
    "wakeup",
    [
        RelayDue("order#1"),
        RelayDue("order#1", 3, NOW),
        OfferDue(1, 1, NOW),
        GreetingDue("nobody="),
        AuthenticationDue("nobody="),
    ],
)
def test_a_wakeup_for_what_never_came_to_be_does_nothing(world: World, wakeup: Any) -> None:
    assert decode_wakeup(encode_wakeup(wakeup)) == wakeup
    for _ in range(2):
        assert world.invoke("wake", batch(encode_wakeup(wakeup))) == {"batchItemFailures": []}
    assert world.gateway.posted == world.queue.waiting == []


def test_an_offer_s_wakeup_that_comes_early_is_sent_on(world: World) -> None:
    """SQS takes 15 minutes at most, and clocks differ."""
    world.courier()
    order = int(world.place(world.customer())["id"])
    world.queue.waiting.clear()
    due = world.clock.now + timedelta(seconds=15)
    world.clock.advance(5)
    world.invoke("wake", batch(encode_wakeup(OfferDue(order, 1, due))))
    (message,) = world.queue.waiting
    assert (message.wakeup, message.due) == (OfferDue(order, 1, due), due)


def test_the_sweep_reads_every_page(dynamo: Engine) -> None:
    """S0-37: more due orders in one shard than a page holds, the longest overdue first"""
    orders, ids = OrderTable(dynamo.connection), [SHARDS * n for n in range(1, 103)]
    for id_ in ids:
        at = NOW - timedelta(seconds=id_)
        order = an_order(Status.SEARCHING, id=id_, next_search_at=at)
        orders.commit_order(None, replace(order, version=1))
    later = an_order(Status.OFFERED, id=8 * 200, offer=an_offer(), courier_id=None)
    orders.commit_order(None, later)
    assert [due.id for due in orders.list_due(NOW)] == ids[::-1]
