"""Tracking links: made, opened, ended; what they show, and to whom they show nothing."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.people import Role
from chalicelib.services.messaging.closing import MAX_CLOSED
from chalicelib.services.tracking.link_notices import MAX_SOCKETS
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.tables import MODELS, ConnectionRow
from tests.builders import DEPOT, NOW, north_of
from tests.functional.conftest import MakeWorld
from tests.functional.links import listen, look, make_link, poll
from tests.functional.world import Answer, Someone, World

DOOR = north_of(DEPOT, 5000)
AT_DOOR = {"dropoff_lat": DOOR[0], "dropoff_lng": DOOR[1]}
TO_THE_END = ("accept", "arrived", "picked", "delivered")


def report(world: World, courier: Someone, at: tuple[float, float]) -> None:
    """A fix, some seconds later."""
    world.clock.advance(5)
    body = {"lat": at[0], "lng": at[1]}
    assert world.post("/v1/courier/location", body, courier).status == 200


def walk(world: World, order_id: str, courier: Someone, *verbs: str) -> None:
    for verb in verbs:
        world.clock.advance(1)
        assert world.step(verb, order_id, courier).status == 200, verb


@pytest.fixture
def cara(world: World) -> Someone:
    return world.customer()


@pytest.fixture
def dan(world: World) -> Someone:
    courier = world.courier("dan", name="Dan Delacroix", phone="+919876543210")
    profile = {
        "name": "Dan Delacroix",
        "phone": "+919876543210",
        "vehicle": "a <red> bicycle",
        "profile_picture": "https://pictures.example/dan.jpg",
    }
    assert world.call("PUT", "/v1/me", profile, courier).status == 200
    return courier


# Making and ending


def test_a_link_is_an_absolute_address_of_which_only_a_hash_is_kept(
    world: World, cara: Someone
) -> None:
    order = world.place(cara)
    made = world.post(f"/v1/orders/{order['id']}/tracking", None, cara)
    assert made.status == 201
    assert made.body.keys() == {"url", "expires_at"}
    base, _, token = made.body["url"].rpartition("/t/")
    assert base == "https://wt6mne2s9k.execute-api.us-west-2.amazonaws.com/api"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)  # 256 bits
    rows = [repr(row.attribute_values) for model in MODELS for row in model.scan()]
    assert not [row for row in rows if token in row]
    hash_ = hashlib.sha256(token.encode()).hexdigest()
    assert [row for row in rows if hash_ in row]
    assert world.order(order["id"]).links[0].hash == hash_


@pytest.mark.parametrize(
    ("settings", "headers", "base"),
    [
        ({}, {"x-forwarded-host": "d1.cloudfront.net"}, "https://d1.cloudfront.net"),
        (
            {},
            {"x-forwarded-host": "d1.net/evil", "host": "localhost:8000"},
            "http://localhost:8000",
        ),
        ({}, {"host": "127.0.0.1"}, "http://127.0.0.1"),
        ({}, {"host": "api.example.com"}, "https://api.example.com"),
        ({"public_url": "https://go.example"}, {"host": "localhost"}, "https://go.example"),
    ],
)
def test_a_link_begins_with_the_host_that_was_asked(
    make_world: MakeWorld, settings: dict[str, Any], headers: dict[str, str], base: str
) -> None:
    world = make_world(settings=settings)
    path = f"/v1/orders/{world.place(world.customer())['id']}/tracking"
    made = world.call("POST", path, {}, world.customer(), headers)
    assert made.body["url"].startswith(f"{base}/t/")


def test_customer_merchant_and_admin_may_and_nobody_else(world: World, dan: Someone) -> None:
    order = world.place(world.customer())
    path = f"/v1/orders/{order['id']}/tracking"
    owner = world.someone(Role.MERCHANT, "mia", restaurant_ids=["789"])
    for method in ("POST", "DELETE"):
        assert world.call(method, path, by=world.admin()).status in (201, 204)
        assert world.call(method, path).status == 401
        assert world.call(method, path, by=dan).status == 403
        for stranger in (world.customer("eve"), owner):
            assert world.call(method, path, by=stranger).status == 404
        assert world.call(method, "/v1/orders/1/tracking", by=world.admin()).status == 404
        assert world.call(method, "/v1/orders/x/tracking", by=world.admin()).status == 404


def test_the_sixth_link_ends_the_oldest_and_delete_ends_all(world: World, cara: Someone) -> None:
    order = world.place(cara)
    tokens = []
    for _ in range(6):
        world.clock.advance(1)
        tokens.append(make_link(world, order["id"], cara))
    assert [poll(world, token).status for token in tokens] == [404, *[200] * 5]
    path = f"/v1/orders/{order['id']}/tracking"
    assert world.call("DELETE", path, by=cara).status == 204
    assert {poll(world, token).status for token in tokens} == {404}
    assert world.call("DELETE", path, by=cara).status == 204
    assert poll(world, make_link(world, order["id"], cara)).status == 200


def test_of_many_at_once_five_stay(world: World, cara: Someone) -> None:
    order = world.place(cara)
    links, actor = world.waybill.tracking_links, cara.actor
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: links.make_link(actor, int(order["id"])), range(9)))
    assert len(world.order(order["id"]).links) == 5
    assert sum(poll(world, token).status == 200 for token, _ in made) == 5


def test_a_link_ends_three_hours_after_its_order(world: World, cara: Someone, dan: Someone) -> None:
    order = world.place(cara)
    path = f"/v1/orders/{order['id']}/tracking"
    early = world.post(path, None, cara).body
    token = early["url"].rpartition("/")[2]
    walk(world, order["id"], dan, *TO_THE_END)
    ends_at = world.order(order["id"]).timeline["done"] + timedelta(seconds=10_800)
    late = world.post(path, None, cara).body
    assert (
        datetime.fromisoformat(late["expires_at"])
        == ends_at
        <= datetime.fromisoformat(early["expires_at"])
    )
    world.clock.now = ends_at - timedelta(seconds=1)
    assert poll(world, token).status == 200
    world.clock.now = ends_at
    assert poll(world, token).status == 404
    refused = world.post(path, None, cara)
    assert (refused.status, refused.body["error"]) == (409, "conflict")
    assert world.call("DELETE", path, by=cara).status == 204


# The one 404


def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(world: World, cara: Someone) -> None:
    order = world.place(cara)
    token = make_link(world, order["id"], cara)
    other = world.place(cara)
    revoked = make_link(world, other["id"], cara)
    world.call("DELETE", f"/v1/orders/{other['id']}/tracking", by=cara)
    wrong = [
        revoked,
        "A" * 43,
        token[:-1],
        token + "A",
        token.swapcase(),
        cara.token,
        order["id"],
        "%00",
        "%FF%FE",
        "%ED%A0%80",
        "x" * 3000,
        "a%2Fb",
        "..%2F..",
        "é",
    ]
    answers = [world.get(f"/t/{one}") for one in wrong]
    answers += [poll(world, one) for one in wrong]
    answers += [world.get(path) for path in ("/t", "/t/", f"/t/{token}/more")]
    assert {answer.status for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
    assert answers[0].headers["content-type"] == "text/html; charset=utf-8"


def test_a_wrong_token_takes_the_same_reads_as_one_that_has_ended(
    world: World, cara: Someone
) -> None:
    order = world.place(cara)
    token = make_link(world, order["id"], cara)
    world.call("DELETE", f"/v1/orders/{order['id']}/tracking", by=cara)
    assert _reads(world, token) == _reads(world, "A" * 43) == ["GetItem", "GetItem"]


def _reads(world: World, token: str) -> list[str]:
    seen: list[str] = []
    events = world.engine.connection.client.meta.events

    def note(model: Any, **_: Any) -> None:
        seen.append(model.name)

    events.register("before-call.dynamodb", note)
    try:
        assert poll(world, token).status == 404
    finally:
        events.unregister("before-call.dynamodb", note)
    return seen


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_another_method_is_405_whatever_the_token(world: World, method: str) -> None:
    refused = world.call(method, "/t/whatever", {})
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_the_headers_of_a_page_keep_its_address_a_secret(world: World, cara: Someone) -> None:
    token = make_link(world, world.place(cara)["id"], cara)
    answers = [world.get(f"/t/{token}"), poll(world, token), world.get("/t/wrong")]
    answers += [world.get(f"/t/{token}/note"), world.call("DELETE", f"/t/{token}")]  # 405
    answers += [leave(world, token, {"note": "Thanks"}), leave(world, token, b"{")]
    answers += [leave(world, token, b"", **{"content-type": "text/plain"})]
    for answer in answers:
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "*" not in policy
    head = world.call("HEAD", f"/t/{token}")
    assert (head.status, head.text) == (200, "")
    page = world.get(f"/t/{token}").text
    assert not re.search(r" on\w+=| style=|<style|<script(?! type=\"module\" src=)", page)


# What is seen


def test_a_courier_is_seen_from_the_pickup_to_the_end_and_by_first_name_only(
    world: World, cara: Someone, dan: Someone
) -> None:
    order = world.place(cara, **AT_DOOR)
    token = make_link(world, order["id"], cara)
    seen = [look(world, token)]
    for verb in TO_THE_END:
        walk(world, order["id"], dan, verb)
        seen.append(look(world, token))
        report(world, dan, north_of(DEPOT, 1000))
        seen.append(look(world, token))
    assert [one["status"] for one in seen[::2]] == [
        "offered",
        "accepted",
        "at_pickup",
        "in_transit",
        "done",
    ]
    assert [("position" in one) for one in seen] == [False] * 6 + [True, False, False]
    assert seen[6]["map"]["courier"]
    assert seen[6]["eta_minutes"] == 13
    assert [("courier" in one) for one in seen] == [False] + [True] * 6 + [False] * 2
    assert seen[3]["courier"] == {
        "first_name": "Dan",
        "vehicle": "a <red> bicycle",
        "picture": "https://pictures.example/dan.jpg",
    }
    pages = world.get(f"/t/{token}").text
    for secret in ("Delacroix", "+91", "cara", "Depot Road", "Door Street"):
        assert secret not in pages
        assert secret not in str(seen)


def test_where_a_courier_was_before_the_pickup_is_not_seen_after_it(
    world: World, cara: Someone, dan: Someone
) -> None:
    """The last fix may be of another customer's door."""
    order = world.place(cara, **AT_DOOR)
    token = make_link(world, order["id"], cara)
    walk(world, order["id"], dan, "accept")
    report(world, dan, north_of(DEPOT, -3000))
    walk(world, order["id"], dan, "arrived", "picked")
    assert "position" not in look(world, token)


