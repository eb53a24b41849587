"""REST refuses what OpenAPI says it does: of bodies that views read themselves, and of queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.domain.people import Role
from infra.documents.openapi import list_routes
from infra.documents.operations import OPERATIONS
from infra.documents.requests import REQUESTS
from tests.aws_events import rest_event
from tests.functional.world import Someone, World
from tests.refused import find_bad_values, find_refused

REASON = {"reason": "other", "note": "n"}
PHONE = "+911234567890"
# A body that has each of its fields, for each view that reads some itself.
BODIES: Mapping[tuple[str, str], dict[str, Any]] = {
    ("PUT", "/v1/me"): {"name": "A", "phone": PHONE, "profile_picture": "", "vehicle": "v"},
    ("POST", "/v1/admin/announcements"): {"msg": "hear"},
    ("POST", "/v1/admin/orders/{order_id}/assign"): {"courier_id": "dan"},
    ("POST", "/v1/admin/payouts/{payout_id}/complete"): {"transaction_id": "t"},
    ("POST", "/v1/courier/availability"): {"available": True, "lat": 1, "lng": 2},
    ("POST", "/v1/courier/orders/accept"): {"order_id": "1"},
    ("POST", "/v1/courier/orders/arrived"): {"order_id": "1", "pin": "1234"},
    ("POST", "/v1/courier/orders/decline"): {"order_id": "1", **REASON},
    ("POST", "/v1/driver/orders/{order_id}/decline"): REASON,
    ("POST", "/v1/orders/{order_id}/cancel"): REASON,
    ("POST", "/v1/riders/payment"): {"ride_id": "1", "method": "upi", "upi_id": "a", "amount": 5},
}
QUERIES = [key for key, operation in OPERATIONS.items() if operation.query]


def somebody_for(world: World, key: tuple[str, str]) -> Someone:
    """Somebody who may ask."""
    route = next(route for _, route in list_routes() if (route.method, route.path) == key)
    roles: tuple[Role, ...] = getattr(route, "roles", ())
    return world.someone(roles[0] if roles else Role.ADMIN, "ada")


def fill(path: str) -> str:
    """A route's path with an id in it."""
    return "/".join("1" if part.startswith("{") else part for part in path.split("/"))


def test_bodies_are_refused_as_the_document_says(world: World) -> None:
    for key, body in BODIES.items():
        person, name = somebody_for(world, key), OPERATIONS[key].request
        assert name, key
        granted = world.call(key[0], fill(key[1]), body, person)
        assert granted.status in (200, 201, 404, 409), (key, granted)
        for what, wrong in find_refused(REQUESTS[name], body):
            if not what.startswith("courier_id is") or "assign" in key[1]:  # 403: another's
                answer = world.call(key[0], fill(key[1]), wrong, person)
                assert answer.status == 400, (key, what, answer)


@pytest.mark.parametrize("key", QUERIES)
def test_queries_are_refused_as_the_document_says(world: World, key: tuple[str, str]) -> None:
    person = somebody_for(world, key)
    for name, schema in OPERATIONS[key].query.items():
        for bad in find_bad_values(schema):
            is_text = isinstance(bad, str | int) and not isinstance(bad, bool)
            if is_text and not (schema.get("type") == "string" and bad == 5):
                target = f"{fill(key[1])}?{name}={quote(str(bad))}"
                answer = world.get(target, person)
                assert answer.status == 400, (target, answer)


@pytest.mark.parametrize(
    ("asked", "here"),
    [
        ("/api/docs", "/api/docs/"),
        ("/api/docs/", "/api/docs/"),
        ("/mapped/docs", "/mapped/docs/"),
        ("//elsewhere.example/docs", "/elsewhere.example/docs/"),
        ('/"><script>/docs', "/api/docs/"),
    ],
)
def test_the_page_finds_what_it_loads(world: World, asked: str, here: str) -> None:
    event = rest_event({"/docs": ["GET"]}, "GET", "/docs")
    event["requestContext"]["path"] = asked
    page = world.hand(event)
    assert page.status == 200
    assert f'src="{here}docs.js"' in page.text
