"""P-14: who a token says is asking, and every way in which one is no good."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.domain.people import Role
from chalicelib.edge.auth import Authenticator
from chalicelib.edge.bearer import read_bearer_token
from chalicelib.edge.keys import PublicKeys
from chalicelib.errors import Unauthenticated, Unavailable
from chalicelib.settings import Settings

SECRET = "a-secret-that-only-these-tests-use-0123456789" * 2
BY_SECRET = Authenticator(Settings(jwt_secret=SECRET))


def in_an_hour() -> int:
    return int(time.time()) + 3600


def a_token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    given = {"sub": "dan", "role": "courier", "exp": in_an_hour(), **claims}
    kept = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(kept, secret, algorithm)


def part(content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def signed(header: Any, payload: Any, key: bytes = SECRET.encode()) -> str:
    """A token as no library would make it."""
    text = f"{part(header)}.{part(payload)}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def refused(token: str | None, by: Authenticator = BY_SECRET) -> str:
    with pytest.raises(Unauthenticated) as error:
        by.authenticate(token)
    return error.value.message


HS256 = {"alg": "HS256", "typ": "JWT"}


def test_a_good_token_says_who_asks() -> None:
    actor = BY_SECRET.authenticate(a_token(name=" Dan ", phone="+91", restaurant_ids=["r1", 2]))
    assert (actor.id, actor.role, actor.name, actor.phone) == ("dan", Role.COURIER, "Dan", "+91")
    assert actor.restaurant_ids == ("r1", "2")


@pytest.mark.parametrize("token", [None, ""])
def test_a_token_is_required(token: str | None) -> None:
    assert refused(token) == "A token is required."


def test_an_expired_token_is_told_apart_as_its_bearer_can_get_another() -> None:
    assert refused(a_token(exp=int(time.time()) - 11)) == "The token has expired."


NOT_VALID = {
    "nonsense": "x",
    "three parts of nonsense": "a.b.c",
    "no signature": a_token().rsplit(".", 1)[0] + ".",
    "another key": a_token(secret="another-secret-that-is-long-enough-012345"),
    "another algorithm": a_token(algorithm="HS512"),
    "no algorithm": f"{part({'alg': 'none'})}.{part({'sub': 'dan', 'exp': in_an_hour()})}.",
    "no algorithm, signed": signed({"alg": "None"}, {"sub": "dan", "exp": in_an_hour()}),
    "algorithm of no known kind": signed({"alg": "HS1"}, {"sub": "dan", "exp": in_an_hour()}),
    "algorithm that is no text": signed({"alg": ["HS256"]}, {"sub": "dan", "exp": in_an_hour()}),
    "header that is no object": signed([], {"sub": "dan", "exp": in_an_hour()}),
    "header that is no JSON": signed("{", {"sub": "dan", "exp": in_an_hour()}),
    "payload that is no object": signed(HS256, ["dan"]),
    "payload that is no JSON": signed(HS256, "{"),
    "not valid yet": a_token(nbf=in_an_hour()),
    "issued in the future": a_token(iat=in_an_hour()),
    "no expiry": a_token(exp=None),
    "expiry that is no number": signed(HS256, {"sub": "dan", "exp": "soon"}),
    "expiry that is a list": signed(HS256, {"sub": "dan", "exp": [1]}),
    "expiry without end": signed(HS256, '{"sub": "dan", "exp": 1e999}'),
    "expiry that is not a number": signed(HS256, '{"sub": "dan", "exp": NaN}'),
    "deep": signed(HS256, "[" * 50_000),
    "lone surrogate": "\ud800.\ud800.\ud800",
    "line breaks": a_token() + "\r\nx: y",
    "long": "a" * 1_000_000,
}


@pytest.mark.parametrize("token", NOT_VALID.values(), ids=NOT_VALID.keys())
def test_a_token_that_is_no_good_is_refused_without_saying_why(token: str) -> None:
    assert refused(token) == "The token is not valid."


NOBODY: list[Any] = [
    *(None, "", "  ", True, 1.5, [], {}, "x" * 129),
    *(" victim", "victim\n", "\u2003victim", "victim\u00a0", "\u200bvictim", "victim\ufeff"),
    *("a\x00b", "a\x1fb", "a\x7fb", "a\x85b", "a\ud800", "\udfff", "restaurant#7"),
]


@pytest.mark.parametrize("sub", NOBODY)
def test_a_token_must_name_somebody(sub: Any) -> None:
    assert refused(signed(HS256, {"sub": sub, "exp": in_an_hour()})) == "The token names nobody."


def test_an_id_may_be_a_number_or_stand_under_user_id() -> None:
    assert BY_SECRET.authenticate(signed(HS256, {"sub": 42, "exp": in_an_hour()})).id == "42"
    assert BY_SECRET.authenticate(a_token(sub=None, user_id="u7")).id == "u7"
    assert BY_SECRET.authenticate(a_token(sub="s", user_id="u7")).id == "s"


@pytest.mark.parametrize("sub", ["a  b", "auth0|5f7c", "O’Brien", "ада", "007", "👩‍🚀", "x" * 128])
def test_an_id_is_taken_exactly_as_it_was_signed(sub: str) -> None:
    assert BY_SECRET.authenticate(a_token(sub=sub)).id == sub


ODD_CLAIMS: list[dict[str, Any]] = [
    {"name": "x\udfff"},
    {"phone": "\ud800"},
    {"restaurant_ids": ["r1", "a\ud800"]},
    {"restaurant_ids": [{}]},
    {"restaurant_ids": [" r1"]},
]


@pytest.mark.parametrize("claims", ODD_CLAIMS)
def test_a_claim_that_nobody_can_write_down_is_no_good(claims: dict[str, Any]) -> None:
    assert refused(signed(HS256, {"sub": "d", "exp": in_an_hour(), **claims}))


def test_a_claim_that_is_null_counts_as_absent() -> None:
    nothing = dict.fromkeys(
        ("nbf", "iat", "iss", "aud", "jti", "name", "phone", "role", "restaurant_ids", "groups")
    )
    token = signed(HS256, {"sub": None, "user_id": 7, "exp": in_an_hour(), **nothing})
    assert BY_SECRET.authenticate(token).id == "7"
    assert refused(signed(HS256, {"sub": "d", "exp": None})) == "The token is not valid."


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_an_issuers_clock_may_be_some_seconds_ahead(claim: str) -> None:
    """JWT_LEEWAY_S."""

    def issued(ahead_s: int) -> str:
        times: dict[str, Any] = {claim: int(time.time()) + ahead_s}
        return a_token(**times)

    assert BY_SECRET.authenticate(issued(8)).id == "dan"
    assert refused(issued(13))
    strict = Authenticator(Settings(jwt_secret=SECRET, jwt_leeway=timedelta(0)))
    assert refused(issued(2), strict)


def test_a_token_is_good_some_seconds_longer_and_says_until_when() -> None:
    """JWT_LEEWAY_S."""
    now = int(time.time())
    until = BY_SECRET.authenticate(a_token(exp=now - 5)).token_ends_at
    assert until is not None
    assert abs(until.timestamp() - (now + 5)) < 2
    assert BY_SECRET.authenticate(a_token(exp=10**300)).token_ends_at


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"role": "customer"}, Role.CUSTOMER),
        ({"role": "Rider"}, Role.CUSTOMER),
        ({"role": "USER"}, Role.CUSTOMER),
        ({"role": "driver"}, Role.COURIER),
        ({"role": "delivery_boy"}, Role.COURIER),
        ({"role": "restaurant"}, Role.MERCHANT),
        ({"role": "shop"}, Role.MERCHANT),
        ({"role": "owner"}, Role.MERCHANT),
        ({"role": "merchant"}, Role.MERCHANT),
        ({"role": " Admin "}, Role.ADMIN),
        ({"role": None, "user_role": "driver"}, Role.COURIER),
        ({"role": None, "user_type": "RIDER"}, Role.CUSTOMER),
        ({"role": None, "groups": ["Staff", "Driver"]}, Role.COURIER),
        ({"role": None, "groups": "Driver"}, Role.COURIER),
        ({"role": None}, None),
        ({"role": "system"}, None),  # the dispatcher's own: no token can have it
        ({"role": "king"}, None),
        ({"role": 5, "groups": [5, None]}, None),
    ],
)
def test_roles_have_many_names(claims: dict[str, Any], role: Role | None) -> None:
    assert BY_SECRET.authenticate(a_token(**claims)).role is role


def test_issuer_and_audience_count_where_they_are_set() -> None:
    strict = Authenticator(Settings(jwt_secret=SECRET, jwt_issuer="us", jwt_audience="waybill"))
    assert strict.authenticate(a_token(iss="us", aud="waybill")).id == "dan"
    assert strict.authenticate(a_token(iss="us", aud=["other", "waybill"])).id == "dan"
    for claims in (
        {"iss": "them", "aud": "waybill"},
        {"iss": "us", "aud": "other"},
        {"iss": "us"},
        {"aud": "waybill"},
        {"iss": ["us"], "aud": "waybill"},
    ):
        assert refused(signed(HS256, {"sub": "d", "exp": in_an_hour(), **claims}), strict)
    assert BY_SECRET.authenticate(a_token(iss="them", aud="other")).id == "dan"


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def a_jwk(kid: str) -> dict[str, Any]:
    """A public key as an identity provider publishes it."""
    of = {
        "r": lambda: jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()),
        "e": lambda: jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key()),
    }
    return {**json.loads(of[kid]()), "kid": kid}


class Keys(BaseHTTPRequestHandler):
    """Serves the public keys, or `answer` where it is set; counts how often it was `asked`."""

    answer: tuple[int, bytes] | None = None
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        keys = json.dumps({"keys": [a_jwk("r"), a_jwk("e")]}).encode()
        status, body = self.answer or (200, keys)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def jwks_url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/keys"
        server.shutdown()
        serving.join()


@pytest.fixture
def by_keys(jwks_url: str) -> Authenticator:
    settings = Settings(jwt_jwks_url=jwks_url, jwt_algorithms=("RS256", "ES256"))
    return Authenticator(settings)


def by_key(key: Any, algorithm: str, kid: str) -> str:
    claims = {"sub": "dan", "role": "courier", "exp": in_an_hour()}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid})


def test_tokens_signed_by_published_keys_are_good(by_keys: Authenticator) -> None:
    assert by_keys.authenticate(by_key(RSA, "RS256", "r")).id == "dan"
    assert by_keys.authenticate(by_key(EC, "ES256", "e")).id == "dan"


def test_keys_and_algorithms_are_not_mixed(by_keys: Authenticator) -> None:
    """HS/RS confusion: a public key is no secret."""
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"sub": "dan", "exp": in_an_hour()}
    assert refused(signed({"alg": "HS256", "kid": "r"}, claims, pem), by_keys)
    assert refused(signed({"alg": "RS256", "kid": "r"}, claims, pem), by_keys)
    assert refused(by_key(RSA, "PS256", "r"), by_keys)
    assert refused(by_key(RSA, "RS256", "e"), by_keys)
    assert refused(by_key(RSA, "RS256", "unknown"), by_keys)
    assert refused(a_token(), by_keys)
    assert refused(by_key(RSA, "RS256", "r"))


def test_keys_that_can_not_be_had_say_nothing_of_the_token() -> None:
    nobody_listens = Settings(jwt_jwks_url="http://127.0.0.1:9/keys", jwt_algorithms=("RS256",))
    with pytest.raises(Unavailable):
        Authenticator(nobody_listens).authenticate(by_key(RSA, "RS256", "r"))


NO_KEYS = {
    "an error": (500, b"{}"),
    "not found": (404, b"{}"),
    "forbidden": (403, b"{}"),
    "html": (200, b"<html>Maintenance</html>"),
    "nothing": (200, b""),
    "no UTF-8": (200, b"\xff\xfe\xfd"),
    "null": (200, b"null"),
    "a list": (200, b"[1]"),
    "no object of keys": (200, b'{"keys": {}}'),
    "no keys": (200, b'{"keys": []}'),
    "keys that are none": (200, b'{"keys": [1, null, {}, {"kid": "r"}, {"kid": "r", "kty": 7}]}'),
    "a broken key": (200, b'{"keys": [{"kid": "r", "kty": "RSA", "n": "!", "e": "AQAB"}]}'),
    "an error of its own": (200, b'{"error": "rate_limited"}'),
    "depth": (200, b"[" * 100_000),
    "too much": (200, b" " * 1_100_000),
}


@pytest.fixture
def answering() -> Iterator[type[Keys]]:
    """The endpoint, whose answer a test may set."""
    Keys.asked = 0
    yield Keys
    Keys.answer = None


@pytest.mark.parametrize("answer", NO_KEYS.values(), ids=NO_KEYS.keys())
def test_whatever_is_no_keys_says_nothing_of_the_token(
    answering: type[Keys], by_keys: Authenticator, answer: tuple[int, bytes]
) -> None:
    answering.answer = answer
    with pytest.raises(Unavailable):
        by_keys.authenticate(by_key(RSA, "RS256", "r"))


def test_a_key_that_can_not_be_used_leaves_the_others_usable(
    answering: type[Keys], by_keys: Authenticator
) -> None:
    keys = [{"kid": "x", "kty": "??"}, {**a_jwk("e"), "use": "enc"}, {**a_jwk("r"), "use": "sig"}]
    answering.answer = (200, json.dumps({"keys": keys}).encode())
    assert by_keys.authenticate(by_key(RSA, "RS256", "r")).id == "dan"
    assert refused(by_key(EC, "ES256", "e"), by_keys)


def test_invented_key_ids_do_not_flood_the_provider(answering: type[Keys], jwks_url: str) -> None:
    at = [0.0]
    keys = PublicKeys(jwks_url, lambda: at[0])
    for n in range(10):
        with pytest.raises(jwt.PyJWTError):
            keys.get_key(by_key(RSA, "RS256", f"unknown-{n}"))
    assert answering.asked == 1
    answering.answer = (500, b"")
    at[0] = 6
    assert keys.get_key(by_key(RSA, "RS256", "r"))  # known: nothing is fetched
    for n in range(10):
        with pytest.raises(Unavailable):
            keys.get_key(by_key(RSA, "RS256", f"unknown-{n}"))
    assert answering.asked == 2
    at[0] = 400
    for _ in range(10):
        with pytest.raises(Unavailable):
            keys.get_key(by_key(RSA, "RS256", "r"))
    assert answering.asked == 3
    answering.answer, at[0] = None, 406
    assert keys.get_key(by_key(RSA, "RS256", "r"))


def test_a_provider_that_does_not_answer_says_nothing_of_the_token() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        keys = PublicKeys(f"http://127.0.0.1:{silent.getsockname()[1]}/keys", timeout_s=0.1)
        with pytest.raises(Unavailable):
            keys.get_key(by_key(RSA, "RS256", "r"))


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", None),
        ("abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("", None),
        (None, None),
    ],
)
def test_where_a_token_stands_in_a_header(header: str | None, token: str | None) -> None:
    assert read_bearer_token(header) == token
