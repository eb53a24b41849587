"""Positions that clients hold: each device gets all that is kept after its own, or is told of a
gap, on every contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from chalicelib.store.tables import EventRow, MailboxRow
from tests.functional.devices import PARTIES, Customer, Device, Party
from tests.functional.feeds import a_profile, an_auth
from tests.functional.kitchen import HANDSHAKE, Plain, an_owner, placed
from tests.functional.world import World


@pytest.fixture(params=PARTIES, ids=lambda kind: kind.__name__.lower())
def party(request: pytest.FixtureRequest, world: World) -> Party:
    kind: Callable[[World], Party] = request.param
    return kind(world)


def test_each_device_of_one_person_is_told_all_after_its_own_position(party: Party) -> None:
    """Whatever the other has heard, or the person's own place says."""
    phone = party.connect("now")
    assert phone.answer.name == "resumed"
    assert phone.answer.data["from"] == phone.answer.data["to"]
    tablet = party.connect("now")
    party.happen()
    assert phone.places
    assert phone.places == tablet.places
    assert len(set(phone.places)) >= 1
    tablet.socket.close()
    party.happen()
    back = party.connect(tablet.places[-1])
    assert back.answer.name == "resumed"
    assert back.answer.data["from"] == tablet.places[-1]
    assert back.told == party.lasting(phone.told[len(tablet.told) :])
    party.happen()
    assert party.lasting(back.told) == party.lasting(phone.told[len(tablet.told) :])


def test_a_position_of_another_epoch_or_ahead_of_the_log_is_a_gap(party: Party) -> None:
    """Then everything that is kept is told."""
    phone = party.connect("now")
    party.happen()
    epoch, _, seq = phone.answer.data["to"].split("~")[0].partition(".")
    rest = phone.answer.data["to"].partition("~")[2]
    ahead = (int(seq) + 99, 10**20 - 1)
    for place in (f"0{epoch}.1", *(f"{epoch}.{far}" for far in ahead)):
        asked = f"{place}~{rest}".rstrip("~")
        device = party.connect(asked)
        assert device.answer.name == "gap"
        assert device.answer.data["from"] == asked
        assert party.lasting(device.told)[-1:] == party.lasting(phone.told)[-1:]
        assert {f.pos for f in party.lasting(phone.told)} <= set(device.places)
        device.socket.close()


def test_what_is_kept_no_more_is_a_gap(party: Party) -> None:
    phone = party.connect("now")
    party.happen()
    phone.socket.close()
    party.world.clock.advance(timedelta(days=9).total_seconds())
    party.world.pass_time(1)
    if isinstance(party, Customer):
        party.world.courier("dan")
    party.someone = party.make()
    party.happen()
    back = party.connect(phone.answer.data["to"])
    assert back.answer.name == "gap"
    assert back.told
    assert not set(back.places) & set(phone.places)
    again = party.connect(back.places[-1])
    assert again.answer.name == "resumed"
    assert not again.told


@pytest.mark.parametrize(
    "asked", ["", "nonsense", "a.b", "a.1~", "a.-1", "a.1 ", "NOW", "a." + "9" * 30]
)
def test_what_is_no_position_is_refused_before_the_socket_opens(world: World, asked: str) -> None:
    for contract, by in (("customer", world.customer()), ("feed", None), ("rides", None)):
        assert world.connect(by, contract, query={"from": asked}).status == 400


@pytest.mark.parametrize("asked", [5, "", "nonsense", True, ["a.1"], {}])
def test_what_is_no_position_is_refused_in_band(world: World, asked: Any) -> None:
    cara = a_profile(world, world.customer("cara"))
    feed = world.connect(None, "feed")
    feed.say(an_auth(cara, **{"from": asked}))
    assert feed.frames[-1]["type"] == "error"
    assert feed.frames[-1]["code"] == "invalid_input"
    socket = world.connect(None, "socketio", query=HANDSHAKE)
    socket.say(f"40/orders,{json.dumps({'token': cara.token, 'from': asked})}")
    assert socket.texts[-1].startswith("44/orders,")


def test_who_does_not_ask_sees_no_difference(world: World) -> None:
    party = Customer(world)
    stock = world.connect(party.someone)
    device = party.connect("now")
    party.happen()
    assert [set(frame) for frame in stock.frames] == [{"event", "data"}] * len(stock.frames)
    assert [f.data for f in device.told] == [frame["data"] for frame in stock.frames]


def test_an_ordinary_connection_hears_what_a_device_has_heard_and_the_other_way(
    world: World,
) -> None:
    """A position neither reads the person's own place nor moves it."""
    party = Customer(world)
    device = party.connect("now")
    party.happen()
    assert device.told
    device.socket.close()
    stock = world.connect(party.someone)
    assert [frame["data"] for frame in stock.frames] == [f.data for f in device.told]
    stock.close()
    back = party.connect(device.answer.data["to"])
    assert back.told == device.told
    back.socket.close()
    assert world.connect(party.someone).frames == []


def test_what_is_older_than_a_day_is_told_as_long_as_it_is_kept(world: World) -> None:
    party = Customer(world)
    device = party.connect("now")
    party.happen()
    device.socket.close()
    world.clock.advance(timedelta(days=7).total_seconds())
    assert party.connect(device.answer.data["to"]).told == device.told


