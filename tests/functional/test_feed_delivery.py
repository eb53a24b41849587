"""Spec 003: who hears which event, when, and what waits for somebody who is away."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.errors import PostFailed
from chalicelib.store.mailboxes import MailboxTable
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import MakeWorld
from tests.functional.feeds import a_feed, a_profile, types_of
from tests.functional.world import Someone, World

ALL = ("order_created", "delivery_accepted", "delivery_completed")


def deliver(world: World, cara: Someone, dan: Someone, **changes: Any) -> str:
    """One order from the shop to the door; its id."""
    order_id = str(world.place(cara, **changes)["id"])
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert world.step(verb, order_id, dan).status == 200
    return order_id


def test_an_order_of_spec_000_is_heard_by_its_customer_on_the_feed(world: World) -> None:
    """S3-16, S3-19, S3-20, X18."""
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    socket = a_feed(world, cara, *ALL)
    socket.take()
    deliver(world, cara, dan)
    assert types_of(socket.take()) == list(ALL)


def test_only_what_was_subscribed_to_and_only_ones_own(world: World) -> None:
    """S3-10."""
    dan = a_profile(world, world.courier("dan"))
    cara, eve = (a_profile(world, world.customer(id_)) for id_ in ("cara", "eve"))
    one, other = a_feed(world, cara, "delivery_completed"), a_feed(world, eve, *ALL)
    couriers = a_feed(world, dan, *ALL)
    deliver(world, cara, dan)
    assert types_of(one.take()) == ["delivery_completed"]
    assert types_of(other.take()) == []
    assert types_of(couriers.take()) == []


def test_what_was_unsubscribed_is_not_heard(world: World) -> None:
    """S3-05."""
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    socket = a_feed(world, cara, *ALL)
    socket.say({"type": "unsubscribe", "events": ["delivery_accepted"]})
    deliver(world, cara, dan)
    assert types_of(socket.take()) == ["order_created", "delivery_completed"]


def test_what_happened_while_away_comes_in_order_after_subscribing(world: World) -> None:
    """Ambiguity d: the queue for those who are offline."""
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    orders = [deliver(world, cara, dan) for _ in range(2)]
    socket = a_feed(world, cara)
    assert socket.take() == []
    frames = socket.say({"type": "subscribe", "events": list(ALL)})
    assert frames[0]["type"] == "subscription_updated"
    assert types_of(frames) == list(ALL) * 2
    assert [frame["data"].get("order_id") for frame in frames[1::3]] == orders
    again = a_feed(world, cara, *ALL)
    assert types_of(again.frames) == []


def test_what_another_contract_has_heard_still_waits_for_the_feed(world: World) -> None:
    """A person's sockets of spec 000 and of spec 003 have queues of their own."""
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    plain = world.connect(cara)
    deliver(world, cara, dan)
    heard = plain.take()
    assert len(heard) == 5
    assert types_of(a_feed(world, cara, *ALL).frames) == list(ALL)
    assert plain.take() == []


def test_what_the_feed_has_heard_still_waits_for_another_contract(world: World) -> None:
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    socket = a_feed(world, cara, *ALL)
    deliver(world, cara, dan)
    assert types_of(socket.take()) == list(ALL)
    assert [f["data"]["status"] for f in world.connect(cara).take()][-1] == "delivered"
    assert socket.take() == []


def test_each_type_waits_for_its_own_subscription(world: World) -> None:
    """A page that subscribes part by part misses nothing, and hears nothing twice."""
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    deliver(world, cara, dan)
    socket = a_feed(world, cara)
    for type_ in reversed(ALL):
        assert types_of(socket.say({"type": "subscribe", "events": [type_]})) == [type_]
    deliver(world, cara, dan)
    assert types_of(socket.take()) == list(ALL)


def test_what_waited_longer_than_a_day_is_not_told(world: World) -> None:
    """Ambiguity d: up to 24 h."""
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    deliver(world, cara, dan)
    world.clock.advance(24 * 3600)
    assert types_of(a_feed(world, cara, *ALL).frames) == []


def test_an_event_that_is_told_again_has_the_same_id(make_world: MakeWorld) -> None:
    """S3-09: unique, and stable across redelivery. Whoever told it dies before it is noted; one
    socket can't be posted to at first."""
    mailboxes = CrashingProxy(MailboxTable())
    world = make_world(mailboxes=mailboxes)
    cara = a_profile(world, world.customer("cara"))
    sockets = [a_feed(world, cara, *ALL), a_feed(world, cara, *ALL)]
    world.gateway.fail(sockets[1].id, PostFailed("for now"))
    mailboxes.crash_at("before", "release_lease")
    with pytest.raises(Crash):
        world.place(cara)
    world.pass_time(60)
    ids = [[frame["event_id"] for frame in socket.take()] for socket in sockets]
    assert len(ids[0]) == 2
    assert {*ids[0], *ids[1]} == {ids[1][0]}
    world.place(cara)
    assert sockets[0].take()[0]["event_id"] != ids[0][0]


def test_every_event_has_the_whole_envelope(world: World) -> None:
    """S3-08."""
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    socket = a_feed(world, cara, *ALL)
    deliver(world, cara, dan)
    for event in socket.take():
        assert set(event) == {
            "event_type",
            "event_level",
            "event_id",
            "timestamp",
            "user_id",
            "data",
            "source",
        }
        assert event["user_id"] == "cara"
        assert event["event_level"] in ("critical", "high", "medium", "low")
        assert event["timestamp"] == "2031-05-06T07:08:09.000Z"
