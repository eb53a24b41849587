"""What the clients ask for a sign of life is answered, on every contract, and says nothing more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from waybill import Event
from waybill.contracts import SILENT, is_pong, make_ping, read_frame, write_message

from tests.functional.devices import PARTIES, Customer, Party
from tests.functional.world import Someone, World


class Courier(Customer):
    """A courier on spec 000's own contract, which has no ping, as the customer's has none."""

    contract = "courier"

    def make(self) -> Someone:
        return self.world.courier("dan")


@pytest.mark.parametrize("kind", [*PARTIES, Courier], ids=lambda kind: kind.__name__.lower())
def test_a_client_that_asks_for_a_sign_of_life_has_one(
    world: World, kind: Callable[[World], Party]
) -> None:
    """Again and again: a half-open socket is one that answers nothing."""
    party = kind(world)
    contract = party.contract or "feed"
    socket = party.connect("now").socket
    world.pass_time(60)
    for _ in range(10):
        world.pass_time(30)
        before = len(socket.texts)
        socket.say(write_message(contract, make_ping(contract)))
        (text,) = socket.texts[before:]
        frame = read_frame(contract, text)
        if contract == "socketio":
            assert frame["packet"] == "40"
        else:
            event = Event(frame)
            assert event.type in SILENT or is_pong(contract, event, is_asked=True)
