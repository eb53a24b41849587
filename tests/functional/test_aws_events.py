"""REST as API Gateway asks for it: path parameters percent-encoded as sent, in whole events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.contracts.feed.events import encode_event_id
from chalicelib.domain.people import Role
from tests.aws_events import rest_event
from tests.functional.test_bad_input import in_form, people
from tests.functional.world import Answer, World, log_of, routes

ODD_IDS = [
    "auth0|5f7c",
    "google-oauth2|1234",
    "ana+work@example.com",
    "cafe 7",
    "100%",
    "%25",
    "%7C",
    "a/b",
    "../me",
    "a?b=c&d#e",
    "čafé ☕",
    "😀",
    "a+b",
    "o'hara\\{x}",
]
NOT_UTF8 = ["%FF", "%C3%28", "a%80", "%ED%A0%80", "%F8%88%80%80%80"]
SPOT = {"name": "Shop", "address": "1 Mill Road", "latitude": 12.9716, "longitude": 77.5946}
FOOD = {
    "items": [{"name": "Soup", "quantity": 1, "price": 3.5}],
    "deliveryAddress": "2 Door Street",
}


def encoded(id_: str) -> str:
    return quote(id_, safe="")


def filled(path: str, sent: str) -> str:
    before, brace, rest = path.partition("{")
    return before + sent + rest.partition("}")[2] if brace else path


@pytest.mark.parametrize("id_", ODD_IDS)
def test_everybody_reads_their_own_events(world: World, id_: str) -> None:
    hers = world.customer(id_)
    world.place(hers)
    answer = world.get(f"/websocket/events/user/{encoded(id_)}", hers)
    assert answer.status == 200, answer
    (event,) = answer.body["data"]
    one = world.get(f"/websocket/events/{encoded(event['event_id'])}", hers)
    assert (one.status, one.body["data"]["event_id"]) == (200, event["event_id"])
    assert event["event_id"] == encode_event_id(log_of(id_)[0])
    twice = world.get(f"/websocket/events/user/{encoded(encoded(id_))}", hers)
    assert twice.status == 403


@pytest.mark.parametrize("id_", ODD_IDS)
def test_an_order_reaches_the_owner_of_the_restaurant(world: World, id_: str) -> None:
    owner = world.someone(Role.MERCHANT, "owner", restaurant_ids=[id_])
    path = f"/v1/restaurants/{encoded(id_)}"
    put = world.call("PUT", path, SPOT, owner)
    assert put.status == 200, put
    socket = world.connect(owner, "food")
    socket.take()
    order = world.post(f"{path}/orders", FOOD, world.customer())
    assert (order.status, order.body["restaurantId"]) == (201, id_)
    world.pump()
    assert [frame["data"]["order"]["restaurantId"] for frame in socket.take()] == [id_]
    assert world.get(path, owner).body == put.body


def test_orders_are_named_in_any_spelling_of_a_path(world: World) -> None:
    cara = world.customer()
    id_ = world.place(cara)["id"]
    spelled = "".join(f"%{ord(digit):02X}" for digit in id_)
    for sent in (id_, spelled, f"%{ord(id_[0]):02x}{id_[1:]}"):
        assert world.get(f"/v1/orders/{sent}", cara).body["id"] == id_
        assert world.get(f"/v1/orders/{sent}/", cara).body["id"] == id_
    assert world.get(f"/v1/orders/{encoded(spelled)}", cara).status == 404


def test_a_path_that_is_not_utf8_is_refused(world: World) -> None:
    for who in people(world):
        for method, path in routes():
            for sent in NOT_UTF8 if "{" in path else ():
                body: Any = None if method == "GET" else {}
                answer = world.call(method, filled(path, sent), body, who)
                if path.startswith("/t/"):  # no link is as wrong as any other: one page, one 404
                    assert answer.status == 404, (method, path, sent, answer)
                    continue
                assert answer.status == 400, (method, path, sent, answer)
                in_form(answer)


def test_no_id_is_the_server_s_fault(world: World) -> None:
    """Those of tokens' shapes, and any other."""
    captured = [(method, path) for method, path in routes() if "{" in path]
    everybody = people(world)

    def refuse(method: str, path: str, sent: str) -> None:
        for who in everybody:
            answer = world.call(method, filled(path, sent), None if method == "GET" else {}, who)
            assert answer.status < 500, (method, path, sent, answer)
            if answer.status >= 400:
                in_form(answer)

    for method, path in captured:
        for id_ in (*ODD_IDS, "x" * 129, "☕" * 2000, "\x00", "\u200b", " "):
            refuse(method, path, encoded(id_))
        for sent in ("%", "%zz", "%2", "%%", "+"):
            refuse(method, path, sent)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(captured), st.text(st.characters(codec="utf-8"), min_size=1))
    def send(route: tuple[str, str], id_: str) -> None:
        refuse(*route, encoded(id_))

    send()


def test_every_route_takes_an_event_with_all_its_keys(world: World) -> None:
    admin = world.admin()
    for method, path in routes():
        event = event_of(
            method,
            filled(path, "4711") + "?limit=5&limit=6&event_type=",
            [
                ("Accept", "application/json"),
                ("AUTHORIZATION", f"Bearer {admin.token}"),
                ("Content-Type", "application/json; charset=utf-8"),
                ("x-one", "1"),
                ("x-one", "2"),
            ],
            {} if method in ("POST", "PUT") else None,
        )
        answer = world.hand(json.loads(json.dumps(event)))
        assert answer.status < 500, (method, path, answer)
        assert answer.status != 401 or path.endswith("/webhook"), (method, path, answer)


def event_of(
    method: str, target: str, headers: list[tuple[str, str]], body: Any = None
) -> Mapping[str, Any]:
    from app import app

    raw = b"" if body is None else json.dumps(body).encode()
    return rest_event(app.routes, method, target, headers, raw)


def test_a_body_comes_as_text_or_in_base64(world: World) -> None:
    dan = world.someone(Role.COURIER, "dan")
    headers = [("authorization", f"Bearer {dan.token}"), ("content-type", "application/json")]
    event = dict(event_of("POST", "/v1/courier/availability", headers, {"available": True}))
    assert world.hand(event).body == {"available": True}
    coded = {**event, "body": "eyJhdmFpbGFibGUiOiB0cnVlfQ==", "isBase64Encoded": True}
    assert world.hand(coded).body == {"available": True}


def test_queries_are_read_decoded_and_by_their_last_value(world: World) -> None:
    cara = world.customer("ana|1")
    world.place(cara)
    world.place(world.customer("other"))
    path = "/websocket/events/user/ana%7C1"

    def page(query: str) -> Answer:
        return world.get(f"{path}?{query}", cara)

    assert page("limit=1&limit=2").body["limit"] == 2
    assert page("event_type=order%5Fcreated").body["data"]
    assert page("limit=x").status == 400
