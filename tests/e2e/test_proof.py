"""Proof at an order's stops, as clients give it: a PIN that is told, a photo that is posted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from tests.e2e.conftest import Stack
from tests.e2e.courier.town import Someone, Town, a_town

PHOTO = b"\x89PNG a photo"


@pytest.fixture
def town(stack: Stack) -> Iterator[Town]:
    """A town on the shared stack."""
    with a_town(stack) as found:
        yield found


def post(form: dict[str, Any], content: bytes, **changed: str) -> int:
    """Post a file by a form, as a browser does; the status."""
    fields = {**form["fields"], **changed, "file": ("photo.png", content)}
    return urllib3.request("POST", form["url"], fields=fields).status


def test_a_parcel_is_handed_over_by_pin_and_photo(town: Town) -> None:
    courier, customer = town.on_duty(), town.customer()
    proof = {"pickup": "pin", "dropoff": ["pin", "photo"]}
    order = customer.post("orders", {**town.parcel(), "proof": proof}).json
    id_, told = order["id"], order["proof"]

    def step(name: str, **more: Any) -> Any:
        return courier.post(f"courier/orders/{name}", {"order_id": id_, **more})

    assert step("accept").status == step("arrived").status == 200
    assert step("picked").json["details"] == {"stop": "pickup", "missing": ["pin"]}
    assert step("picked", pin=told["pickup"]["pin"]).status == 200
    form = _ask_form(courier, id_)
    assert post(form, b"x" * 6_000_000) == 400
    assert post(form, PHOTO, **{"Content-Type": "text/html"}) == 403
    assert post(form, PHOTO, key=f"kept/{id_}/dropoff-photo") == 403
    assert step("delivered", pin=told["dropoff"]["pin"]).json["details"]["missing"] == ["photo"]
    assert post(form, PHOTO) == 204
    assert step("delivered", pin=told["dropoff"]["pin"]).json["status"] == "delivered"
    for who in (customer, courier):
        [file] = who.get(f"orders/{id_}/proof").json["proof"]["dropoff"]["files"]
        assert urllib3.request("GET", file["url"]).data == PHOTO
        # The URL is good for this file alone, as it stands.
        assert urllib3.request("GET", file["url"].replace("dropoff", "pickup")).status == 403


def _ask_form(courier: Someone, order_id: str) -> dict[str, Any]:
    body = {"stop": "dropoff", "kind": "photo", "content_type": "image/png"}
    made = courier.post(f"orders/{order_id}/proof", body)
    assert made.status == 200, made.body
    return dict(made.json)
