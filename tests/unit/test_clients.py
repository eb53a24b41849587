"""What the clients know of the contracts is what the contracts say."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from waybill import FEED_EVENTS, Event, Gap
from waybill.contracts import (
    PATHS,
    is_pong,
    make_auth,
    make_connect,
    make_ping,
    make_url,
    read_claims,
    read_frame,
    write_message,
)
from waybill.heard import Heard
from waybill.liveness import Liveness
from waybill.rest import draw_pause

from chalicelib.contracts.feed.events import TYPE_BY_NAME
from chalicelib.contracts.registry import build_contracts
from chalicelib.settings import Settings
from infra.clients.frames import DOCUMENT, HOME, TYPESCRIPT, make_files
from infra.local.tokens import mint_token

CONTRACTS = build_contracts(Settings.from_env({"JWT_SECRET": "x" * 32}))


def test_both_clients_know_all_events_of_the_feed() -> None:
    (listed,) = re.findall(r"FEED_EVENTS: string\[\] = (\[.*?\]);", TYPESCRIPT.read_text(), re.S)
    assert tuple(json.loads(re.sub(r",\s*\]", "]", listed))) == FEED_EVENTS
    assert set(FEED_EVENTS) == set(TYPE_BY_NAME)


def test_both_clients_know_the_paths() -> None:
    assert all(path in CONTRACTS[name].paths for name, path in PATHS.items())
    source = (TYPESCRIPT.parent / "contracts.ts").read_text()
    assert all(f'  {name}: "{path}",' in source for name, path in PATHS.items())


@pytest.mark.skipif(not DOCUMENT.exists(), reason="there is no AsyncAPI document here")
def test_their_types_are_made_of_the_document() -> None:
    """`python -m infra.clients` makes them anew."""
    for path, text in make_files().items():
        assert path.read_text() == text, path.relative_to(HOME)


def test_a_url_is_a_host_or_a_sockets_own() -> None:
    courier = a_token("driver")
    customer = a_token("Rider")
    assert make_url("https://x", "feed", courier, "a.1") == "wss://x/api/websocket/ws"
    assert make_url("http://x:8/", "courier", courier, None) == "ws://x:8/api/v1/ws/courier"
    assert make_url("ws://x", "courier", customer, "now") == "ws://x/api/v1/ws/customer?from=now"
    assert make_url("ws://x/p?contract=food", "food", customer, "a~b") == (
        "ws://x/p?contract=food&from=a~b"
    )


def test_the_feeds_first_message_says_who_is_there() -> None:
    token = a_token("courier")
    auth = {"type": "auth", "token": token, "user_id": "ana"}
    assert make_auth(token, None, None) == auth
    assert make_auth(token, 7, "a.1") == {**auth, "user_id": 7, "from": "a.1"}
    assert make_auth("no token", None, None) == {"type": "auth", "token": "no token"}
    assert read_claims("a.b") == read_claims("") == read_claims("a.MQ.c") == {}


def test_only_the_answer_to_a_ping_is_passed_over() -> None:
    error = {"event": "error", "data": {"message": "This event is unknown."}}
    assert is_pong("courier", error, is_asked=True)
    assert not is_pong("courier", error, is_asked=False)
    assert not is_pong("food", error, is_asked=True)
    assert is_pong("rides", {**error, "event_id": make_ping("rides")["event_id"]}, is_asked=False)


def test_a_timer_that_comes_late_ends_no_connection() -> None:
    """Throttled to once a minute, or after hours of sleep: it asks first."""
    alive = Liveness(heartbeat_s=30, timeout_s=10, now=0)
    assert alive.look(9) == "fine"
    assert alive.look(10) == "dead"
    for now in (60, 120, 86_400):
        alive.hear()
        assert alive.look(now) == "due"
        alive.ask(now)
        assert alive.look(now + 9) == "fine"
    assert alive.look(86_400 - 3600) == "dead"  # the clock was set back


def test_pauses_have_full_jitter_and_a_limit() -> None:
    for attempt, most in ((0, 1.0), (3, 8.0), (5, 30.0), (10**6, 30.0)):
        drawn = [draw_pause(attempt, 1.0, 30.0) for _ in range(300)]
        assert 0 <= min(drawn) < most / 4
        assert most / 2 < max(drawn) <= most


def a_token(role: str) -> str:
    return mint_token("x" * 32, role, "ana")


def test_a_client_resumes_after_what_it_has_surely_heard() -> None:
    """An event may be two frames at one position, between which the link is cut."""
    heard = Heard()
    heard.note_event("now")
    assert heard.begin("a.7") == ["a.7"]
    assert heard.begin("a.8") == []
    for position, start in (("a.8", "a.7"), ("a.8", "a.7"), ("a.9", "a.8"), (None, "a.9")):
        heard.note_frame(position)
        heard.note_event(position)
        assert heard.start == start
    assert heard.newest == "a.9"


def test_a_client_knows_what_is_told_again() -> None:
    heard = Heard()
    feed = Event({"event_type": "order_created", "event_id": "e1", "pos": "a.1"})
    anew = Event({**feed, "pos": "b.1"})  # of a log that was lost and made anew
    assert [heard.is_repeated(event, "") for event in (feed, feed, anew)] == [False, True, False]
    bare = Event({"event": "order.status"})
    kept = Event({"event": "order.status", "pos": "a.1"})
    assert [heard.is_repeated(bare, "1"), heard.is_repeated(bare, "1")] == [False, False]
    assert [heard.is_repeated(kept, text) for text in ("1", "1", "2")] == [False, True, False]
    for number in range(1000):
        heard.is_repeated(kept, f"more {number}")
    assert not heard.is_repeated(feed, "")


def test_what_is_given_is_doubted_until_a_server_takes_it() -> None:
    taken, malformed, none = Heard(), Heard(), Heard()
    taken.take("a.1")
    assert [taken.doubted, none.doubted] == ["a.1", None]
    assert taken.start == "a.1"
    assert taken.begin("a.1") == []
    assert [taken.doubted] == [None]
    malformed.take("?")
    malformed.give_up()
    assert (malformed.start, malformed.doubted) == ("now", None)
    assert malformed.begin("a.7") == [Gap("?", "a.7"), "a.7"]
    assert malformed.begin("a.8") == []


def test_socketio_is_spoken_in_packets() -> None:
    assert make_url("http://x", "socketio", "t", "a.1") == (
        "ws://x/socket.io?EIO=4&transport=websocket"
    )
    assert make_connect("t", "a.1") == '40/orders,{"token": "t", "from": "a.1"}'
    said = {"event": "accept-order", "data": {"orderId": 7}}
    assert write_message("socketio", said) == '42/orders,["accept-order", {"orderId": 7}]'
    assert write_message("socketio", make_ping("socketio")) == "40/orders,"
    assert write_message("food", said) == json.dumps(said)
    for text, frame in (
        ('42/orders,7["a",{"b":1}]', {"event": "a", "data": {"b": 1}}),
        ('42/orders,["a",{},{"pos":"a.1"}]', {"event": "a", "data": {}, "pos": "a.1"}),
        ('0{"sid":"x"}', {"packet": "0", "why": '{"sid":"x"}'}),
        ("2", {"packet": "2", "why": ""}),
        ('44/orders,{"message":"No"}', {"packet": "44", "why": '{"message":"No"}'}),
        ("", None),
    ):
        assert read_frame("socketio", text) == frame


def test_a_gap_is_told_once() -> None:
    heard = Heard()
    gaps = [Gap("a.1", "b.0"), Gap("a.1", "b.0"), Gap("a.1", "b.1")]
    assert [heard.is_new_gap(gap) for gap in gaps] == [True, False, True]


def test_what_is_told_again_is_known_by_its_place_in_its_log() -> None:
    """Not by what its position says of other logs; and a log that was made anew is another."""
    heard = Heard()

    def is_repeated(frame: dict[str, Any]) -> bool:
        return heard.is_repeated(Event(frame), json.dumps(frame))

    meal: dict[str, Any] = {"event": "new-order", "data": {"order": {"id": 1}}}
    assert not is_repeated({**meal, "pos": "a.1~b.1"})
    assert is_repeated({**meal, "pos": "a.1~b.2"})
    assert not is_repeated({**meal, "pos": "a.2~b.1"})
    assert not is_repeated({**meal, "pos": "b.1~a.1"})
    for epoch in ("a", "b"):
        told = {"event_type": "order_created", "event_id": "evt_1", "pos": f"{epoch}.1"}
        assert [is_repeated(told) for _ in range(2)] == [False, True]
    stock = {"event_type": "order_created", "event_id": "evt_2"}
    assert [is_repeated(stock) for _ in range(2)] == [False, True]
    assert [is_repeated(meal) for _ in range(2)] == [False, False]
    refused = {"type": "error", "code": "invalid_input", "pos": "a.1"}  # an answer: each is one
    assert [is_repeated(refused) for _ in range(2)] == [False, False]
