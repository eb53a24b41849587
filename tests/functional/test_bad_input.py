"""Input of every wrong kind on every REST route, of every contract: a 4xx in the form of all
errors, nothing written, and never a 5xx. The routes are read off the app itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.people import Role
from chalicelib.store.tables import MODELS
from tests.functional.world import Answer, Someone, World, routes

UNKNOWN_IDS = ["1", "0", "-1", "1.5", "1e5", "x", "9" * 30, "%00", "%F0%9F%98%80", "a b"]
WRONG_BODIES: dict[str, bytes] = {
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "trailing": b"{} {}",
    "nothing but space": b" \n ",
    "null": b"null",
    "number": b"5",
    "text": b'"text"',
    "list": b"[]",
    "not a number": b'{"lat": NaN, "lng": NaN}',
    "infinity": b'{"lat": Infinity, "lng": -Infinity}',
    "beyond floats": b'{"lat": 1e999, "lng": 1e999}',
    "single quotes": b"{'a': 1}",
    "deep": b"[" * 50_000,
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "large": b'{"a": "' + b"x" * 70_000 + b'"}',
    "byte order mark": b"\xef\xbb\xbf[]",
    "lone surrogate": b'{"order_id": "\\ud800", "courier_id": "\\udfff"}',
}
OPEN = ("/health", "/console", "/client", "/docs")  # anybody's
ROUTES = [route for route in routes() if route[1] == "/health" or not route[1].startswith(OPEN)]
WITH_BODY = [(method, path) for method, path in ROUTES if method in ("POST", "PUT")]


def everything(world: World) -> dict[str, list[str]]:
    """All that is stored."""
    return {
        model.__name__: sorted(repr(sorted(row.serialize().items())) for row in model.scan())
        for model in MODELS
    }


def people(world: World) -> list[Someone]:
    """Somebody of each role."""
    return [world.someone(role, f"a-{role.value}") for role in Role if role is not Role.SYSTEM]


def refused(answer: Answer, *context: Any) -> None:
    """It was a 4xx, in the form of all errors."""
    assert 400 <= answer.status < 500, (answer, *context)
    in_form(answer, *context)


def in_form(answer: Answer, *context: Any) -> None:
    if answer.headers["content-type"].startswith("text/html"):  # a tracking link that is none
        assert answer.status == 404, (answer, *context)
        return
    assert isinstance(answer.body, dict), (answer, *context)
    assert {"error", "message"} <= set(answer.body) <= {"error", "message", "details"}, answer
    assert all(isinstance(answer.body[name], str) for name in ("error", "message")), answer
    assert answer.body["error"] != "internal_error", (answer, *context)


def filled(path: str, id_: str) -> str:
    """A route's path with its parameter in place."""
    before, brace, rest = path.partition("{")
    return before + id_ + rest.partition("}")[2] if brace else path


def test_without_a_good_token_nothing_is_answered(world: World) -> None:
    bad: list[dict[str, str]] = [{}, {"authorization": "Bearer x"}, {"authorization": "Basic eA=="}]
    for method, path in ROUTES:
        for headers in bad if path != "/" and not path.startswith((*OPEN, "/t/")) else []:
            body: Any = {} if method in ("POST", "PUT") else None
            answer = world.call(method, filled(path, "1"), body, headers=headers)
            refused(answer, method, path)
            assert answer.status == 401 or path.endswith("/webhook")


def test_wrong_bodies_are_refused_and_nothing_is_written(world: World) -> None:
    everybody, before = people(world), everything(world)
    for method, path in WITH_BODY:
        for who in everybody:
            for name, body in WRONG_BODIES.items():
                answer = world.call(method, filled(path, "4711"), body, who)
                refused(answer, method, path, who.role, name)
    assert everything(world) == before


def test_unknown_ids_are_unknown(world: World) -> None:
    everybody, before = people(world), everything(world)
    for method, path in ROUTES:
        if "{" not in path or "{restaurant" in path or "{user" in path:  # ids that anybody may have
            continue
        for id_ in UNKNOWN_IDS:
            for who in everybody:
                answer = world.call(method, filled(path, id_), {} if method != "GET" else None, who)
                refused(answer, method, path, id_)
    values: list[Any] = [*UNKNOWN_IDS, 0, -1, 1.5, 10**30, True, [], {}, None, "\ud800"]
    for value in values:
        for verb in ("accept", "decline", "arrived", "picked", "reached", "delivered"):
            answer = world.post(f"/v1/courier/orders/{verb}", {"order_id": value}, everybody[1])
            refused(answer, verb, value)
    assert everything(world) == before


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
def test_a_method_that_a_route_does_not_have_is_refused(world: World, method: str) -> None:
    admin = world.admin()
    for path in sorted({path for _, path in ROUTES}):
        if (method, path) not in ROUTES:
            answer = world.call(method, filled(path, "1"), {}, admin)
            assert answer.status == 405, (method, path, answer)
            in_form(answer)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", "x"])
def test_a_body_that_is_not_json_by_its_content_type_is_415(world: World, kind: str) -> None:
    """Ambiguity n of spec 000"""
    for method, path in WITH_BODY:
        answer = world.call(method, filled(path, "1"), b"{}", world.admin(), {"content-type": kind})
        assert answer.status == 415, (method, path, answer)
        in_form(answer)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/json"])
def test_json_is_json_with_or_without_a_charset(world: World, kind: str) -> None:
    headers = {"content-type": kind}
    dan = world.someone(Role.COURIER, "dan")
    body = b'{"available": true}'
    answer = world.call("POST", "/v1/courier/availability", body, dan, headers)
    assert answer.status == 200


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["", " ", "\x00", "\ud800", "4711", "card", 10**400, -(10**400), 1e308]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = (
    "order_id courier_id pickup_address pickup_lat pickup_lng dropoff_address dropoff_lat "
    "dropoff_lng receiver_phone notes available lat lng ts heading speed accuracy altitude reason "
    "name phone vehicle address latitude longitude address_from address_to latitude_from items "
    "delivery_address delivery_latitude amount bank_account method status transaction_id msg"
)
bodies = st.dictionaries(st.sampled_from(NAMES.split()), values, max_size=6)


def test_whatever_is_sent_is_never_the_server_s_fault(world: World) -> None:
    everybody = people(world)

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(ROUTES), st.sampled_from(everybody), bodies, st.sampled_from(UNKNOWN_IDS)
    )
    def send(route: tuple[str, str], who: Someone, body: dict[str, Any], id_: str) -> None:
        method, path = route
        raw = json.dumps(body).encode() if method != "GET" else None
        answer = world.call(method, filled(path, id_), raw, who)
        assert answer.status < 500, (route, body, answer)
        if answer.status >= 400:
            in_form(answer, route, body)

    send()


def test_whatever_is_said_on_a_socket_it_stays_open(world: World) -> None:
    socket = world.connect(world.courier())

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.one_of(
            st.text(),
            st.builds(
                lambda e, d: json.dumps({"event": e, "data": d}),
                st.sampled_from(["location.update", "order.assigned", "", "x"]),
                values,
            ),
        )
    )
    def say(text: str) -> None:
        for frame in socket.say(text):
            assert (set(frame), frame["event"]) == ({"event", "data"}, "error")

    say()
    assert world.waybill.connections.get_connection(socket.id) is not None