def test_near_the_door_a_courier_is_seen_before_the_pickup(
    world: World, cara: Someone, dan: Someone
) -> None:
    order = world.place(cara, **AT_DOOR)
    token = make_link(world, order["id"], cara)
    walk(world, order["id"], dan, "accept")
    report(world, dan, north_of(DOOR, -1600))
    assert "position" not in look(world, token)
    report(world, dan, north_of(DOOR, -1400))
    assert "position" in look(world, token)


def test_nothing_of_the_next_order_is_seen_by_the_link_of_the_last(
    world: World, cara: Someone, dan: Someone
) -> None:
    order = world.place(cara, **AT_DOOR)
    token = make_link(world, order["id"], cara)
    socket = listen(world, token)
    walk(world, order["id"], dan, *TO_THE_END)
    socket.take()
    other = world.place(world.customer("eve"), **AT_DOOR)
    walk(world, other["id"], dan, "accept", "arrived", "picked")
    report(world, dan, north_of(DEPOT, 700))
    assert look(world, token).keys() == {
        *("order_id", "version", "status", "stage", "changed_at", "is_over"),
        *("status_text", "lang"),
    }
    assert socket.take() == []


def test_the_pin_of_the_door_is_shown_until_it_was_said(
    world: World, cara: Someone, dan: Someone
) -> None:
    order = world.place(cara, proof={"dropoff": ["pin"], "pickup": ["pin"]})
    token = make_link(world, order["id"], cara)
    shown = world.get(f"/v1/orders/{order['id']}", cara).body["proof"]
    assert look(world, token)["pin"] == shown["dropoff"]["pin"]
    assert shown["pickup"]["pin"] not in world.get(f"/t/{token}").text
    walk(world, order["id"], dan, "accept", "arrived")
    for verb, stop in (("picked", "pickup"), ("delivered", "dropoff")):
        said = {"order_id": order["id"], "pin": shown[stop]["pin"]}
        assert world.post(f"/v1/courier/orders/{verb}", said, dan).status == 200
    assert "pin" not in look(world, token)


