"""A second socket that opens while the first is being told."""

from __future__ import annotations

from tests.functional.world import World


def test_a_socket_hears_what_was_told_to_another_before_it_was_greeted(world: World) -> None:
    """S0-06: from its opening on it hears everything, once."""
    cara, dan = world.customer(), world.courier()
    first = world.connect(cara)
    order = world.place(cara)["id"]
    world.clock.advance(0.01)

    second = world.connect(cara, greet=False)
    world.clock.advance(0.01)
    world.step("accept", order, dan)
    assert [frame["data"]["status"] for frame in first.frames] == ["assigned", "accepted"]
    assert second.frames == []

    world.pump()
    world.step("arrived", order, dan)
    assert [frame["data"]["status"] for frame in second.frames] == ["accepted", "arrived"]
    assert len(first.frames) == 3


def test_a_courier_who_opens_a_second_socket_hears_of_an_offer_once(world: World) -> None:
    """Resolution p of spec 000: its first frame tells of it, and nothing else does."""
    dan = world.courier()
    first = world.connect(dan)
    second = world.connect(dan, greet=False)
    world.clock.advance(0.01)
    world.place(world.customer())
    world.pump()
    for socket in (first, second):
        assert [frame["event"] for frame in socket.frames] == ["order.assigned"]
