"""Spec 001, "Authentication": who may speak on the rides sockets, and how one says who one is."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.people import Role
from tests.functional.rides import Client, a_driver, a_rider, enter, register
from tests.functional.world import Socket, World

WELCOME = {"event": "server_message", "data": {"msg": "Welcome to the ride-sharing service!"}}


def test_the_welcome_is_the_first_frame(world: World) -> None:
    """S1-08."""
    assert world.connect(None, "rides").frames == [WELCOME]


def test_authenticating_says_who_one_is(world: World) -> None:
    """S1-02, S1-06: the answer carries the client's event_id."""
    rita = world.someone(Role.CUSTOMER, "rita")
    register(world, rita)
    socket = world.connect(None, "rides")
    socket.take()
    said = {"event": "authenticate", "data": {"token": rita.token}, "event_id": "e-1"}
    assert socket.say(said) == [
        {
            "event": "authenticate_response",
            "data": {
                "status": "success",
                "message": "Authenticated successfully",
                "user_type": "RIDER",
                "user_id": "rita",
            },
            "event_id": "e-1",
        }
    ]


def test_a_driver_is_told_so(world: World) -> None:
    """S1-02."""
    dora = world.someone(Role.COURIER, "dora")
    register(world, dora)
    answer = enter(world, dora).did("authenticate", token=dora.token)
    assert answer["user_type"] == "DRIVER"


def test_whoever_authenticates_before_the_greeting_is_welcomed_first(world: World) -> None:
    """S1-08: the greeting's wakeup may come late."""
    rita = world.someone(Role.CUSTOMER, "rita")
    register(world, rita)
    socket = world.connect(None, "rides", greet=False)
    frames = socket.say({"event": "authenticate", "data": {"token": rita.token}})
    world.pump()
    assert [f["event"] for f in frames] == ["server_message", "authenticate_response"]
    assert socket.take() == []


def test_a_bad_token_is_refused_and_ends_the_connection(world: World) -> None:
    """S1-04."""
    for token in ("", "x.y.z", None, 7):
        socket = world.connect(None, "rides")
        socket.take()
        (answer,) = socket.say({"event": "authenticate", "data": {"token": token}})
        assert answer["event"] == "authenticate_response"
        assert answer["data"]["status"] == "error"
        assert answer["data"]["code"] in ("UNAUTHENTICATED", "INVALID_PAYLOAD")
        assert world.gateway.closed[-1] == socket.id


def test_people_without_a_profile_are_refused(world: World) -> None:
    """X17."""
    nina = world.someone(Role.CUSTOMER, "nina")
    socket = world.connect(None, "rides")
    socket.take()
    (answer,) = socket.say({"event": "authenticate", "data": {"token": nina.token}})
    assert answer["data"]["code"] == "UNAUTHENTICATED"
    assert world.gateway.closed == [socket.id]
    assert world.connect(nina, "rides").status == 403


def test_an_admin_has_no_place_here(world: World) -> None:
    """S1-09."""
    assert world.connect(world.admin(), "rides").status == 403


def test_nothing_is_done_before_authentication(world: World) -> None:
    """S1-03: the socket stays open."""
    socket = world.connect(None, "rides")
    socket.take()
    (answer,) = socket.say({"event": "go_online", "data": {}})
    assert answer["event"] == "go_online_response"
    assert answer["data"]["code"] == "UNAUTHENTICATED"
    assert world.gateway.closed == []


def test_a_connection_that_does_not_authenticate_is_closed(world: World) -> None:
    """S1-07: after AUTH_DEADLINE_S."""
    rider = a_rider(world)
    socket = world.connect(None, "rides")
    world.pass_time(9)
    assert world.gateway.closed == []
    world.pass_time(1)
    assert world.gateway.closed == [socket.id]
    assert rider.did("authenticate", token=rider.person.token)


@pytest.mark.parametrize("by_query", [False, True])
def test_a_token_at_the_handshake_authenticates(world: World, by_query: bool) -> None:
    """S1-07: by header or by query."""
    dora = world.someone(Role.COURIER, "dora")
    register(world, dora)
    if by_query:
        socket = world.connect(None, "rides", query={"token": dora.token})
    else:
        socket = world.connect(dora, "rides")
    assert socket.take() == [WELCOME]
    client = Client(world, dora, socket)
    assert client.did("go_online")["driver_id"] == "dora"
    world.pass_time(20)
    assert world.gateway.closed == []


