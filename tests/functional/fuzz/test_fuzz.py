"""Whatever is called and said, nothing is the server's fault and nobody is left without an answer.

Here a slice that is always the same; `make fuzz` sends FUZZ_CALLS calls and frames, other ones each
time, and prints how to do it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib.domain.people import Role
from tests.contracts import CONTRACTS
from tests.functional.feeds import a_profile, an_auth
from tests.functional.fuzz import odd
from tests.functional.kitchen import HANDSHAKE
from tests.functional.links import a_bearer
from tests.functional.test_bad_input import filled, in_form
from tests.functional.world import Answer, Socket, Someone, World, routes

CALLS = int(os.environ.get("FUZZ_CALLS", "0"))
SLICE = 200  # calls and frames in all: some seconds
OPEN = ("/console", "/client", "/docs")
ROUTES = [(method, path) for method, path in routes() if not path.startswith(OPEN)]

Test = TypeVar("Test", bound=Callable[..., None])


def sending(share: float) -> Callable[[Test], Test]:
    """Let a test send its share of the calls."""
    return settings(
        max_examples=max(1, int((CALLS or SLICE) * share)),
        derandomize=not CALLS,
        database=None,
        deadline=None,
        print_blob=True,
        phases=[Phase.generate, Phase.shrink] if CALLS else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def town(world: World) -> Town:
    return Town(world)


class Town:
    """A world with people in it who have profiles, orders and sockets."""

    def __init__(self, world: World) -> None:
        self.world = world
        roles = {Role.CUSTOMER: "cara", Role.COURIER: "dan", Role.MERCHANT: "77", Role.ADMIN: "ada"}
        self.people = {role: world.someone(role, id_) for role, id_ in roles.items()}
        for person in self.people.values():
            a_profile(world, person)
        world.courier("dan")
        self.order_id = world.place(self.people[Role.CUSTOMER])["id"]
        self.people[Role.RECIPIENT] = a_bearer(world)
        self._sockets: dict[tuple[str, Role], Socket] = {}

    def call(
        self, route: tuple[str, str], token: str, id_: str, query: dict[str, str], body: bytes
    ) -> Answer:
        """One REST call, as a gateway would pass it on."""
        method, path = route
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        url = filled(path, id_) + (f"?{asked}" if asked else "")
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        has_body = method not in ("GET", "DELETE", "HEAD", "OPTIONS")
        return self.world.call(method, url, body if has_body else None, headers=headers)

    def socket(self, contract: str, role: Role) -> Socket:
        """An authenticated socket, the same one as long as it lives, that has heard nothing yet."""
        kept = self._sockets.get((contract, role))
        if kept is None or self.world.waybill.connections.get_connection(kept.id) is None:
            kept = self._sockets[contract, role] = self._open(contract, self.people[role])
        self.world.gateway.posted.clear()  # each look at a socket reads all that was ever posted
        return Socket(self.world, kept.id, kept.status)

    def _open(self, contract: str, person: Someone) -> Socket:
        query = HANDSHAKE if contract == "socketio" else {}
        socket = self.world.connect(person, contract, query=query)
        assert socket.status == 200, (contract, person)
        if contract == "feed":
            socket.say(an_auth(person))
        if contract == "socketio":
            socket.say("40/orders,")
        return socket


def check(answer: Answer, *context: Any) -> None:
    """Never the server's fault, and an error in the form of all errors."""
    assert answer.status < 500, (answer, *context)
    if answer.status >= 400:
        in_form(answer, *context)


SPEAKERS = {
    "courier": (Role.COURIER,),
    "customer": (Role.CUSTOMER,),
    "drivers": (Role.COURIER,),
    "rides": (Role.CUSTOMER, Role.COURIER),
    "food": (Role.CUSTOMER, Role.COURIER, Role.MERCHANT),
    "socketio": (Role.CUSTOMER, Role.COURIER, Role.MERCHANT),
    "feed": (Role.CUSTOMER, Role.COURIER, Role.MERCHANT, Role.ADMIN),
    "track": (Role.RECIPIENT,),
    "ops": (Role.ADMIN, Role.MERCHANT),
}
contracts = st.sampled_from(sorted(SPEAKERS))
voices = st.sampled_from([(name, role) for name, roles in SPEAKERS.items() for role in roles])


def test_every_contract_is_spoken() -> None:
    assert SPEAKERS.keys() == CONTRACTS.keys()


def may_be_silent(contract: str, text: str) -> bool:
    """Whether a contract promises no answer to a frame."""
    if contract == "socketio":  # Engine.IO's own, an ack of ours, and leaving
        return not text.startswith("4") or text[:2] in ("41", "43")
    try:
        said = json.loads(text)
    except ValueError:
        return False
    return contract == "courier" and isinstance(said, dict) and "location.update" in said.values()


def test_any_call_is_answered(town: Town) -> None:
    """Every route, by people with good tokens."""

    @sending(0.35)
    @given(
        st.sampled_from(ROUTES),
        st.sampled_from(sorted(town.people, key=lambda role: role.value)),
        odd.paths,
        odd.queries,
        odd.raw_bodies,
    )
    def send(
        route: tuple[str, str], role: Role, id_: str, query: dict[str, str], body: bytes
    ) -> None:
        town.world.clock.advance(1)
        check(town.call(route, town.people[role].token, id_, query, body), route, body)

    send()


def test_any_token_is_answered(town: Town) -> None:
    """Every route and handshake, with tokens that say anything."""

    @sending(0.2)
    @given(st.sampled_from(ROUTES), contracts, odd.tokens, odd.paths, odd.raw_bodies)
    def send(route: tuple[str, str], contract: str, token: str, id_: str, body: bytes) -> None:
        check(town.call(route, token, id_, {}, body), route, token)
        shake_with(town.world, contract, token)

    send()


def test_any_token_with_a_lone_surrogate_is_answered(town: Town) -> None:
    @sending(0.05)
    @given(st.sampled_from(ROUTES), contracts, odd.surrogate_tokens)
    def send(route: tuple[str, str], contract: str, token: str) -> None:
        check(town.call(route, token, "1", {}, b"{}"), route, token)
        shake_with(town.world, contract, token)

    send()


def shake_with(world: World, contract: str, token: str) -> None:
    """Bring a token to a contract, at its door and, where it can be, in band."""
    handshake = HANDSHAKE if contract == "socketio" else {}
    socket = world.connect(None, contract, query={**handshake, "token": token})
    assert socket.status in (200, 400, 401, 403, 404), (contract, token)
    socket.lose()
    said: dict[str, Any] = {
        "rides": {"event": "authenticate", "data": {"token": token}},
        "feed": {"type": "auth", "token": token, "user_id": "x"},
        "socketio": f"40/orders,{json.dumps({'token': token})}",
    }
    if contract in said:
        socket = world.connect(None, contract, query=handshake)
        socket.take()
        assert socket.say(said[contract]), (contract, token)
        socket.lose()


def test_any_frame_is_answered(town: Town) -> None:
    """On every contract, by those who may speak it."""

    @sending(0.4)
    @given(voices, odd.frames)
    def say(voice: tuple[str, Role], text: str) -> None:
        contract, _ = voice
        town.world.clock.advance(1)
        socket = town.socket(*voice)
        heard = socket.say(text)
        assert heard or may_be_silent(contract, text), (voice, text)

    say()