def test_what_is_missing_amid_what_is_kept_is_said(world: World) -> None:
    """Whatever ate it: nothing is passed over without a word."""
    party = Customer(world)
    device = party.connect("now")
    for _ in range(12):
        world.courier("dan")
        party.happen()
    device.socket.close()
    rows = sorted(EventRow.query("cara"), key=lambda row: int(row.seq))
    assert len(rows) > 1
    rows[1].delete()
    back = party.connect(device.answer.data["to"])
    assert [f.name for f in back.frames if f.name in ("resumed", "gap")] == ["resumed", "gap"]
    lost = [frame.pos for frame in device.told if frame not in back.told]
    at = [frame.name for frame in back.frames].index("gap")
    assert lost
    assert back.frames[at + 1].pos == device.places[device.places.index(lost[-1] or "") + 1]


def test_a_log_that_was_lost_is_another(world: World) -> None:
    party = Customer(world)
    device = party.connect("now")
    party.happen()
    device.socket.close()
    MailboxRow("cara").delete()
    back = party.connect(device.places[-1])
    assert back.answer.name == "gap"
    back.socket.close()
    world.courier("dan")
    party.happen()
    again = party.connect(device.places[-1])
    assert (again.answer.name, bool(again.told)) == ("gap", True)


def test_a_type_that_is_subscribed_to_later_starts_at_the_position_too(world: World) -> None:
    cara = a_profile(world, world.customer())
    dan = world.courier("dan")
    feed = Device(world.connect(None, "feed"))
    feed.socket.say(an_auth(cara, **{"from": "now"}))
    order = world.place(cara)["id"]
    world.step("accept", order, dan)
    assert [f.name for f in feed.frames] == ["authenticated"]
    feed.socket.say({"type": "subscribe", "events": ["nothing"]})
    feed.socket.say({"type": "subscribe", "events": ["order_created"]})
    for verb in ("arrived", "picked"):
        world.step(verb, order, dan)
    feed.socket.say({"type": "subscribe", "events": ["delivery_accepted", "delivery_completed"]})
    world.step("delivered", order, dan)
    assert [f.name for f in feed.frames] == [
        "authenticated",
        "subscription_updated",
        "resumed",
        "subscription_updated",
        "order_created",
        "subscription_updated",
        "delivery_accepted",
        "delivery_completed",
    ]


def test_a_device_goes_on_when_its_token_is_renewed(world: World) -> None:
    """And is told nothing twice."""
    party = Customer(world)
    device = party.connect("now")
    party.happen()
    told = len(device.told)
    world.clock.advance(60)
    device.socket.say({"event": "refresh", "data": {"token": world.customer("cara").token}})
    world.courier("dan")
    party.happen()
    assert len(device.told) == 2 * told
    assert len(set(device.places)) == len(device.places)


@pytest.mark.parametrize("seed", range(4))
def test_an_owner_of_several_restaurants_misses_nothing_wherever_the_link_is_cut(
    world: World, seed: int
) -> None:
    """A position covers every log that its connection hears: all of it comes, some of it twice."""
    random = Random(seed)
    restaurants = ("789", "790", "791")
    owner = an_owner(world, *restaurants)
    whole = Plain(world, owner)
    position, heard = "now", set()
    device: Device | None = None
    for _ in range(30):
        if device is None and random.random() < 0.4:
            device = Device(world.connect(owner, "food", query={"from": position}))
            assert device.answer.name == "resumed"
            position = position if position != "now" else device.answer.data["to"]
        if device or position != "now":
            placed(world, world.customer("123"), random.choice(restaurants))
        if device and random.random() < 0.4:
            seen = device.told[: random.randrange(len(device.told) + 1)]  # the rest got lost
            heard |= {frame.data["order"]["id"] for frame in seen}
            position = seen[-1].pos or "" if seen else position
            device.socket.close()
            device = None
    if device:
        device.socket.close()
    last = Device(world.connect(owner, "food", query={"from": position}))
    heard |= {frame.data["order"]["id"] for frame in last.told}
    assert heard == {data["order"]["id"] for _, data in whole.heard()}
    assert len(position) < 100


def test_owners_are_repeated_no_more_than_what_one_connection_heard(world: World) -> None:
    """What a position says of the other logs is as of its connection's beginning."""
    owner = an_owner(world, "789", "790")
    position = "now"
    for _ in range(3):
        device = Device(world.connect(owner, "food", query={"from": position}))
        for restaurant in ("789", "790"):
            placed(world, world.customer("123"), restaurant)
        assert len(device.told) <= 3
        position = device.places[-1]
        device.socket.close()


def test_a_restaurant_that_is_new_to_an_owner_is_a_gap(world: World) -> None:
    one = Device(world.connect(an_owner(world, "789"), "food", query={"from": "now"}))
    placed(world, world.customer("123"), "790")
    both = an_owner(world, "789", "790")
    device = Device(world.connect(both, "food", query={"from": one.answer.data["to"]}))
    assert device.answer.name == "gap"
    assert len(device.told) == 1
    less = Device(world.connect(an_owner(world, "789"), "food", query={"from": device.places[-1]}))
    assert less.answer.name == "resumed"
