"""OpenAPI and AsyncAPI: made of the code, valid, and as strict as what reads requests."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from chalicelib.contracts.base import RequestError
from chalicelib.contracts.courier.socket import read_delivery_order, read_location
from chalicelib.contracts.drivers.socket import read_hail_order
from chalicelib.contracts.food.orders import read_food_order, read_restaurant
from chalicelib.contracts.money import (
    read_account,
    read_amount,
    read_method,
    read_payment_id,
    read_payment_result,
    read_upi_id,
)
from chalicelib.contracts.placing import read_order_options, read_quote_id, read_windows
from chalicelib.contracts.proof import (
    read_content_type,
    read_file_kind,
    read_kind,
    read_override_reason,
    read_pin,
    read_stop,
)
from chalicelib.contracts.quotes import read_quote_request
from chalicelib.contracts.reasons import read_chosen_reason, read_failure, read_no_show
from chalicelib.contracts.rides.readers import read_rating, read_ride_request
from chalicelib.contracts.webhooks.endpoints import read_endpoint, read_event_id, read_since
from chalicelib.domain.details import Place
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.orders.reasons import ALLOWED_REASONS, FAILURE_REASONS
from chalicelib.domain.people import Role
from chalicelib.errors import WaybillError
from infra.documents.__main__ import WRITTEN, main
from infra.documents.frames import SAID
from infra.documents.frames.said import check_tables
from infra.documents.openapi import SCHEMAS
from infra.documents.requests import REQUESTS
from infra.documents.shapes import Schema, ref
from tests.builders import NOW
from tests.contracts import CONTRACTS
from tests.documents import Undocumented, check_answer, check_frame
from tests.refused import find_refused, fits

JSON = {"content-type": "application/json"}
PLACE = {"lat": 12.97, "lng": 77.59}
OPTIONS: dict[str, Any] = {
    "external_id": "A-1",
    "metadata": {"shop": "12"},
    "pickup_from": "2031-05-06T10:00:00+01:00",
    "pickup_by": "2031-05-06T11:00:00+01:00",
    "dropoff_by": "2031-05-06T12:00:00Z",
    "proof": {"pickup": "photo", "dropoff": ["pin"]},
    "quote_id": "q",
}
ITEM = {"name": "Milk", "quantity": 2, "price": 30}


def with_options(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A reader of an order and of what may be added to it."""
    return lambda body: (read(body), read_order_options(body), read_quote_id(body))


