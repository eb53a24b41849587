"""Spec 003: connecting, authenticating, subscribing, staying."""

from __future__ import annotations

from typing import Any

from infra.local.tokens import mint_token
from tests.conftest import SECRET
from tests.functional.conftest import MakeWorld
from tests.functional.feeds import a_feed, a_profile, an_auth, types_of
from tests.functional.world import World


def test_authenticating_is_confirmed_with_the_id_and_role_that_were_sent(world: World) -> None:
    """S3-02."""
    cara = a_profile(world, world.customer("cara"))
    socket = world.connect(None, "feed")
    assert socket.take() == []
    assert socket.say(an_auth(cara)) == [
        {
            "type": "authenticated",
            "user_id": "cara",
            "user_role": "customer",
            "connection_id": socket.id,
        }
    ]


def test_any_alias_of_the_tokens_role_will_do_and_is_echoed(world: World) -> None:
    """S3-02, ambiguity q."""
    dan = a_profile(world, world.courier("dan"))
    for word in ("delivery_boy", "driver", "COURIER"):
        (answer,) = world.connect(None, "feed").say(an_auth(dan, user_role=word))
        assert answer["user_role"] == word


def test_a_client_that_does_not_know_its_role_need_not_say_it(world: World) -> None:
    """Spec 003's own JavaScript client is made of url, token and user id."""
    dan = a_profile(world, world.courier("dan"))
    (answer,) = world.connect(None, "feed").say(an_auth(dan, user_role=None))
    assert answer["user_role"] == "delivery_boy"


BAD_AUTH: list[dict[str, Any]] = [
    {"token": "not.a.token"},
    {"token": None},
    {"token": 7},
    {"token": mint_token(SECRET, "customer", "cara", valid_s=-11)},
    {"token": mint_token("another-secret-that-is-long-enough-0123", "customer", "cara")},
    {"user_id": "somebody-else"},
    {"user_id": None},
    {"user_id": {"no": "text"}},
    {"user_role": "admin"},
    {"user_role": "no such role"},
]


def test_a_failed_authentication_is_an_error_and_the_end(world: World) -> None:
    """S3-03."""
    cara = a_profile(world, world.customer("cara"))
    for changes in BAD_AUTH:
        socket = world.connect(None, "feed")
        (answer,) = socket.say(an_auth(cara, **changes))
        assert answer["type"] == "error", changes
        assert set(answer) == {"type", "message", "code"}
        assert world.gateway.closed[-1] == socket.id


def test_somebody_without_a_profile_is_let_in_nowhere(world: World) -> None:
    """S3-03: the user must exist."""
    socket = world.connect(None, "feed")
    (answer,) = socket.say(an_auth(world.customer("ghost")))
    assert answer["type"] == "error"
    assert world.gateway.closed == [socket.id]


TOO_EARLY: list[Any] = [
    {"type": "subscribe", "events": ["order_created"]},
    {"type": "heartbeat"},
    {"type": "nonsense"},
    "this is not JSON",
    [],
]


def test_any_message_before_authenticating_is_an_error_and_the_end(world: World) -> None:
    """S3-07. What could be done after it may have overtaken it: that has two more seconds."""
    for message in TOO_EARLY:
        socket = world.connect(None, "feed")
        (answer,) = socket.say(message)
        assert answer["type"] == "error", message
        if isinstance(message, dict):
            assert socket.id not in world.gateway.closed
            world.pass_time(2)
        assert world.gateway.closed[-1] == socket.id


def test_a_token_in_the_handshake_does_not_take_the_place_of_the_message(world: World) -> None:
    """S3-02: the connection is admitted by its first message."""
    cara = a_profile(world, world.customer("cara"))
    socket = world.connect(cara, "feed")
    assert socket.take() == []
    assert socket.say(an_auth(cara))[0]["type"] == "authenticated"


