"""Contract food, pure: what is read, and how it is worded."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.contracts.base import REFRESH, RequestError
from chalicelib.contracts.food.orders import (
    MAX_ITEM_NAME,
    MAX_ITEMS,
    MAX_LIST_BYTES,
    read_food_order,
    read_restaurant,
    render_food_order,
    render_id,
    render_order_list,
)
from chalicelib.contracts.food.socket import ANSWER_NAMES, FOOD, MESSAGES, PING, WRITERS
from chalicelib.contracts.food.socketio import FoodSocketIOContract
from chalicelib.domain import events
from chalicelib.domain.details import OrderDetails, OrderItem, Place
from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.drafts import draft_order_event
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.requests import (
    AcceptOrder,
    Authenticate,
    ClientRequest,
    Disconnect,
    ListOpenOrders,
    ListRestaurantOrders,
    TakeStep,
)
from chalicelib.domain.people import Role
from chalicelib.errors import Forbidden, InvalidInput, InvalidTransition, WaybillError
from tests.builders import NOW, a_contact, a_job, an_order

SAMPLES = Path(__file__).parents[1] / "samples" / "food"
SOCKETIO = FoodSocketIOContract(timedelta(minutes=5))
ITEMS = (OrderItem("Soup", 2, 450), OrderItem("Bread", 1, 10))
BOX = "restaurant#789"


def a_meal_job(**changes: Any) -> OrderDetails:
    """What user 456 ordered from restaurant 789."""
    defaults = {"flow": "food", "customer_id": "456", "merchant_id": "789", "items": ITEMS}
    return a_job(**{**defaults, "receiver_phone": None, **changes})


def a_meal(status: Status, **changes: Any) -> Order:
    defaults = {"id": 123, "details": a_meal_job(), "courier_id": None, "courier": None}
    return an_order(status, **{**defaults, **changes})


def a_connection(role: Role | None = None, **changes: Any) -> Connection:
    """An admitted connection, if it has a role."""
    return Connection("c=", "food", NOW, person_id="456" if role else "", role=role, **changes)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def asked(role: Role, name: str, data: Any) -> ClientRequest | None:
    return FOOD.read_event(name, data, a_connection(role), NOW).request


def test_every_message_of_the_spec_has_a_sample() -> None:
    names = {path.stem for path in SAMPLES.glob("*.json")}
    asked = MESSAGES.keys() - {PING, REFRESH}  # whose messages have no data
    told = {writer.name for writers in WRITERS.values() for writer in writers}
    assert names == asked | told | {ANSWER_NAMES[name] for name in asked & ANSWER_NAMES.keys()} | {
        "error"
    }


def test_the_samples_that_clients_send_are_understood() -> None:
    """S2-06 to S2-09."""
    name = "update-order-status"
    assert asked(Role.MERCHANT, name, sample(name)) == TakeStep(123, commands.Prepare())
    assert asked(Role.COURIER, "accept-order", sample("accept-order")) == AcceptOrder(123)
    name = "get-available-orders"
    assert asked(Role.COURIER, name, sample(name)) == ListOpenOrders("food")
    name = "get-restaurant-orders"
    assert asked(Role.MERCHANT, name, sample(name)) == ListRestaurantOrders()


def test_an_empty_payload_may_be_left_out() -> None:
    """Ambiguity d."""
    assert asked(Role.COURIER, "get-available-orders", None) == ListOpenOrders("food")


STATUSES = {
    Role.MERCHANT: {"confirmed", "preparing", "ready_for_pickup", "cancelled"},
    Role.COURIER: {"out_for_delivery", "delivered"},
    Role.CUSTOMER: set[str](),
}


@pytest.mark.parametrize("role", STATUSES)
@pytest.mark.parametrize(
    "status",
    [
        "pending",
        "confirmed",
        "preparing",
        "ready_for_pickup",
        "cancelled",
        "out_for_delivery",
        "delivered",
    ],
)
def test_each_role_has_its_own_statuses(role: Role, status: str) -> None:
    """S2-06."""
    data = {"orderId": 123, "status": status}
    if status in STATUSES[role]:
        assert isinstance(asked(role, "update-order-status", data), TakeStep)
        return
    with pytest.raises(RequestError) as refused:
        asked(role, "update-order-status", data)
    assert isinstance(refused.value.error, Forbidden)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("accept-order", Role.CUSTOMER),
        ("accept-order", Role.MERCHANT),
        ("get-available-orders", Role.CUSTOMER),
        ("get-available-orders", Role.MERCHANT),
        ("get-restaurant-orders", Role.CUSTOMER),
        ("get-restaurant-orders", Role.COURIER),
    ],
)
def test_messages_of_another_role_are_refused(name: str, role: Role) -> None:
    """S2-07 to S2-09."""
    with pytest.raises(RequestError) as refused:
        asked(role, name, sample(name))
    assert refused.value.error.message == "Insufficient permissions."


@pytest.mark.parametrize("id_", [None, "", "abc", 0, -1, 1.5, True, [], {}, 2**53, "9" * 17])
def test_an_order_id_is_a_positive_number(id_: Any) -> None:
    """S2-19."""
    with pytest.raises(RequestError) as refused:
        asked(Role.COURIER, "accept-order", {"orderId": id_})
    assert refused.value.error.message == "Invalid order ID."


def test_an_order_id_may_be_written_as_a_text() -> None:
    """Ambiguity e."""
    assert asked(Role.COURIER, "accept-order", {"orderId": "123"}) == AcceptOrder(123)


@pytest.mark.parametrize(
    "text",
    ["x", "[]", "{}", '{"event":1}', '{"event":"nope"}', '{"event":"accept-order","data":[]}', "1"],
)
def test_what_is_no_message_is_refused_in_plain(text: str) -> None:
    with pytest.raises((RequestError, InvalidInput)):
        FOOD.read_message(text, a_connection(Role.COURIER), NOW)


@settings(max_examples=60)
@given(st.text() | st.text('42/orders,["}{:accept-order]0'))
def test_no_frame_raises_anything_but_a_refusal(text: str) -> None:
    for contract, connection in (
        (FOOD, a_connection(Role.COURIER)),
        (SOCKETIO, a_connection(Role.COURIER)),
        (SOCKETIO, a_connection()),
    ):
        try:
            request = contract.read_message(text, connection, NOW)
        except (RequestError, WaybillError):
            continue
        assert request.request is None or isinstance(request.request, Authenticate | Disconnect)


@pytest.mark.parametrize(
    ("id_", "worded"),
    [
        ("456", 456),
        ("0", 0),
        ("9007199254740991", 9007199254740991),
        ("9007199254740993", "9007199254740993"),
        ("007", "007"),
        ("u-1", "u-1"),
        ("", ""),
        ("٣", "٣"),
        (None, None),
    ],
)
def test_ids_are_numbers_where_every_client_can_hold_them(id_: str | None, worded: Any) -> None:
    """Ambiguity j."""
    assert render_id(id_) == worded


def test_an_order_is_worded_whole() -> None:
    """S2-24."""
    order = a_meal(Status.IN_TRANSIT, courier_id="789")
    assert render_food_order(order) == {
        "id": 123,
        "status": "out_for_delivery",
        "userId": 456,
        "restaurantId": 789,
        "driverId": 789,
        "items": [
            {"name": "Soup", "quantity": 2, "price": 4.5},
            {"name": "Bread", "quantity": 1, "price": 0.1},
        ],
        "totalAmount": 9.1,
        "deliveryAddress": "2 Door Street",
        "createdAt": "2031-05-06T07:08:09.000Z",
        "updatedAt": "2031-05-06T07:08:09.000Z",
    }


# Event, who it is for, what it is about, and the sample that it must be worded like.
TOLD = [
    (events.ORDER_PLACED, "456", Role.CUSTOMER, Status.PENDING, "order-created"),
    (events.ORDER_PLACED, BOX, Role.MERCHANT, Status.PENDING, "new-order"),
    (events.ORDER_PREPARING, "456", Role.CUSTOMER, Status.PREPARING, "order-updated"),
    (events.ORDER_PREPARING, BOX, Role.MERCHANT, Status.PREPARING, "order-updated"),
    (events.ORDER_OPENED, "", Role.COURIER, Status.READY, "new-available-order"),
    (events.ORDER_TAKEN, "", Role.COURIER, Status.IN_TRANSIT, "order-taken"),
    (events.ORDER_ASSIGNED, "457", Role.COURIER, Status.READY, "order-assigned"),
]


@pytest.mark.parametrize(("type_", "to", "role", "status", "name"), TOLD)
def test_events_are_worded_as_the_samples(
    type_: str, to: str, role: Role, status: Status, name: str
) -> None:
    """S2-10 to S2-16."""
    contact = a_contact("456") if name == "order-assigned" else None
    event = draft_order_event(a_meal(status), type_, to, NOW, details=a_meal_job(), courier=contact)
    (frame,) = FOOD.render_event(event, Subscriber("c", "456", "food", role=role))
    said = json.loads(frame)
    assert said["event"] == name
    assert contains(said["data"], sample(name))
    (packet,) = SOCKETIO.render_event(event, Subscriber("c", "456", "socketio", role=role))
    assert json.loads(packet.removeprefix("42/orders,")) == [name, said["data"]]


def test_who_accepts_hears_of_it_as_accepter_and_as_party() -> None:
    """S2-12, S2-15."""
    event = draft_order_event(
        a_meal(Status.IN_TRANSIT),
        events.ORDER_CLAIMED,
        "457",
        NOW,
        details=a_meal_job(),
        courier=a_contact("456"),
    )
    frames = FOOD.render_event(event, Subscriber("c", "457", "food", role=Role.COURIER))
    accepted, updated = map(json.loads, frames)
    assert (accepted["event"], updated["event"]) == ("order-accepted", "order-updated")
    assert contains(accepted["data"], sample("order-accepted"))
    assert updated["data"] == accepted["data"]


@pytest.mark.parametrize(("type_", "to", "role", "status", "name"), TOLD)
def test_a_copy_for_one_role_is_silence_for_the_others(
    type_: str, to: str, role: Role, status: Status, name: str
) -> None:
    """S2-05: one person may be customer and owner; each socket hears its own role's copy."""
    event = draft_order_event(a_meal(status), type_, to, NOW, details=a_meal_job())
    for other in {Role.CUSTOMER, Role.COURIER, Role.MERCHANT} - {role}:
        assert not FOOD.render_event(event, Subscriber("c", "456", "food", role=other))


