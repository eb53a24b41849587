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

IDS = [
    *("cara", "dan", "007", "7", "0", "-1", "1e5", "4711", "9007199254740993", "9" * 40, "x" * 128),
    *("auth0|5f7c", "a@b.example", "a b", "a/b", "a%20b", "%", "%00", "a#b", "person#x", "..", "."),
    *(
        "restaurant#789",
        "\u0660",
        "\u200b",
        "\U0001f6b2",
        "\ufeffx",
        "e\u0301",
        "pay_1_1",
        "evt_MS4",
    ),
]
NAMES = [
    "order_id",
    "ride_id",
    "courier_id",
    "pickup_address",
    "pickup_lat",
    "pickup_lng",
    "dropoff_address",
    "dropoff_lat",
    "dropoff_lng",
    "receiver_phone",
    "notes",
    "available",
    "lat",
    "lng",
    "ts",
    "heading",
    "speed",
    "accuracy",
    "altitude",
    "reason",
    "name",
    "phone",
    "profile_picture",
    "vehicle",
    "vehicle_type",
    "address",
    "latitude",
    "longitude",
    "timestamp",
    "address_from",
    "address_to",
    "latitude_from",
    "longitude_from",
    "order_type",
    "items",
    "deliveryAddress",
    "amount",
    "bank_account",
    "method",
    "upi_id",
    "status",
    "payment_id",
    "transaction_id",
    "msg",
    "message",
    "rating",
    "comment",
    "before",
    "pickup",
    "destination",
    "token",
    "user_id",
    "user_role",
    "events",
    "orderId",
    "event_id",
]
ids = st.sampled_from(IDS) | st.text(max_size=6)
numbers = (
    st.integers(-2, 400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([65535, 2**53, 2**63, 2**64, -(2**63), 10**400, 1e308, 12.9716, 77.5946])
)
words = st.sampled_from(
    [
        *(
            "",
            " ",
            "NaN",
            "Infinity",
            "+1",
            "abc",
            "standard",
            "Standard",
            "card",
            "completed",
            "x",
        ),
        *(
            "http://x",
            "javascript:x",
            "2031-05-06T07:08:00+05:30",
            "1900000000",
            "\u200b",
            "1 Road",
        ),
    ]
)
leaves = st.none() | st.booleans() | numbers | words | ids | st.text(max_size=8)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=6,
)
bodies = st.dictionaries(st.sampled_from(NAMES), values, max_size=7)
raw_bodies = st.builds(lambda body: json.dumps(body).encode(), bodies | values) | st.binary(
    max_size=40
)
filters = st.sampled_from(["event_type", "limit", "skip", "cursor", "date", "hours", "before", "x"])
queries = st.dictionaries(filters, st.just("") | leaves.map(str), max_size=3)
paths = st.builds(
    lambda id_: quote(id_, safe=""), ids.filter(lambda id_: id_ not in ("", ".", ".."))
)

ROLES = ["customer", "driver", "delivery_boy", "shop", "admin", "Admin ", "system", "", "root"]
SURROGATES = ["a\ud800", "\udfff", "x\ud83d", "\udc00\ud800"]


def signed(claims: Any) -> str:
    """A token with a good signature, whatever it says: pyjwt would refuse to write some."""
    parts = [b'{"alg":"HS256","typ":"JWT"}', json.dumps(claims).encode()]
    text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    mac = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def claims_of(odd_texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Claims that mostly are in force, with odd people in them."""
    odd = leaves | values
    return st.fixed_dictionaries(
        {
            "sub": odd_texts | st.integers(-1, 9) | odd,
            "role": st.sampled_from(ROLES) | odd,
            "exp": st.just(int(time.time()) + 86_400) | odd,
        },
        optional={
            "name": odd_texts | odd,
            "phone": odd_texts | odd,
            "restaurant_ids": st.lists(odd_texts, max_size=3) | odd,
            "groups": st.lists(st.sampled_from(ROLES), max_size=2) | odd,
            "user_id": odd_texts | odd,
            "iat": odd,
            "nbf": odd,
        },
    )


tokens = claims_of(ids).map(signed) | st.sampled_from(
    ["", "x", "a.b.c", "..", "Bearer ", "\u00e9.x"]
)
surrogate_tokens = claims_of(st.sampled_from(SURROGATES)).map(signed)

EVENTS = [
    "location.update",
    "authenticate",
    "go_online",
    "go_offline",
    "update_location",
    "accept_ride",
    "start_ride",
    "complete_ride",
    "cancel_ride",
    "request_ride",
    "rate_driver",
    "join_ride_room",
    "get_ride_state",
    "ping",
    "auth",
    "send_chat_message",
    "get_ride_chats",
    "subscribe",
    "unsubscribe",
    "heartbeat",
    "update-order-status",
    "connect",
    "accept-order",
    "get-available-orders",
    "get-restaurant-orders",
    "disconnect",
    "error",
    "__proto__",
    "constructor",
]
event_names = st.sampled_from(EVENTS) | st.text(max_size=6) | values
json_frames = st.builds(
    lambda key, name, data, rest: json.dumps({**rest, key: name, "data": data}),
    st.sampled_from(["event", "type", "action"]),
    event_names,
    bodies | values,
    st.dictionaries(
        st.sampled_from(["event_id", "token", "user_id", "events"]), values, max_size=2
    ),
)
packets = st.builds(
    lambda digits, namespace, id_, data: f"{digits}{namespace}{id_}{data}",
    st.sampled_from(
        ["42", "42", "42", "40", "43", "44", "451-", "46", "4", "2", "3", "5", "7", "b"]
    ),
    st.sampled_from(["/orders,", "/orders,", "", "/", "/chat,", "/orders?x=1,"]),
    st.sampled_from(["", "", "7", "0", "007", "-1", "9" * 15, "9" * 30]),
    st.builds(lambda name, data: json.dumps([name, data]), event_names, bodies | values)
    | values.map(json.dumps)
    | st.text(max_size=6),
)
frames = json_frames | packets | st.text(max_size=12)