def test_who_says_nothing_is_closed_when_the_time_to_authenticate_is_up(world: World) -> None:
    """Ambiguity q: AUTH_DEADLINE_S."""
    cara = a_profile(world, world.customer("cara"))
    silent, admitted = world.connect(None, "feed"), a_feed(world, cara)
    world.pass_time(9)
    assert world.gateway.closed == []
    world.pass_time(1)
    assert world.gateway.closed == [silent.id]
    assert admitted.say({"type": "heartbeat"}) == [{"type": "heartbeat_ack"}]


def test_subscriptions_add_up_and_the_answer_has_all_of_them(world: World) -> None:
    """S3-04, ambiguity b."""
    socket = a_feed(world, a_profile(world, world.customer("cara")))
    assert socket.say({"type": "subscribe", "events": ["order_created"]}) == [
        {"type": "subscription_updated", "subscribed_events": ["order_created"]}
    ]
    both = ["order_created", "delivery_completed"]
    assert socket.say({"type": "subscribe", "events": [both[1], both[0]]}) == [
        {"type": "subscription_updated", "subscribed_events": both}
    ]


def test_unsubscribing_answers_with_what_is_left(world: World) -> None:
    """S3-05, ambiguity a."""
    socket = a_feed(world, a_profile(world, world.customer("cara")), "order_created")
    assert socket.say({"type": "unsubscribe", "events": ["order_created", "order_created"]}) == [
        {"type": "subscription_updated", "subscribed_events": []}
    ]


def test_a_name_that_is_no_event_is_reported_and_the_others_hold(world: World) -> None:
    """S3-07."""
    socket = a_feed(world, a_profile(world, world.customer("cara")))
    (answer,) = socket.say({"type": "subscribe", "events": ["nonsense", "order_created", "*"]})
    assert answer["subscribed_events"] == ["order_created"]
    assert answer["rejected_events"] == ["nonsense", "*"]


BAD_MESSAGES: list[Any] = [
    "not JSON",
    {"type": "nonsense"},
    {"type": None},
    {},
    {"type": "subscribe"},
    {"type": "subscribe", "events": "order_created"},
    {"type": "subscribe", "events": [1]},
    {"type": "unsubscribe", "events": {"a": 1}},
    {"type": "subscribe", "events": ["x"] * 101},
]


def test_a_bad_message_is_an_error_and_the_socket_stays(world: World) -> None:
    """S3-07."""
    socket = a_feed(world, a_profile(world, world.customer("cara")))
    for message in BAD_MESSAGES:
        (answer,) = socket.say(message)
        assert set(answer) == {"type", "message", "code"}, message
    assert world.gateway.closed == []
    assert socket.say({"type": "heartbeat"}) == [{"type": "heartbeat_ack"}]


def test_authenticating_twice_is_an_error_and_changes_nobody(world: World) -> None:
    cara, eve = (a_profile(world, world.customer(id_)) for id_ in ("cara", "eve"))
    socket = a_feed(world, cara, "order_created")
    assert socket.say(an_auth(eve))[0]["type"] == "error"
    world.place(eve)
    assert socket.take() == []
    world.place(cara)
    assert types_of(socket.take()) == ["order_created"]


def test_a_socket_without_a_heartbeat_is_removed_and_one_with_stays(
    make_world: MakeWorld,
) -> None:
    """S3-06: 90 s."""
    world = make_world()
    cara = a_profile(world, world.customer("cara"))
    quiet, lively = a_feed(world, cara, "order_created"), a_feed(world, cara, "order_created")
    for _ in range(3):
        world.pass_time(29)
        assert lively.say({"type": "heartbeat", "timestamp": "2026-01-27T10:30:00Z"}) == [
            {"type": "heartbeat_ack"}
        ]
        world.sweep()
    assert world.gateway.closed == []
    world.pass_time(4)
    world.sweep()
    assert world.gateway.closed == [quiet.id]
    assert world.waybill.connections.get_connection(quiet.id) is None
    world.place(cara)
    assert types_of(lively.take()) == ["order_created"]
    assert quiet.take() == []


def test_subscriptions_die_with_their_connection(world: World) -> None:
    """S3-07."""
    cara = a_profile(world, world.customer("cara"))
    a_feed(world, cara, "order_created").close()
    again = a_feed(world, cara)
    world.place(cara)
    assert again.take() == []