def test_what_the_contract_has_no_word_for_is_silence() -> None:
    event = draft_order_event(
        a_meal(Status.OFFERED), events.OFFER_MADE, "457", NOW, details=a_meal_job()
    )
    assert FOOD.render_event(event, Subscriber("c", "457", "food", role=Role.COURIER)) == ()


def test_lists_are_worded_as_the_samples() -> None:
    """S2-08, S2-09."""
    for name, status in (("available-orders", "ready"), ("restaurant-orders", "preparing")):
        asked_for = {said: ask for ask, said in ANSWER_NAMES.items()}[name]
        request = FOOD.read_event(
            asked_for, {}, a_connection(Role.COURIER if status == "ready" else Role.MERCHANT), NOW
        )
        (frame,) = FOOD.render_answer(request, [a_meal(Status(status))], a_connection())
        said = json.loads(frame)
        assert said["event"] == name
        assert contains(said["data"], sample(name))


def test_a_list_never_grows_over_one_message() -> None:
    big = tuple(OrderItem("é" * MAX_ITEM_NAME, 1, 1) for _ in range(MAX_ITEMS))
    orders = [a_meal(Status.READY, id=n, details=a_meal_job(items=big)) for n in range(1, 100)]
    listed = render_order_list(orders)
    assert 0 < len(msgspec.json.encode(listed)) <= MAX_LIST_BYTES
    assert [order["id"] for order in listed] == list(range(1, len(listed) + 1))
    newest = render_order_list(orders, newest=True)
    assert [order["id"] for order in newest] == list(range(100 - len(newest), 100))