def test_a_tip_is_shown_once_it_is_given(world: World, cara: Someone, dan: Someone) -> None:
    order = world.place(cara)
    token = make_link(world, order["id"], cara)
    walk(world, order["id"], dan, *TO_THE_END)
    assert world.post(f"/v1/orders/{order['id']}/tip", {"amount": 12.5}, cara).status in (200, 201)
    assert look(world, token)["tip"]["amount"] == 12.5
    assert 'id="tip"' in world.get(f"/t/{token}").text


# A note


def leave(world: World, token: str, body: Any, **headers: str) -> Answer:
    return world.call("POST", f"/t/{token}/note", body, headers=headers)


def test_a_note_is_left_once_the_order_is_over(world: World, cara: Someone, dan: Someone) -> None:
    order = world.place(cara)
    token = make_link(world, order["id"], cara)
    assert leave(world, token, {"note": "Thanks"}).status == 409
    walk(world, order["id"], dan, *TO_THE_END)
    assert leave(world, token, {"note": "Thanks"}).body["note"] == "Thanks"
    assert leave(world, token, {"note": "Thanks"}).status == 200
    assert leave(world, token, {"note": "No thanks"}).status == 409
    for note in (7, "", "x" * 201, "\x00", None, ["Thanks"]):
        assert leave(world, token, {"note": note}).status == 400, note
    bodies: tuple[Any, ...] = ({}, b"{", b"[]")
    for wrong in bodies:
        assert leave(world, token, wrong).status == 400, wrong
    assert leave(world, "A" * 43, {"note": "Thanks"}).status == 404
    (told,) = [
        one
        for one in world.get(f"/v1/orders/{order['id']}/history", cara).body["history"]
        if one["step"] == "recipient_note"
    ]
    assert (told["note"], told["actor"]) == ("Thanks", {"role": "recipient"})


