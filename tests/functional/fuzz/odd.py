"""Odd things to send: ids, tokens, bodies and frames, near enough to the real ones to get far."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from tests.conftest import SECRET

Odd = st.SearchStrategy[Any]


def mostly(good: Odd, odd: Odd) -> Odd:
    """Something good, four times of five."""
    return st.integers(0, 4).flatmap(lambda n: good if n else odd)


_PLAIN_IDS = "cara dan 007 7 0 -1 1e5 4711 9007199254740993 auth0|5f7c a@b.example a/b a%20b %"
_ODD_IDS = "%00 a#b person#x .. . restaurant#789 \u0660 \u200b \U0001f6b2 \ufeffx e\u0301 pay_1_1"
IDS = [*_PLAIN_IDS.split(), *_ODD_IDS.split(), "a b", "9" * 40, "x" * 128]
_NAMES = """
order_id ride_id courier_id pickup_address pickup_lat pickup_lng dropoff_address dropoff_lat
dropoff_lng receiver_phone notes available lat lng ts heading speed accuracy altitude reason
name phone profile_picture vehicle vehicle_type address latitude longitude timestamp address_from
address_to latitude_from longitude_from order_type items deliveryAddress amount bank_account
method upi_id status payment_id transaction_id msg message rating comment before pickup
destination token user_id user_role events orderId event_id
"""
NAMES = st.sampled_from(_NAMES.split())
_WORDS = "NaN Infinity +1 abc standard Standard card completed http://x javascript:x 1900000000"

ids = st.sampled_from(IDS) | st.text(max_size=6)
numbers = (
    st.integers(-2, 400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([65535, 2**53, 2**63, 2**64, -(2**63), 10**400, 1e308, 12.9716, 77.5946])
)
words = st.sampled_from(["", " ", "\u200b", "2031-05-06T07:08:00+05:30", *_WORDS.split()])
leaves = st.none() | st.booleans() | numbers | words | ids | st.text(max_size=8)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=6,
)

POINT = {"latitude": 12.9716, "longitude": 77.5946}
# Bodies and data that are right somewhere; most of what is sent is one of them with a change.
RIGHT: list[dict[str, Any]] = [
    {
        "pickup_address": "a",
        "pickup_lat": 12.9,
        "pickup_lng": 77.5,
        "dropoff_address": "b",
        "dropoff_lat": 12.9,
        "dropoff_lng": 77.6,
        "receiver_phone": "+1",
        "notes": "n",
    },
    {"address_from": "a", "address_to": "b", "latitude_from": "12.9", "longitude_from": "77.5"},
    {"items": [{"name": "x", "quantity": 1, "price": 2.5}], "deliveryAddress": "x", **POINT},
    {"pickup": POINT, "destination": {**POINT, "address": "x"}, "vehicle_type": "standard"},
    {"name": "n", "phone": "+1", "profile_picture": "https://x/y", "vehicle_type": "xl"},
    {"name": "n", "address": "a", **POINT},
    {"available": True, "lat": 12.9, "lng": 77.5},
    {"lat": 12.9, "lng": 77.5, "heading": 1, "speed": 1, "accuracy": 5, "altitude": 9, "ts": 1.9e9},
    {**POINT, "heading": 1, "speed": 1, "accuracy": 5, "timestamp": 1_900_000_000},
    {"order_id": "4711", "courier_id": "dan", "reason": "r"},
    {"ride_id": "4711", "rating": 5, "comment": "c", "message": "m", "before": "1", "reason": "r"},
    {"order_id": "4711", "method": "upi", "upi_id": "a@b", "ride_id": "4711", "amount": 5},
    {"amount": 0.01, "bank_account": "12345678", "transaction_id": "t", "msg": "m"},
    {"payment_id": "pay_1_1", "status": "completed", "transaction_id": "t", "error": "e"},
    {"orderId": 4711, "status": "confirmed"},
    {},
]
bodies = st.builds(
    lambda right, changes: {**right, **changes},
    st.sampled_from(RIGHT),
    st.dictionaries(NAMES, values, max_size=2),
)
raw_bodies = mostly(
    bodies.map(lambda body: json.dumps(body).encode()),
    values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20),
)
_FILTERS = "event_type limit skip cursor date hours before x"
filters = st.sampled_from(_FILTERS.split())
queries = st.dictionaries(filters, st.just("") | leaves.map(str), max_size=3)
paths = ids.filter(lambda id_: id_ not in ("", ".", "..")).map(lambda id_: quote(id_, safe=""))

ROLES = ["customer", "driver", "delivery_boy", "shop", "admin", "Admin ", "system", "", "root"]
SURROGATES = ["a\ud800", "\udfff", "x\ud83d", "\udc00\ud800"]


def signed(claims: Any) -> str:
    """A token with a good signature, whatever it says: pyjwt would refuse to write some."""
    parts = [b'{"alg":"HS256","typ":"JWT"}', json.dumps(claims).encode()]
    text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    mac = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def claims_of(people: Odd) -> Odd:
    """Claims that mostly are in force, of odd people."""
    odd = leaves | values
    past = st.just(1_700_000_000)
    return st.fixed_dictionaries(
        {
            "sub": mostly(people, odd),
            "role": mostly(st.sampled_from(ROLES), odd),
            "exp": mostly(st.just(int(time.time()) + 86_400), odd),
        },
        optional={
            "name": mostly(people, odd),
            "phone": mostly(people, odd),
            "restaurant_ids": mostly(st.lists(people, max_size=3), odd),
            "groups": mostly(st.lists(st.sampled_from(ROLES), max_size=2), odd),
            "user_id": mostly(people, odd),
            "iat": mostly(past, odd),
            "nbf": mostly(past, odd),
        },
    )


tokens = mostly(
    claims_of(ids).map(signed),
    st.sampled_from(["", "x", "a.b.c", "..", "Bearer ", "\u00e9.x"]) | st.text(max_size=9),
)
surrogate_tokens = claims_of(st.sampled_from(SURROGATES)).map(signed)

_EVENTS = """
location.update authenticate go_online go_offline update_location accept_ride start_ride
complete_ride cancel_ride request_ride rate_driver join_ride_room get_ride_state ping auth
send_chat_message get_ride_chats subscribe unsubscribe heartbeat update-order-status connect
accept-order get-available-orders get-restaurant-orders disconnect error __proto__ constructor
"""
event_names = mostly(st.sampled_from(_EVENTS.split()), st.text(max_size=6) | values)
data = mostly(bodies, values)
beside = st.sampled_from(["event_id", "token", "user_id", "events"])
json_frames = st.builds(
    lambda key, name, data, rest: json.dumps({**rest, key: name, "data": data}),
    st.sampled_from(["event", "type", "action"]),
    event_names,
    data,
    st.dictionaries(beside, values, max_size=2),
)
_KINDS = "42 42 42 42 40 43 44 451- 46 4 2 3 5 7 b"
_NAMESPACES = ["/orders,", "/orders,", "/orders,", "", "/", "/chat,", "/orders?x=1,"]
packets = st.builds(
    lambda digits, namespace, id_, text: f"{digits}{namespace}{id_}{text}",
    st.sampled_from(_KINDS.split()),
    st.sampled_from(_NAMESPACES),
    st.sampled_from(["", "", "7", "0", "007", "-1", "9" * 15, "9" * 30]),
    mostly(
        st.builds(lambda name, data: json.dumps([name, data]), event_names, data),
        values.map(json.dumps) | st.text(max_size=6),
    ),
)
frames = json_frames | packets | st.text(max_size=12)
