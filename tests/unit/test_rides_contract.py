"""Spec 001 as contract rides reads and words it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.base import RequestError, encode_frame
from chalicelib.contracts.rides.socket import MESSAGES, WRITERS, RidesContract
from chalicelib.domain import events
from chalicelib.domain.details import Estimate, Trip
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.money.fares import Tariff, estimate_trip
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.model import OrderView, Status
from chalicelib.domain.people import Role
from chalicelib.errors import RateLimited
from tests.builders import DEPOT, NOW, a_contact, a_job, an_order, north_of

RIDES = RidesContract(ws_create=True)
SAMPLES = Path(__file__).parents[1] / "samples" / "rides"
LAT, LNG = DEPOT
PLACE = {"latitude": LAT, "longitude": LNG}
WISH: dict[str, Any] = {"pickup": PLACE, "destination": PLACE, "vehicle_type": "standard"}


def a_connection(role: Role = Role.CUSTOMER) -> Connection:
    """An authenticated one."""
    return Connection("c1=", "rides", NOW, person_id="rita", role=role)


def code_of(event: str, data: Any, role: Role, contract: RidesContract = RIDES) -> str:
    """The code that a message is refused with."""
    with pytest.raises(RequestError) as refused:
        contract.read_message(encode_frame({"event": event, "data": data}), a_connection(role), NOW)
    (said,) = contract.render_error(refused.value.message, refused.value.error)
    found = json.loads(said)
    assert found["event"] == f"{event}_response"
    assert found["data"]["status"] == "error"
    return str(found["data"]["code"])


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("update_location", {}),
        ("update_location", {"latitude": LAT}),
        ("update_location", {"latitude": "12", "longitude": LNG}),
        ("update_location", {"latitude": 90.01, "longitude": LNG}),
        ("update_location", {"latitude": LAT, "longitude": -180.01}),
        ("update_location", {"latitude": True, "longitude": LNG}),
        ("update_location", {"latitude": LAT, "longitude": LNG, "heading": 361}),
        ("update_location", {"latitude": LAT, "longitude": LNG, "timestamp": "soon"}),
        ("accept_ride", {}),
        ("accept_ride", {"ride_id": ["1"]}),
        ("cancel_ride", {"ride_id": "1", "reason": "x" * 501}),
        ("send_chat_message", {"ride_id": "1"}),
        ("send_chat_message", {"ride_id": "1", "message": "   "}),
        ("send_chat_message", {"ride_id": "1", "message": "x" * 1001}),
        ("get_ride_chats", {"ride_id": "1", "before": "yesterday"}),
    ],
)
def test_wrong_data_of_a_driver_is_refused(event: str, data: dict[str, Any]) -> None:
    """S1-15, S1-32, S1-47."""
    assert code_of(event, data, Role.COURIER) == "INVALID_PAYLOAD"


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("request_ride", {}),
        ("request_ride", {"pickup": "1 Main St"}),
        ("request_ride", {"pickup": {"latitude": LAT}}),
        ("request_ride", {"vehicle_type": 7}),
        ("request_ride", {"notes": "x" * 501}),
        ("request_ride", {"notes": 7}),
        ("rate_driver", {"ride_id": "1", "rating": 0}),
        ("rate_driver", {"ride_id": "1", "rating": 6}),
        ("rate_driver", {"ride_id": "1", "rating": 4.5}),
        ("rate_driver", {"ride_id": "1", "rating": True}),
        ("rate_driver", {"rating": 5}),
    ],
)
def test_wrong_data_of_a_rider_is_refused(event: str, data: dict[str, Any]) -> None:
    """S1-29, S1-47."""
    sent = {**WISH, **data} if event == "request_ride" and data else data
    assert code_of(event, sent, Role.CUSTOMER) == "INVALID_PAYLOAD"


@pytest.mark.parametrize(
    ("event", "data", "role", "code"),
    [
        ("request_ride", WISH, Role.CUSTOMER, "USE_REST"),
        ("rate_driver", {"ride_id": "1", "rating": 5}, Role.CUSTOMER, "USE_REST"),
        ("request_ride", WISH, Role.COURIER, "FORBIDDEN"),
        ("request_ride", {}, Role.CUSTOMER, "INVALID_PAYLOAD"),
        ("rate_driver", {"ride_id": "1", "rating": 6}, Role.CUSTOMER, "INVALID_PAYLOAD"),
        ("rate_driver", {"ride_id": "x", "rating": 5}, Role.CUSTOMER, "NOT_FOUND"),
    ],
)
def test_who_may_not_ask_or_asks_wrongly_is_told_that_before_being_sent_to_rest(
    event: str, data: dict[str, Any], role: Role, code: str
) -> None:
    """RIDES_WS_CREATE=reject."""
    assert code_of(event, data, role, RidesContract(ws_create=False)) == code


def the_shape(value: Any) -> Any:
    """What a message is made of: its keys and the types under them."""
    if isinstance(value, dict):
        return {key: the_shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [the_shape(one) for one in value[:1]]
    return float if isinstance(value, int | float) else type(value)


def covers(found: Any, sample: Any) -> bool:
    """Whether a message has everything that a sample has; more does not break a client."""
    if isinstance(sample, dict):
        return isinstance(found, dict) and all(
            key in found and covers(found[key], sample[key]) for key in sample
        )
    if isinstance(sample, list):
        return isinstance(found, list) and covers(found[0], sample[0])
    return bool(found == sample)


def samples(kind: str) -> list[Any]:
    """(name, sample) of all messages of a kind."""
    return sorted((p.stem, json.loads(p.read_text())) for p in SAMPLES.glob(f"{kind}/*.json"))


# The samples have placeholders: ids here are as they were given out, a type is one of three.
FILLED = {"ride_id": "123", "vehicle_type": "standard"}


@pytest.mark.parametrize(("name", "sample"), samples("requests"))
def test_every_request_of_the_spec_is_read(name: str, sample: dict[str, Any]) -> None:
    """S1-02 to S1-33: each sample payload, by each key that may name the event."""
    name = name.partition(".")[0]
    role = next(iter(MESSAGES[name].roles))
    sample = {**sample, **{k: v for k, v in FILLED.items() if k in sample}}
    for key in ("event", "action", "type"):
        request = RIDES.read_message(
            encode_frame({key: name, "data": sample}), a_connection(role), NOW
        )
        assert request.request == MESSAGES[name].read(sample, a_connection(role), NOW)


JOB = a_job(
    flow="ride",
    customer=a_contact("rita", name="John Doe", rating=4.9),
    vehicle_type="standard",
    estimate=Estimate(5200, 1080, 2550),
)
DRIVER = a_contact("driver_id", name="John Doe", rating=4.8, vehicle="Toyota Camry")


def a_ride(status: Status, **changes: Any) -> OrderView:
    order = an_order(status, details=JOB, courier=DRIVER, courier_id="driver_id", **changes)
    return OrderView(order, 5)


ASKED = {"ride_id": "7", "rating": 5, "message": "hi", "token": "a-token"}


def answer(name: str, result: Any, role: Role) -> dict[str, Any]:
    """The data that an event is answered with."""
    request = RIDES.read_message(
        encode_frame({"event": name, "data": {**WISH, **PLACE, **ASKED}}),
        a_connection(role),
        NOW,
    )
    (said,) = RIDES.render_answer(request, result, a_connection(role))
    return dict(json.loads(said)["data"])


MESSAGE = ChatMessage(456, 123, "user_789", Role.COURIER, "I'm at the pickup", NOW, to=("rita",))
ANSWERS: dict[str, tuple[Any, Role]] = {
    "authenticate": (None, Role.CUSTOMER),
    "update_location": (True, Role.COURIER),
    "go_online": (None, Role.COURIER),
    "go_offline": (None, Role.COURIER),
    "accept_ride": (a_ride(Status.ACCEPTED).order, Role.COURIER),
    "start_ride": (a_ride(Status.IN_TRANSIT).order, Role.COURIER),
    "complete_ride": (
        a_ride(Status.DONE, trip=Trip(0, 12300, 1800, 2550)).order,
        Role.COURIER,
    ),
    "cancel_ride": (a_ride(Status.CANCELLED).order, Role.CUSTOMER),
    "request_ride": (a_ride(Status.SEARCHING).order, Role.CUSTOMER),
    "rate_driver": (None, Role.CUSTOMER),
    "join_ride_room": (a_ride(Status.SEARCHING), Role.CUSTOMER),
    "get_ride_state": (a_ride(Status.ACCEPTED), Role.CUSTOMER),
    "send_chat_message": (MESSAGE, Role.CUSTOMER),
    "get_ride_chats": ([MESSAGE], Role.CUSTOMER),
}


@pytest.mark.parametrize(("name", "sample"), samples("responses"))
def test_every_answer_has_what_the_spec_shows(name: str, sample: dict[str, Any]) -> None:
    """S1-10 to S1-33: the shape of each sample; more does not break a client."""
    event, _, part = name.partition(".")
    found = answer(event, *ANSWERS[event])
    assert covers(the_shape(found), the_shape(sample)), found
    if part == "a" and event != "get_ride_chats":  # part B's texts are placeholders
        assert found["message"] == sample["message"]


def an_event(type_: str, status: Status = Status.ACCEPTED, **data: Any) -> Event:
    return Event(
        type_, "rita", "order#123", 2, 0, NOW, status.value, courier=DRIVER, details=JOB, data=data
    )


TOLD: dict[str, Event] = {
    "server_message": an_event(events.ANNOUNCEMENT, text="Welcome to the ride-sharing service!"),
    "ride_status_update": an_event(events.ORDER_ACCEPTED, eta_minutes=10),
    "new_ride_request": an_event(events.ORDER_BROADCAST, Status.SEARCHING),
    "driver_location_update": an_event(
        events.COURIER_MOVED, courier_id="driver_123", lat=37.7749, lng=-122.4194, heading=45.0
    ),
    "chat_message": MESSAGE.outbox.entries[0].events[0],
}


@pytest.mark.parametrize(("name", "sample"), samples("pushed"))
def test_every_pushed_message_has_what_the_spec_shows(name: str, sample: dict[str, Any]) -> None:
    """S1-08, S1-34 to S1-37."""
    event = name.partition(".")[0]
    (said,) = RIDES.render_event(TOLD[event], Subscriber("c2=", "rita", "rides"))
    found = json.loads(said)
    assert found["event"] == event
    assert covers(the_shape(found["data"]), the_shape(sample)), found


def test_a_status_update_reads_as_the_spec_has_it() -> None:
    """S1-35."""
    (said,) = RIDES.render_event(TOLD["ride_status_update"], Subscriber("c2=", "rita", "rides"))
    info = {"id": "driver_id", "name": "John Doe", "rating": 4.8, "vehicle": "Toyota Camry"}
    assert json.loads(said)["data"] == {
        "ride_id": "123",
        "status": "arrivingToPickup",
        "data": {
            "driver": info,
            "driver_info": info,
            "message": "Driver John is on the way!",
            "eta_minutes": 10,
        },
        "eta_minutes": 10,
    }


def test_what_is_no_ride_is_passed_over_in_silence() -> None:
    """A customer's parcels are not told of here."""
    parcel = Event(events.ORDER_ACCEPTED, "rita", "order#5", 2, 0, NOW, "accepted", details=a_job())
    assert RIDES.render_event(parcel, Subscriber("c2=", "rita", "rides")) == ()