def test_a_form_leaves_a_note_without_scripts(world: World, cara: Someone, dan: Someone) -> None:
    order = world.place(cara)
    token = make_link(world, order["id"], cara)
    walk(world, order["id"], dan, *TO_THE_END)
    page = world.get(f"/t/{token}").text
    assert f'action="{token}/note"' in page
    assert 'action="note"' in world.get(f"/t/{token}/").text  # which leads to the same address
    form = {"content-type": "application/x-www-form-urlencoded"}
    refused = leave(world, token, b"note=", **form)
    assert (refused.status, 'role="alert"' in refused.text) == (400, True)
    for wrong in (b"note=%FF", b"x=1&" * 20):
        assert leave(world, token, wrong, **form).status == 400, wrong
    shouted = {"content-type": form["content-type"].upper()}
    assert leave(world, token, b"note=", **shouted).text.startswith("<!doctype html>")
    left = leave(world, token, b"note=%3Cb%3Efine%0D%0Aas+ever", **form)
    assert (left.status, left.headers["location"]) == (303, f"../{token}")
    assert "&lt;b&gt;fine\nas ever" in world.get(f"/t/{token}").text


# Live


def test_a_socket_hears_of_changes_and_of_every_fix(
    world: World, cara: Someone, dan: Someone
) -> None:
    order = world.place(cara, **AT_DOOR)
    token = make_link(world, order["id"], cara)
    socket = listen(world, token)
    assert socket.take() == [{"type": "connected"}]
    walk(world, order["id"], dan, "accept")
    (changed,) = socket.take()
    assert changed == {
        "type": "order.changed",
        "version": world.order(order["id"]).version,
        "status": "accepted",
    }
    walk(world, order["id"], dan, "arrived", "picked")
    socket.take()
    for metres in (1000, 1100, 1200):
        report(world, dan, north_of(DEPOT, metres))
    heard = socket.take()
    moves = [frame for frame in heard if frame["type"] == "courier.position"]
    assert len(moves) == 3
    assert moves[-1]["position"]["lat"] == round(north_of(DEPOT, 1200)[0], 5)
    assert moves[-1]["version"] == look(world, token)["version"]
    assert moves[-1].keys() == {"type", "version", "position", "map", "eta_minutes"}
    assert "Dan" not in str(heard)
    assert socket.say({"type": "ping"}) == [{"type": "pong"}]
    messages: list[Any] = [{"type": "accept"}, [], "{", {"type": "refresh", "token": cara.token}]
    for wrong in messages:
        (error,) = socket.say(wrong)
        assert error["type"] == "error"
    walk(world, order["id"], dan, "delivered")
    assert [frame["type"] for frame in socket.take()] == ["order.changed"]