def test_errors_are_worded_as_the_sample() -> None:
    """S2-17, S2-19."""
    error = InvalidTransition("pending", "make_ready", ("confirm",))
    (frame,) = FOOD.render_error(
        FOOD.read_event("accept-order", {"orderId": 1}, a_connection(Role.COURIER), NOW), error
    )
    said = json.loads(frame)
    assert said["event"] == "error"
    assert said["data"].keys() == sample("error").keys()
    assert said["data"]["message"] == "Invalid status transition: pending to ready_for_pickup."


def contains(whole: Any, part: Any) -> bool:
    """Whether everything in `part` is in `whole`, values and types alike."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and contains(whole[key], value) for key, value in part.items()
        )
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return type(whole) is type(part) and bool(whole == part)


BODY = {
    "items": [{"name": " Soup ", "quantity": 2, "price": 4.5}],
    "deliveryAddress": "2 Door Street",
    "latitude": 12.9,
    "longitude": 77.5,
    "notes": "ring twice",
}


def test_an_order_is_read_into_minor_units() -> None:
    """S2-24."""
    job = read_food_order(BODY, "789", Place("Kitchen Lane"), "456", NOW)
    assert job.items == (OrderItem("Soup", 2, 450),)
    assert job.items_minor == 900
    assert (job.pickup, job.dropoff) == (
        Place("Kitchen Lane"),
        Place("2 Door Street", 12.9, 77.5),
    )
    assert (job.merchant_id, job.customer_id, job.notes) == ("789", "456", "ring twice")


@given(st.integers(0, 100_000_000))
def test_prices_are_exact(minor: int) -> None:
    item = {"name": "Soup", "quantity": 1, "price": minor / 100}
    job = read_food_order({**BODY, "items": [item]}, "789", Place(""), "456", NOW)
    assert job.items[0].price_minor == minor
    assert round(job.items_minor / 100 * 100) == minor


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": None},
        {"items": []},
        {"items": {}},
        {"items": ["soup"]},
        {"items": [{"name": "Soup", "quantity": 0, "price": 1}]},
        {"items": [{"name": "Soup", "quantity": 1.5, "price": 1}]},
        {"items": [{"name": "Soup", "quantity": True, "price": 1}]},
        {"items": [{"name": "Soup", "quantity": 1, "price": -1}]},
        {"items": [{"name": "Soup", "quantity": 1, "price": "1"}]},
        {"items": [{"name": "Soup", "quantity": 1, "price": 1.005}]},
        {"items": [{"name": "Soup", "quantity": 1, "price": float("nan")}]},
        {"items": [{"name": "Soup", "quantity": 1}]},
        {"items": [{"name": " ", "quantity": 1, "price": 1}]},
        {"items": [{"name": "S" * 101, "quantity": 1, "price": 1}]},
        {"items": [{"name": "Soup", "quantity": 1, "price": 1}] * 51},
        {"deliveryAddress": None},
        {"deliveryAddress": " "},
        {"deliveryAddress": 5},
        {"latitude": None},
        {"longitude": 181},
        {"notes": 5},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        read_food_order({**BODY, **wrong}, "789", Place(""), "456", NOW)


@pytest.mark.parametrize("left_out", ["name", "address", "latitude", "longitude"])
def test_a_restaurant_is_described_whole(left_out: str) -> None:
    whole = {"name": "Soupery", "address": "Kitchen Lane", "latitude": 12.9, "longitude": 77.5}
    assert read_restaurant(whole, "789").address == "Kitchen Lane"
    with pytest.raises(InvalidInput):
        read_restaurant({**whole, left_out: None}, "789")