# For each schema a reader that the code runs on, and a body that has each of its fields.
READERS: Mapping[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "NewDelivery": (
        with_options(lambda body: read_delivery_order(body, "cara", NOW)),
        {
            "pickup_address": "1 Depot Road",
            "dropoff_address": "2 Door Street",
            "receiver_phone": "+911234567890",
            "pickup_lat": 1,
            "pickup_lng": 2,
            "dropoff_lat": 3,
            "dropoff_lng": 4,
            "notes": "ring",
            **OPTIONS,
        },
    ),
    "NewHail": (
        with_options(lambda body: read_hail_order(body, "cara", NOW)),
        {
            "address_from": "a",
            "address_to": "b",
            "latitude_from": 1,
            "longitude_from": "2.5",
            "latitude_to": 3,
            "longitude_to": 4,
            "order_type": "pickup",
            **OPTIONS,
        },
    ),
    "NewRide": (
        with_options(read_ride_request),
        {
            "pickup": {"latitude": 1, "longitude": 2, "address": "a"},
            "destination": {"latitude": 1, "longitude": 2, "address": "a"},
            "vehicle_type": "standard",
            "notes": "two",
            **OPTIONS,
        },
    ),
    "NewMeal": (
        with_options(lambda body: read_food_order(body, "mill", Place("x"), "cara", NOW)),
        {
            "deliveryAddress": "a",
            "items": [ITEM],
            "latitude": 1,
            "longitude": 2,
            "notes": "hot",
            **OPTIONS,
        },
    ),
    "Windows": (read_windows, {name: OPTIONS[name] for name in ("pickup_from", "pickup_by")}),
    "Position": (
        lambda body: read_location(body, NOW),
        {**PLACE, "heading": 1, "speed": 1, "accuracy": 5, "altitude": 9, "ts": 1_900_000_000},
    ),
    "OrderStep": (read_pin, {"order_id": "1", "pin": "1234"}),
    "Release": (
        lambda body: read_chosen_reason(body, ALLOWED_REASONS[Role.COURIER]),
        {"order_id": 1, "reason": "vehicle", "note": "flat"},
    ),
    "NoShow": (read_no_show, {"order_id": 1, "reason": "recipient_absent", "then": "return"}),
    "Failure": (
        lambda body: read_failure(body, read_chosen_reason(body, FAILURE_REASONS)),
        {"order_id": 1, "reason": "refused", "then": "leave", "note": "no"},
    ),
    "RestaurantProfile": (
        lambda body: read_restaurant(body, "mill"),
        {"name": "Mill", "address": "a", "latitude": 1, "longitude": 2},
    ),
    "DriverRating": (read_rating, {"ride_id": "1", "rating": 5, "comment": "good"}),
    "NewPayment": (
        lambda body: (read_method(body), read_upi_id(body)),
        {"order_id": "1", "method": "upi", "upi_id": "a@b"},
    ),
    "PaymentResult": (
        lambda body: (read_payment_id(body), read_payment_result(body)),
        {"payment_id": "p", "status": "completed", "transaction_id": "t", "error": "e"},
    ),
    "NewPayout": (
        lambda body: (read_amount(body), read_account(body)),
        {"amount": 5, "bank_account": "DE12 3456"},
    ),
    "NewTip": (read_amount, {"amount": 5}),
    "QuoteRequest": (
        lambda body: read_quote_request(body, NOW),
        {"flow": "ride", "pickup": PLACE, "dropoff": PLACE, "vehicle_type": "bike"},
    ),
    "ProofUpload": (
        lambda body: (read_stop(body), read_file_kind(body), read_content_type(body)),
        {"stop": "pickup", "kind": "photo", "content_type": "image/png"},
    ),
    "ProofOverride": (
        lambda body: (read_stop(body), read_kind(body), read_override_reason(body)),
        {"stop": "pickup", "kind": "photo", "reason": "fraud"},
    ),
    "NewWebhook": (
        read_endpoint,
        {"url": "https://a.example", "events": ["*"], "description": "d", "merchant_id": "m"},
    ),
    "WebhookResend": (read_event_id, {"event_id": "1-2"}),
    "WebhookReplay": (lambda body: read_since(body, NOW), {"since": "2031-05-06T07:00:00Z"}),
}
# Read by others than the reader above: whose order, and whose own id.
ELSEWHERE = {"order_id", "courier_id", "ride_id", "note"}


def alternative_for(schema: Schema, body: dict[str, Any]) -> Schema:
    """Of a schema with several forms, the one that a body has."""
    forms = schema.get("oneOf") or [schema]
    return next(one for one in forms if fits(one, body))


def is_refused(read: Callable[[Any], Any], body: Any) -> bool:
    """Whether a reader refuses a body."""
    try:
        read(body)
    except WaybillError:
        return True
    return False


@pytest.mark.parametrize("name", READERS)
def test_readers_refuse_what_the_schema_refuses(name: str) -> None:
    read, body = READERS[name]
    schema = alternative_for(REQUESTS[name], body)
    read(copy.deepcopy(body))
    checked = 0
    for what, wrong in find_refused(schema, body):
        field = what.partition(" ")[0].rstrip(":")
        if field in ELSEWHERE or (name == "QuoteRequest" and field == "flow"):
            continue
        assert not fits(schema, wrong), (name, what)
        assert is_refused(read, wrong), (name, what)
        checked += 1
    assert checked


@pytest.mark.parametrize("name", READERS)
def test_optional_fields_may_be_null(name: str) -> None:
    read, body = READERS[name]
    schema = alternative_for(REQUESTS[name], body)
    optional = [one for one in schema["properties"] if one not in schema.get("required", ())]
    nulled = {**body, **dict.fromkeys(optional)}
    assert fits(schema, nulled)
    read(nulled)


