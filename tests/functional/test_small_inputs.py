"""Empty ids, and JSON that is too large or nested too deeply, on every door that takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain.people import Role
from tests.functional.kitchen import Kitchen, Packets, Plain, a_driver
from tests.functional.rides import a_driver as a_ride_driver
from tests.functional.test_bad_input import WITH_BODY, filled, people
from tests.functional.world import World

EMPTY = ["", " ", "\t\n"]
DEEP = '{"a":' * 1000 + "1" + "}" * 1000
LARGE = json.dumps({"a": "x" * 70_000})
DEEP_AND_LARGE = "[" * 70_000


@pytest.mark.parametrize("id_", EMPTY)
def test_an_empty_id_is_400_as_every_empty_text(world: World, id_: str) -> None:
    dan, cara = world.courier(), world.customer()
    asked: list[tuple[str, dict[str, Any], Any]] = [
        *((f"courier/orders/{verb}", {"order_id": id_}, dan) for verb in ("accept", "decline")),
        *((f"courier/orders/{verb}", {"order_id": id_}, dan) for verb in ("arrived", "picked")),
        *((f"courier/orders/{verb}", {"order_id": id_}, dan) for verb in ("reached", "delivered")),
        ("courier/orders/accept", {"order_id": "1", "courier_id": id_}, dan),
        ("payments", {"order_id": id_, "method": "card"}, cara),
        ("riders/payment", {"ride_id": id_, "method": "card"}, cara),
        ("riders/rate/driver", {"ride_id": id_, "rating": 5}, cara),
        ("admin/orders/1/assign", {"courier_id": id_}, world.admin()),
    ]
    for path, body, by in asked:
        answer = world.post(f"/v1/{path}", body, by)
        assert (answer.status, answer.body["error"]) == (400, "invalid_input"), (path, answer)


@pytest.mark.parametrize("id_", EMPTY)
def test_an_empty_id_on_a_socket_is_a_wrong_payload(world: World, id_: str) -> None:
    driver = a_ride_driver(world)
    for event in ("accept_ride", "start_ride", "complete_ride", "cancel_ride", "get_ride_state"):
        assert driver.ask(event, ride_id=id_)["code"] == "INVALID_PAYLOAD", event
    ((name, data),) = Plain(world, a_driver(world)).emit("accept-order", {"orderId": id_})
    assert (name, data) == ("error", {"message": "Invalid order ID."})


def test_400_and_413_mean_what_they_say(world: World) -> None:
    everybody = people(world)
    for method, path in WITH_BODY:
        for who in everybody:
            for body, status, word in (
                (DEEP, 400, "nested too deeply"),
                (LARGE, 413, "65536 bytes"),
                (DEEP_AND_LARGE, 413, "65536 bytes"),
                ("{", 400, "not valid JSON"),
            ):
                answer = world.call(method, filled(path, "4711"), body.encode(), who)
                if answer.status in (401, 403, 404):  # not for them, whatever it says
                    continue
                assert answer.status == status, (method, path, who.role, answer)
                assert word in answer.body["message"], answer


@pytest.mark.parametrize("sent", [DEEP, LARGE, DEEP_AND_LARGE, "{"])
def test_on_every_socket_they_are_an_error_and_it_stays_open(world: World, sent: str) -> None:
    kitchen = Kitchen(world)
    sockets = [
        world.connect(world.courier()),
        world.connect(world.customer()),
        world.connect(world.courier("7"), "drivers"),
        Plain(world, kitchen.customer).socket,
        a_ride_driver(world).socket,
    ]
    for socket in sockets:
        socket.take()
        (frame,) = socket.say(sent)
        assert "error" in json.dumps(frame)
        assert socket.id not in world.gateway.closed
    packets = Packets(world, kitchen.owner)
    (packet,) = packets.send_packet(f'42/orders,["get-restaurant-orders",{sent}]')
    assert packet.startswith('42/orders,["error"')
    assert packets.socket.id not in world.gateway.closed
    socket = world.connect(world.someone(Role.CUSTOMER, "fay"), "feed")
    (frame,) = socket.say(sent)
    assert frame["type"] == "error"  # and it ends: it never authenticated


def test_a_shop_without_a_profile_is_named_by_its_id(world: World) -> None:
    """S3-21."""
    kitchen = Kitchen(world)
    kitchen.update(kitchen.place(), "confirmed")
    (told,) = [
        event
        for event in world.get("/websocket/events/user/123", kitchen.customer).body["data"]
        if event["event_type"] == "order_confirmed"
    ]
    assert told["data"]["shop_name"] == "789"
