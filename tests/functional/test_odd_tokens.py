"""Well signed tokens with odd claims, at every door: let in or refused, never a fault of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import SECRET
from tests.functional.kitchen import HANDSHAKE
from tests.functional.world import Socket, World

HANDSHAKES = ("courier", "customer", "drivers", "food", "rides", "feed", "socketio")
NAMES = ("sub", "user_id", "role", "user_type", "groups", "name", "phone", "restaurant_ids")
OTHERS = ("nbf", "iat", "exp", "jti", "iss", "aud")
SURROGATE = "a\ud800"

texts = st.one_of(
    st.sampled_from(
        ["", " ", " victim", "victim\n", SURROGATE, "\udfff", "a\x00b", "restaurant#1"]
    ),
    st.sampled_from(["x" * 129, "😀" * 128, "a#b", "auth0|5", "\u202evictim", "courier", "admin"]),
    st.text(st.characters(codec=None), max_size=20),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    texts,
)
values = st.one_of(
    scalars, st.lists(scalars, max_size=3), st.dictionaries(texts, scalars, max_size=2)
)
roles = st.sampled_from(["courier", "customer", "owner", "admin"])
odd_claims = st.one_of(
    st.dictionaries(st.sampled_from([*NAMES, *OTHERS]), values, min_size=1, max_size=4),
    st.fixed_dictionaries({"role": roles, "sub": texts}, optional={"restaurant_ids": values}),
    st.fixed_dictionaries({"role": roles}, optional={"name": texts, "phone": texts}),
)


def signed(claims: dict[str, Any]) -> str:
    """A token as no library would make it: JSON can spell more than UTF-8 can."""
    payload = {"sub": "sam", "role": "courier", "exp": int(time.time()) + 3600, **claims}
    head, body = (_part(json.dumps(part)) for part in ({"alg": "HS256", "typ": "JWT"}, payload))
    signature = hmac.new(SECRET.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{_bare(signature)}"


def _part(text: str) -> str:
    return _bare(text.encode())


def _bare(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def says(contract: str, token: str) -> list[Any]:
    """The messages of a contract that carry a token."""
    messages: dict[str, list[Any]] = {
        "rides": [{"event": "authenticate", "data": {"token": token}}],
        "feed": [{"type": "auth", "token": token, "user_id": "sam"}],
        "socketio": [f"40/orders,{json.dumps({'token': token})}"],
        "drivers": [{"type": "refresh", "token": token}],
    }
    return messages.get(contract, [{"event": "refresh", "data": {"token": token}}])


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(claims=odd_claims, contract=st.sampled_from(HANDSHAKES))
@example(claims={"sub": SURROGATE}, contract="rides")
@example(claims={"name": "x\udfff"}, contract="feed")
@example(claims={"role": "owner", "restaurant_ids": [SURROGATE, {}, None]}, contract="food")
@example(claims={"sub": None, "user_id": 10**30, "nbf": None, "iat": None}, contract="courier")
@example(claims={"exp": 10**300, "sub": "😀" * 128}, contract="socketio")
def test_no_claim_is_more_than_can_be_refused(
    world: World, claims: dict[str, Any], contract: str
) -> None:
    token = signed(claims)
    headers = {"authorization": f"Bearer {token}"}
    profile = {"name": "Sam", "phone": "+911234567890"}
    known = world.call("PUT", "/v1/me", profile, headers=headers).status
    assert known in (200, 401)
    assert not enter(world, contract, token) or known == 200
    world.pump()
    assert world.queue.dead == []


def enter(world: World, contract: str, token: str) -> bool:
    """Try a contract's handshake with a token, and its messages; whether the handshake went."""
    query = HANDSHAKE if contract == "socketio" else {}
    shaken = world.connect(None, contract, query={**query, "token": token})
    assert shaken.status < 500
    for socket in (shaken, another(world, contract)):
        for message in says(contract, token) if socket.status < 300 else ():
            socket.say(message)
        socket.close()
    return shaken.status < 300


def another(world: World, contract: str) -> Socket:
    """A socket that is open before the token comes: nobody's yet, or Sam's."""
    if contract in ("rides", "feed"):
        return world.connect(None, contract)
    if contract == "socketio":
        return world.connect(None, contract, query=HANDSHAKE)
    role = {"customer": "customer", "food": "owner"}.get(contract, "courier")
    return world.connect(None, contract, query={"token": signed({"role": role})})