def test_a_bad_token_at_the_handshake_is_401(world: World) -> None:
    """S1-07."""
    assert world.connect(None, "rides", query={"token": "x.y.z"}).status == 401


def test_another_persons_token_later_is_refused_and_changes_nothing(world: World) -> None:
    """S1-04."""
    rider = a_rider(world)
    other = world.someone(Role.CUSTOMER, "otto")
    register(world, other)
    assert rider.ask("authenticate", token=other.token)["code"] == "UNAUTHENTICATED"
    assert world.gateway.closed == []
    assert rider.did("authenticate", token=rider.person.token)["user_id"] == "rita"


def test_a_rider_is_no_driver(world: World) -> None:
    """S1-09."""
    rider = a_rider(world)
    for event in ("go_online", "go_offline", "update_location", "accept_ride", "start_ride"):
        assert rider.ask(event, ride_id="1")["code"] == "FORBIDDEN", event


def test_a_driver_is_no_rider(world: World) -> None:
    """S1-09."""
    driver = a_driver(world, online=False)
    for event in ("request_ride", "rate_driver"):
        assert driver.ask(event, ride_id="1")["code"] == "FORBIDDEN", event


def test_an_event_is_named_by_any_of_three_keys(world: World) -> None:
    """S1-05."""
    driver = a_driver(world, online=False)
    for key in ("event", "action", "type"):
        (answer,) = driver.socket.say({key: "go_online", "data": {}, "event_id": 7})[-1:]
        assert answer == {
            "event": "go_online_response",
            "data": {"status": "success", "message": "Driver is now online", "driver_id": "dora"},
            "event_id": 7,
        }


NO_EVENTS: tuple[tuple[Any, str], ...] = (
    ("{", "INVALID_PAYLOAD"),
    ("[]", "INVALID_PAYLOAD"),
    ("null", "INVALID_PAYLOAD"),
    ({"data": {}}, "INVALID_PAYLOAD"),
    ({"event": 7}, "INVALID_PAYLOAD"),
    ({"event": "dance"}, "INVALID_PAYLOAD"),
    ({"event": "__init__", "event_id": {"a": 1}}, "INVALID_PAYLOAD"),
)


def test_what_is_no_event_is_answered_with_an_error(world: World) -> None:
    """S1-45, S1-47: the socket stays open."""
    rider = a_rider(world)
    rider.socket.take()
    for frame, code in NO_EVENTS:
        (answer,) = rider.socket.say(frame)
        assert answer["event"] == "error", frame
        assert (answer["data"]["status"], answer["data"]["code"]) == ("error", code), frame
    assert world.gateway.closed == []


@pytest.mark.parametrize("event_id", ["e-2", 7])
def test_an_error_carries_the_event_id_that_it_answers(world: World, event_id: str | int) -> None:
    """S1-06, S1-45: refused, unreadable, unknown, or too early."""
    rider, stranger = a_rider(world), world.connect(None, "rides")
    for socket, event in (
        (rider.socket, {"event": "cancel_ride", "data": {"ride_id": "1"}}),
        (rider.socket, {"event": "request_ride", "data": {}}),
        (rider.socket, {"event": "dance"}),
        (stranger, {"event": "go_online"}),
    ):
        answer = socket.say({**event, "event_id": event_id})[-1]
        assert (answer["data"]["status"], answer["event_id"]) == ("error", event_id), event


def test_data_that_is_no_object_is_an_error(world: World) -> None:
    """S1-47."""
    driver = a_driver(world, online=False)
    (answer,) = driver.socket.say({"event": "go_online", "data": [1]})[-1:]
    assert answer["data"]["code"] == "INVALID_PAYLOAD"


def test_an_announcement_reaches_every_authenticated_socket(world: World) -> None:
    """S1-08."""
    clients = [a_rider(world, f"rider-{n}") for n in range(3)] + [a_driver(world, online=False)]
    stranger: Socket = world.connect(None, "rides")
    answer = world.post("/v1/admin/announcements", {"msg": "Storm ahead"}, world.admin())
    assert answer.status == 201
    for client in clients:
        assert client.heard("server_message")[-1] == {"msg": "Storm ahead"}
    assert stranger.frames == [WELCOME]
    assert world.post("/v1/admin/announcements", {"msg": "x"}, clients[0].person).status == 403
    assert world.post("/v1/admin/announcements", {"msg": " "}, world.admin()).status == 400