def test_every_event_that_is_worded_exists() -> None:
    """A word for an event that never happens would be dead."""
    known = {value for name, value in vars(events).items() if name.isupper()}
    assert set(WRITERS) <= known


def test_a_limit_says_when_to_try_again() -> None:
    """S1-45."""
    request = RIDES.read_message(
        encode_frame({"event": "go_online"}), a_connection(Role.COURIER), NOW
    )
    (said,) = RIDES.render_error(request, RateLimited("Too often.", retry_after_s=1.0))
    assert json.loads(said)["data"] == {
        "status": "error",
        "message": "Too often.",
        "detail": "Try again in 1 s.",
        "code": "RATE_LIMITED",
    }


def test_a_fare_is_a_base_and_what_way_and_time_add() -> None:
    """Spec 001: fare_estimate; whole minor units inside."""
    assert Tariff(250, 120, 25).compute_fare_minor(12_300, 1_800) == 250 + 1476 + 750
    assert Tariff(0, 0, 1).compute_fare_minor(0, 30) == 1  # half up


def test_an_estimate_grows_with_the_distance() -> None:
    """S1-28."""
    tariff = Tariff(250, 120, 25)
    near = estimate_trip(DEPOT, north_of(DEPOT, 1000), tariff)
    far = estimate_trip(DEPOT, north_of(DEPOT, 2000), tariff)
    assert near.fare_minor < far.fare_minor
    assert far.duration_s == pytest.approx(2 * near.duration_s, abs=1)
