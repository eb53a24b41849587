"""The dispatcher's board over its socket: ticks, and what each of those who watch is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib import wiring
from chalicelib.domain.messaging.wakeups import TickDue, decode_wakeup, encode_wakeup
from chalicelib.domain.ops.ticks import BUSY_FOR
from chalicelib.domain.ops.zones import find_zone
from chalicelib.domain.people import Role
from chalicelib.errors import PostFailed
from chalicelib.services.ops.telling import PAUSE
from chalicelib.store.tables import RoomRow
from chalicelib.store.ticks import TickTable
from chalicelib.store.watchers import WatcherTable
from tests.builders import DEPOT, north_of
from tests.functional.conftest import MakeWorld
from tests.functional.consoles import Console
from tests.functional.kitchen import an_owner, placed
from tests.functional.world import World

AWAY = north_of(DEPOT, 200_000)


class Died(BaseException):
    """The process dies."""


def count_ticks(world: World) -> int:
    return sum('"tick"' in message.body for message in world.queue.waiting)


# What is told


def test_a_board_is_shown_whole_then_how_it_differs(world: World) -> None:
    console = Console(world, world.admin())
    (snapshot,) = console.take()
    assert (snapshot["type"], snapshot["orders"], snapshot["zone"]) == ("snapshot", [], None)
    dan = world.courier()
    order_id = world.place(world.customer())["id"]
    (delta,) = console.wait()
    assert delta["type"] == "delta"
    assert console.orders[order_id]["offered_to"] == "dan"
    assert console.couriers["dan"]["order_id"] == order_id
    assert delta["figures"]["searching"] == 1
    for verb, state in (("accept", "accepted"), ("arrived", "at_pickup"), ("picked", "in_transit")):
        world.step(verb, order_id, dan)
        console.wait()
        assert console.states == {order_id: state}
    world.step("delivered", order_id, dan)
    (delta,) = console.wait()
    assert delta["removed"] == [order_id]
    assert console.couriers["dan"]["order_id"] is None


def test_silence_is_broken_by_figures_alone(world: World) -> None:
    console = Console(world, world.admin())
    console.take()
    at = world.clock.now
    for _ in range(3):
        while not (frames := console.wait(1)):
            assert world.clock.now - at < timedelta(seconds=10)
        assert [(f["type"], f["orders"], f["figures"]["orders"]) for f in frames] == [
            ("delta", [], 0)
        ]
        at = world.clock.now


def test_a_second_has_one_frame_however_much_happens(world: World) -> None:
    console = Console(world, world.admin(), zone=str(find_zone(DEPOT, 5)))
    console.take()
    for n in range(8):
        world.place(world.customer(f"c-{n}"))
        assert len(console.wait(0.5)) <= 1
    assert len(console.orders) == 8
    assert len(console.socket.frames) <= 1 + 5


def test_each_frame_has_a_later_position(world: World) -> None:
    console = Console(world, world.admin())
    world.place(world.customer())
    console.wait(20)
    positions = [frame["pos"].split(".") for frame in console.socket.frames]
    assert len({epoch for epoch, _ in positions}) == 1
    numbers = [int(number) for _, number in positions]
    assert numbers == sorted(set(numbers))


def test_a_zone_shows_its_own(world: World) -> None:
    here = Console(world, world.admin(), zone=str(find_zone(DEPOT, 5)))
    there = Console(world, world.admin("bea"), zone=str(find_zone(AWAY, 5)))
    world.courier("dan")
    order_id = world.place(world.customer())["id"]
    world.pass_time(2)
    here.take(), there.take()
    assert (list(here.orders), list(here.couriers)) == ([order_id], ["dan"])
    assert (there.orders, there.couriers) == ({}, {})
    world.post(
        "/v1/courier/location", {"lat": AWAY[0], "lng": AWAY[1]}, world.courier("dan", at=None)
    )
    world.pass_time(2)
    here.take(), there.take()
    assert list(here.couriers) == []
    assert list(there.couriers) == ["dan"]


@pytest.mark.parametrize(
    "query",
    [
        {"zone": "nowhere"},
        {"zone": str(find_zone(DEPOT, 6))},
        {"zone": f" {find_zone(DEPOT, 5)}"},
        {"zone": "Ⅷ" * 15},
        {"zone": "\0"},
        {"zone": "8" * 10_000},
        {"from": "yesterday"},
    ],
)
def test_what_is_no_zone_or_position_is_refused(world: World, query: dict[str, str]) -> None:
    assert world.connect(world.admin(), "ops", query=query).status == 400
    assert world.queue.next_due() is None


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.COURIER])
def test_it_is_for_admins_and_merchants(world: World, role: Role) -> None:
    assert world.connect(world.someone(role, "eve"), "ops").status == 403
    assert world.connect(None, "ops").status == 401


def test_a_client_pings_and_is_told_what_it_said_wrong(world: World) -> None:
    socket = world.connect(world.admin(), "ops")
    socket.take()
    (pong,) = socket.say({"type": "ping"})
    assert pong["type"] == "pong"
    (error,) = socket.say({"type": ["ping"]})
    assert (error["type"], error["code"]) == ("error", "invalid_input")


def test_each_frame_has_a_position_that_is_good_for_what_its_client_has(world: World) -> None:
    """Answers and last words, too: clients take it from whatever came last."""
    socket = world.connect(world.someone(Role.ADMIN, "ada", valid_s=30), "ops")
    early = socket.say({"type": "ping"})
    (shown,) = [frame for frame in (*early, *socket.take()) if frame["type"] == "snapshot"]
    (pong,) = socket.say({"type": "ping"})
    assert pong == {"type": "pong", "pos": shown["pos"]}
    (error,) = socket.say({"type": "?"})
    assert error["pos"] == shown["pos"]
    later = world.someone(Role.ADMIN, "ada", valid_s=60)
    (refreshed, *_) = socket.say({"type": "refresh", "token": later.token})
    assert refreshed == {"type": "refreshed", "pos": shown["pos"]}
    world.pass_time(80)
    assert socket.frames[-1]["type"] == "error"
    assert all("pos" in frame for frame in socket.frames)
    epoch = shown["pos"].split(".")[0]
    assert {frame["pos"].split(".")[0] for frame in socket.frames} == {epoch}


@contextmanager
def without_positions(world: World) -> Iterator[None]:
    """Let no call be answered that asks where on the board somebody is."""
    events, name = world.engine.connection.client.meta.events, "before-call.dynamodb.GetItem"

    def fail(params: Any, **_: Any) -> None:
        if RoomRow.Meta.table_name in params["body"].decode():
            raise EndpointConnectionError(endpoint_url="")

    events.register_first(name, fail)
    try:
        yield
    finally:
        events.unregister(name, fail)


def test_an_answer_is_left_out_while_its_position_can_not_be_read(world: World) -> None:
    socket = world.connect(world.admin(), "ops")
    socket.take()
    with without_positions(world):
        assert socket.say({"type": "ping"}) == socket.say({"type": "?"}) == []
    assert [frame["type"] for frame in socket.say({"type": "ping"})] == ["pong"]


def test_a_token_ends_its_socket_while_no_position_can_be_read(world: World) -> None:
    socket = world.connect(world.someone(Role.ADMIN, "ada", valid_s=30), "ops")
    socket.take()
    with without_positions(world):
        world.pass_time(80)
    assert socket.id in world.gateway.closed


# Merchants


def test_a_merchant_sees_its_own_orders_and_who_has_them(world: World) -> None:
    mine = an_owner(world, "789", id_="mia")
    console, rival = Console(world, mine), Console(world, an_owner(world, "790", id_="ron"))
    world.courier("dan"), world.courier("eva")
    own = str(placed(world, world.customer(), "789")["id"])
    secret = str(placed(world, world.customer("carl"), "790")["id"])
    parcel = world.place(world.customer("cora"))["id"]
    world.pass_time(2)
    console.take(), rival.take()
    assert list(console.orders) == [own]
    assert list(rival.orders) == [secret]
    assert console.socket.frames[-1]["figures"]["orders"] == 1
    assert console.couriers == {}
    cancelled = world.post(f"/v1/orders/{secret}/cancel", {}, world.customer("carl"))
    assert cancelled.status == 200
    world.pass_time(2)
    again = Console(world, mine, **{"from": console.pos})
    for one in (console, again):
        one.take()
        assert [name for name in (secret, parcel, "790", "dan", "eva") if name in one.said] == []
    rival.take()
    assert rival.orders == {}


def test_a_merchant_sees_who_has_its_order_and_not_who_is_asked(world: World) -> None:
    """What it has placed itself is its own, too."""
    mia = an_owner(world, "789", id_="mia")
    console = Console(world, mia)
    dan = world.courier()
    world.courier("eva")
    order_id = world.place(world.customer("mia"))["id"]
    console.wait()
    assert (console.states, console.couriers) == ({order_id: "offered"}, {})
    assert "dan" not in console.said
    world.step("accept", order_id, dan)
    console.wait()
    assert (console.orders[order_id]["courier_id"], list(console.couriers)) == ("dan", ["dan"])
    world.post(f"/v1/orders/{order_id}/cancel", {}, world.customer("mia"))
    (delta,) = console.wait()
    assert (delta["removed"], delta["removed_couriers"]) == ([order_id], ["dan"])
    assert "eva" not in console.said


# Resuming


def test_a_position_is_answered_by_what_came_after_it(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    gone = world.place(cara)["id"]
    console = Console(world, world.admin())
    console.take()
    stays = world.place(world.customer("carl"))["id"]
    console.wait()
    console.socket.close()
    world.post(f"/v1/orders/{gone}/cancel", {}, cara)
    new = world.place(world.customer("cora"))["id"]
    world.pass_time(300)  # nobody watches: there are no ticks
    back = Console(world, world.admin(), **{"from": console.pos})
    resumed, delta = back.take()
    assert (resumed["type"], resumed["from"], resumed["to"]) == (
        "resumed",
        console.pos,
        delta["pos"],
    )
    assert delta["removed"] == [gone]
    assert {row["id"] for row in delta["orders"]} >= {new}
    assert delta["reset"] == ["couriers"]
    assert [row["id"] for row in delta["couriers"]] == ["dan"]
    assert stays in console.orders
    assert dan.id in back.couriers


@pytest.mark.parametrize("asked", ["0000000000000000.1", "EPOCH.99", "EPOCH.0"])
def test_a_position_of_no_tick_is_a_gap(world: World, asked: str) -> None:
    world.place(world.customer())
    console = Console(world, world.admin())
    console.take()
    epoch = console.pos.split(".")[0]
    asked = asked.replace("EPOCH", epoch)
    back = Console(world, world.admin(), **{"from": asked})
    gap, snapshot = back.wait(1)
    assert (gap["type"], gap["from"], gap["oldest"]) == ("gap", asked, f"{epoch}.1")
    assert snapshot["type"] == "snapshot"
    assert len(back.orders) == 1


def test_a_position_is_good_for_an_hour(world: World) -> None:
    console = Console(world, world.admin())
    console.take()
    console.socket.close()
    world.pass_time(3700)
    back = Console(world, world.admin(), **{"from": console.pos})
    assert [frame["type"] for frame in back.take()] == ["gap", "snapshot"]


def test_from_now_on_begins_with_all(world: World) -> None:
    console = Console(world, world.admin(), **{"from": "now"})
    resumed, snapshot = console.take()
    assert (resumed["type"], resumed["to"]) == ("resumed", snapshot["pos"])


@pytest.mark.parametrize(("asked", "kinds"), [("pos", "resumed delta"), ("x.1", "gap snapshot")])
def test_a_zone_s_socket_is_answered_in_one_second_and_shown_the_rest_in_the_next(
    world: World, asked: str, kinds: str
) -> None:
    zone = str(find_zone(DEPOT, 5))
    console = Console(world, world.admin(), zone=zone)
    console.take()
    console.socket.close()
    order_id = world.place(world.customer())["id"]
    world.clock.advance(2)
    start = console.pos if asked == "pos" else "0000000000000000.1"
    back = Console(world, world.admin(), zone=zone, **{"from": start})
    first, second = kinds.split()
    assert [frame["type"] for frame in back.take()] == [first]
    assert [frame["type"] for frame in back.wait(1)] == [second]
    assert list(back.orders) == [order_id]
    assert [frame["type"] for frame in back.wait(1)] == []


# Ticks


def test_nobody_watches_nothing_is_done(world: World) -> None:
    console = Console(world, world.admin())
    console.wait(5)
    console.socket.close()
    world.pass_time(5)
    assert world.queue.next_due() is None
    back = Console(world, world.admin())
    assert [frame["type"] for frame in back.take()] == ["snapshot"]
    back.socket.lose()  # nobody is told
    world.pass_time(15)
    assert world.queue.next_due() is None
    assert WatcherTable().list_watchers(world.clock.now) == []


def test_a_wakeup_that_comes_twice_makes_no_second_tick(world: World) -> None:
    console = Console(world, world.admin())
    console.take()
    for _ in range(5):
        for message in [one for one in world.queue.waiting if '"tick"' in one.body]:
            world.queue.send_wakeups([(decode_wakeup(message.body), timedelta(seconds=1))])
        world.place(world.customer(f"c-{len(console.orders)}"))
        frames = console.wait(1)
        assert len(frames) <= 1
    console.wait(2)
    assert count_ticks(world) == 1
    numbers = [frame["pos"] for frame in console.socket.frames]
    assert len(set(numbers)) == len(numbers)


def test_a_lost_wakeup_is_made_up_for(world: World) -> None:
    console = Console(world, world.admin())
    console.take()
    world.queue.waiting.clear()
    order_id = world.place(world.customer())["id"]
    world.queue.waiting.clear()
    world.pass_time(60)
    assert console.take() == []
    world.sweep()  # looks whether the connection lives
    console.wait(1)
    assert order_id in console.orders
    world.queue.waiting.clear()
    world.pass_time(10)
    other = Console(world, world.admin("bea"))  # and who connects looks, too
    assert order_id in {row["id"] for row in other.take()[0]["orders"]}


def test_who_dies_while_telling_is_made_up_for(world: World) -> None:
    one, other = Console(world, world.admin()), Console(world, world.admin("bea"))
    one.take(), other.take()
    order_id = world.place(world.customer())["id"]

    def die(connection_id: str, frame: str) -> None:
        if connection_id == other.socket.id:
            raise Died

    world.gateway.before_post = die
    with pytest.raises(Died):
        world.pass_time(2)
    world.gateway.before_post = lambda connection_id, frame: None
    world.pass_time(BUSY_FOR.total_seconds() + 2)
    one.take(), other.take()
    assert list(one.orders) == list(other.orders) == [order_id]
    assert count_ticks(world) == 1


def test_who_dies_before_the_next_wakeup_is_made_up_for(world: World) -> None:
    console = Console(world, world.admin())
    console.take()
    order_id = world.place(world.customer())["id"]
    world.pump()
    world.queue.down = True
    world.pass_time(1)
    world.queue.down = False
    world.pass_time(200)  # the queue shows the same wakeup again
    console.take()
    assert list(console.orders) == [order_id]
    assert count_ticks(world) == 1


def test_processes_in_turns_leave_nothing_out(make_world: MakeWorld) -> None:
    first = make_world()
    second = make_world(clock=first.clock, gateway=first.gateway, queue=first.queue)
    console = Console(first, first.admin())
    dan = first.courier()
    placed = []
    for n in range(12):
        wiring.use((first, second)[n % 2].waybill)
        if n % 3 == 0:
            placed.append(first.place(first.customer(f"c-{n}"))["id"])
        if n == 4:
            first.step("accept", placed[0], dan)
        if n == 8:
            first.post(f"/v1/orders/{placed[1]}/cancel", {}, first.customer("c-3"))
        console.wait(1)
    console.wait(2)
    fresh = Console(first, first.admin("bea"))
    fresh.wait(1)
    assert console.states == fresh.states
    assert console.couriers.keys() == fresh.couriers.keys() == {"dan"}


def test_a_large_board_is_read_less_often(make_world: MakeWorld) -> None:
    world = make_world(settings={"ops_reads_per_s": 1})
    for n in range(6):
        world.place(world.customer(f"c-{n}"))
    console = Console(world, world.admin())
    console.take()
    world.pass_time(30)
    state = TickTable().get_state()
    assert state
    assert state.interval >= timedelta(seconds=6)
    assert state.number <= 2 + 30 / 6
    # Who comes meanwhile does not wait for it.
    world.clock.advance(1)
    other = Console(world, world.admin("bea"))
    assert [frame["type"] for frame in other.take()] == ["snapshot"]


# Sockets that can't be posted to


def test_a_socket_that_stalls_keeps_nobody_waiting_and_is_shown_all_later(world: World) -> None:
    stalled, fine = Console(world, world.admin()), Console(world, world.admin("bea"))
    stalled.take(), fine.take()
    world.gateway.fail(stalled.socket.id, PostFailed("429"))
    order_id = world.place(world.customer())["id"]
    assert fine.wait(2)
    assert stalled.take() == []
    world.pass_time(PAUSE.total_seconds() + 3)
    frames = stalled.take()
    assert [frame["type"] for frame in frames[:2]] == ["pong", "snapshot"]
    assert frames[0]["pos"].endswith(".0")  # of which it may have missed anything
    assert list(stalled.orders) == [order_id]


def test_a_newer_token_prolongs_it_without_showing_all_again(world: World) -> None:
    socket = world.connect(world.admin(), "ops")
    socket.take()
    world.clock.advance(1)
    later = world.someone(Role.ADMIN, "ada", exp=4_102_444_800)
    socket.say({"type": "refresh", "token": later.token})
    world.pass_time(3)
    assert "snapshot" not in [frame["type"] for frame in socket.take()]


def test_messages_of_other_ticks_are_passed_over(world: World) -> None:
    world.queue.send_wakeups([(TickDue("gone", 3), timedelta(0))])
    world.pump()
    assert world.queue.next_due() is None
    assert encode_wakeup(TickDue("gone", 3)) == '{"type":"tick","epoch":"gone","number":3}'