def test_a_wrong_token_opens_no_socket(world: World, cara: Someone) -> None:
    token = make_link(world, world.place(cara)["id"], cara)
    for wrong in ("", "A" * 43, token[:-1], cara.token):
        assert listen(world, wrong).status == 404
    assert world.connect(cara, "customer", query={"token": token}).status == 200
    assert world.connect(None, "customer", query={"token": token}).status == 401


def test_a_link_has_so_many_sockets(world: World, cara: Someone) -> None:
    token = make_link(world, world.place(cara)["id"], cara)
    bearer = f"track#{hashlib.sha256(token.encode()).hexdigest()}"
    for n in range(MAX_SOCKETS):
        other = Connection(f"other-{n}", "track", world.clock(), bearer)
        ConnectionTable().add_to_room(bearer, other)
    assert listen(world, token).status == 429
    ConnectionTable().remove_from_room(bearer, "other-0")
    assert listen(world, token).status == 200


def test_sockets_beyond_the_limit_are_posted_nothing_and_all_are_closed(
    world: World, cara: Someone, dan: Someone
) -> None:
    """Of many that open at once more are let in. Closing them takes no longer for being many."""
    order = world.place(cara)
    token = make_link(world, order["id"], cara)
    bearer = f"track#{hashlib.sha256(token.encode()).hexdigest()}"
    sockets = [f"other-{n:03}" for n in range(MAX_SOCKETS + 3)]
    for id_ in sockets:
        other = Connection(id_, "track", world.clock(), bearer, Role.RECIPIENT)
        ConnectionTable().add_to_room(bearer, other)
        world.gateway.connect(id_)
    walk(world, order["id"], dan, "accept")
    assert sum(bool(world.gateway.frames(id_)) for id_ in sockets) == MAX_SOCKETS
    world.call("DELETE", f"/v1/orders/{order['id']}/tracking", by=cara)
    assert len(world.gateway.closed) == MAX_CLOSED
    world.pump()
    assert sorted(world.gateway.closed) == sockets


def test_a_bearer_is_nobody_by_rest(world: World, cara: Someone) -> None:
    order = world.place(cara)
    token = make_link(world, order["id"], cara)
    bearer = Someone("bearer", Role.RECIPIENT, token)
    assert world.get(f"/v1/orders/{order['id']}", bearer).status == 401
    hash_ = hashlib.sha256(token.encode()).hexdigest()
    forged = world.someone(Role.CUSTOMER, f"track#{hash_}")
    assert world.get("/v1/me", forged).status == 401


def test_the_sockets_of_a_link_that_is_ended_are_closed(world: World, cara: Someone) -> None:
    order = world.place(cara)
    tokens = [make_link(world, order["id"], cara) for _ in range(5)]
    sockets = [listen(world, token) for token in tokens]
    make_link(world, order["id"], cara)
    assert world.gateway.closed == [sockets[0].id]
    world.call("DELETE", f"/v1/orders/{order['id']}/tracking", by=cara)
    assert sorted(world.gateway.closed) == sorted(socket.id for socket in sockets)
    assert list(ConnectionRow.scan()) == []


def test_a_socket_ends_with_its_link(make_world: MakeWorld) -> None:
    world = make_world(settings={"tracking_ends_after": timedelta(seconds=60)})
    cara, dan = world.customer(), world.courier()
    order = world.place(cara)
    token = make_link(world, order["id"], cara)
    socket = listen(world, token)
    for verb in TO_THE_END:
        world.step(verb, order["id"], dan)
    later = listen(world, token)
    world.pass_time(59)
    assert world.gateway.closed == []
    world.pass_time(2)
    assert set(world.gateway.closed) == {socket.id, later.id}


def test_a_page_is_in_the_language_that_is_asked_for_where_there_is_one(
    world: World, cara: Someone
) -> None:
    token = make_link(world, world.place(cara)["id"], cara)
    for asked in ("xx, en-GB;q=0.5", "*", "", ";;q=,", "en;q=0"):
        page = world.call("GET", f"/t/{token}", headers={"accept-language": asked})
        assert '<html lang="en">' in page.text
    assert NOW.isoformat()[:10] in page.text