CONNECTED = Connection("c", "any", NOW, "dan", Role.COURIER)
# A message of each kind that has fields.
SENT: Mapping[tuple[str, str], dict[str, Any]] = {
    ("courier", "refresh"): {"token": "t"},
    ("courier", "location.update"): PLACE,
    ("drivers", "refresh"): {"token": "t"},
    ("feed", "auth"): {"token": "t", "user_id": 5, "user_role": "customer"},
    ("feed", "subscribe"): {"events": ["order_created"]},
    ("feed", "unsubscribe"): {"events": []},
    ("food", "refresh"): {"token": "t"},
    ("food", "accept-order"): {"orderId": 5},
    ("food", "update-order-status"): {"orderId": 5, "status": "delivered", "pin": "1234"},
    ("rides", "authenticate"): {"token": "t"},
    ("rides", "update_location"): {"latitude": 1, "longitude": 2},
    ("rides", "accept_ride"): {"ride_id": "1"},
    ("rides", "start_ride"): {"ride_id": "1", "pin": "1234"},
    ("rides", "cancel_ride"): {"ride_id": "1", "reason": "unsafe", "note": "n"},
    ("rides", "get_ride_chats"): {"ride_id": "1", "before": "5"},
    ("rides", "send_chat_message"): {"ride_id": "1", "message": "hi"},
}


@pytest.mark.parametrize("key", SENT)
def test_contracts_refuse_what_the_schema_refuses(key: tuple[str, str]) -> None:
    contract, name = key
    schema = SAID[contract].messages[name]

    def read(data: dict[str, Any]) -> Any:
        is_flat = contract in ("feed", "drivers")
        frame = {"type": name, **data} if is_flat else {"event": name, "data": data}
        try:
            return CONTRACTS[contract].read_message(json.dumps(frame), CONNECTED, NOW)
        except RequestError as refusal:
            raise refusal.error from None

    read(SENT[key])
    for what, wrong in find_refused(schema, SENT[key]):
        is_read = not what.startswith(("reason", "note")) or contract != "food"  # but to cancel
        if is_read and not fits(schema, wrong):
            assert is_refused(read, wrong), (key, what)


def test_the_files_are_what_the_code_says() -> None:
    assert main(["--check"]) == 0


def test_openapi_is_valid() -> None:
    document = json.loads((WRITTEN / "openapi.json").read_text())
    errors = [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert errors == []


def list_examples(value: Any) -> Iterator[tuple[Schema, Any]]:
    """(schema, example) of all bodies below a part of OpenAPI that have one."""
    for one in value.values() if isinstance(value, dict) else ():
        if isinstance(one, dict) and "example" in one:
            yield one["schema"], one["example"]
        yield from list_examples(one)


def test_examples_are_valid() -> None:
    document = json.loads((WRITTEN / "openapi.json").read_text())
    examples = list(list_examples(document["paths"]))
    assert len(examples) > 10
    assert [example for schema, example in examples if not fits(schema, example)] == []


def test_all_that_a_contract_says_is_named() -> None:
    assert CONTRACTS.keys() == SAID.keys()
    for name, contract in CONTRACTS.items():
        check_tables(contract, SAID[name])


def test_every_body_is_used() -> None:
    """No schema is left of what there was."""
    written = "".join(path.read_text() for path in sorted(WRITTEN.glob("*.json")))
    assert [name for name in SCHEMAS if json.dumps(ref(name)["$ref"]) not in written] == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"status": "ok", "version": "1", "more": 1}),
        (200, {"status": "bad", "version": "1"}),
        (202, {"status": "ok", "version": "1"}),
        (409, {"error": "conflict", "message": "no"}),
        (503, {"error": "unavailable", "message": "no"}),
        (415, {"Message": "no"}),
    ],
)
def test_what_is_in_no_document_is_noticed(status: int, body: Any) -> None:
    check_answer("GET", "/health", 200, JSON, {"status": "ok", "version": "1"})
    with pytest.raises(Undocumented):
        check_answer("GET", "/health", status, JSON, body)


@pytest.mark.parametrize(
    ("contract", "frame"),
    [
        ("courier", '{"event": "order.status", "data": {}}'),
        ("courier", '{"event": "order.no_nearby_driver", "data": {"order_id": "1"}}'),
        ("feed", '{"type": "heartbeat_ack", "more": 1}'),
        ("socketio", '42/orders,["order-taken",{"orderId":"1"}]'),
        ("socketio", '43/orders,7[{"ok":false}]'),
        ("rides", '{"event": "go_online_response", "data": {"status": "error"}}'),
    ],
)
def test_frames_in_no_document_are_noticed(contract: str, frame: str) -> None:
    with pytest.raises(Undocumented):
        check_frame(contract, frame)


def test_granted_requests_are_held_against_their_schema() -> None:
    key = ("POST", "/v1/courier/availability", 200, JSON, {"available": True})
    check_answer(*key, '{"available": true, "lat": null}')
    with pytest.raises(Undocumented):
        check_answer(*key, '{"available": "yes"}')
