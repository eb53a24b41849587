"""The feed while everything happens at once, on both engines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from chalicelib.contracts.feed.events import TYPE_BY_NAME, decode_event_id
from chalicelib.domain.messaging.connections import name_person_room
from chalicelib.store.connections import ConnectionTable
from tests.functional.conftest import MakeWorld
from tests.functional.feeds import a_feed, a_profile, types_of

ORDERS = 10


def test_whoever_subscribes_while_events_come_misses_none_and_hears_each_once_in_order(
    make_engine_world: MakeWorld,
) -> None:
    """S3-09, S3-10, ambiguity d: the queue ends where the stream begins."""
    world = make_engine_world()
    cara = a_profile(world, world.customer("cara"))
    socket, plain = a_feed(world, cara), world.connect(cara)
    with ThreadPoolExecutor(4) as pool:
        orders = [pool.submit(world.place, cara) for _ in range(ORDERS)]
        orders[ORDERS // 4].result()
        assert socket.say({"type": "subscribe", "events": ["order_created"]})
        placed = {order.result()["id"] for order in orders}
    world.pass_time(60)
    heard = [frame for frame in socket.frames if "event_type" in frame]
    assert {frame["data"]["order_id"] for frame in heard} == placed
    places = [decode_event_id(frame["event_id"]) for frame in heard]
    assert places == sorted(set(places), key=lambda place: place or ("", 0))
    assert len(plain.frames) == ORDERS
    assert types_of(a_feed(world, cara, "order_created").frames) == []


def test_messages_of_one_socket_at_once_lose_no_subscription(make_engine_world: MakeWorld) -> None:
    """API Gateway may run a connection's messages side by side."""
    world = make_engine_world()
    socket = a_feed(world, a_profile(world, world.customer("cara")))
    names = ["order_created", "order_ready", "delivery_accepted", "payment_failed"]
    with ThreadPoolExecutor(4) as pool:
        messages = [{"type": "subscribe", "events": [name]} for name in names]
        list(pool.map(socket.say, [*messages, {"type": "heartbeat"}]))
    (answer,) = socket.say({"type": "subscribe", "events": []})
    assert sorted(answer["subscribed_events"]) == sorted(names)
    (listener,) = ConnectionTable().list_subscribers(name_person_room("cara"), world.clock.now)
    assert sorted(listener.subscriptions or ()) == sorted(TYPE_BY_NAME[name] for name in names)
    assert world.gateway.closed == []
