"""What the environment says. The only reader of `os.environ` in the application."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

import msgspec

T = TypeVar("T")


# Vehicle type, base, per km, per minute: in minor units.
DEFAULT_TARIFFS = (("standard", 250, 120, 25), ("premium", 500, 220, 45), ("xl", 400, 180, 35))


class BadSetting(Exception):
    """A setting that can't be used; the message says which, and what it takes."""


class Settings(msgspec.Struct, frozen=True):
    """Every setting of the application, parsed. Units are in the types."""

    jwt_secret: str = ""
    jwt_jwks_url: str = ""
    jwt_algorithms: tuple[str, ...] = ("HS256",)
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_leeway: timedelta = timedelta(seconds=10)
    cors_origins: tuple[str, ...] = ("*",)
    payment_webhook_secret: str = ""
    table_prefix: str = "waybill"
    queue_name: str = "waybill-wakeups"
    aws_region: str = "us-east-1"
    aws_endpoint: str | None = None
    connections_endpoint: str = ""
    dispatch_radius_m: float = 5000.0
    dispatch_exclude: str = "all"
    fix_max_age: timedelta = timedelta(seconds=120)
    fix_max_accuracy_m: float = 200.0
    delivery_offer_ttl: timedelta = timedelta(seconds=15)
    hail_offer_ttl: timedelta = timedelta(seconds=300)
    hail_search_ttl: timedelta = timedelta(seconds=1800)
    ride_search_ttl: timedelta = timedelta(seconds=300)
    food_ready_ttl: timedelta = timedelta(seconds=7200)
    start_ride_radius_m: float = 200.0
    ride_tariffs: tuple[tuple[str, int, int, int], ...] = DEFAULT_TARIFFS
    rides_ws_create: bool = True
    reallocate_on_driver_cancel: bool = False
    auth_deadline: timedelta = timedelta(seconds=10)
    feed_stale: timedelta = timedelta(seconds=90)
    socketio_ping_interval: timedelta = timedelta(seconds=300)
    heartbeat: timedelta = timedelta(0)  # none

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the settings. Raises BadSetting with one line that says what to do."""
        env = os.environ if env is None else env
        jwks = env.get("JWT_JWKS_URL", "")
        secret = env.get("JWT_SECRET", "")
        if not secret and not jwks:
            raise BadSetting("JWT_SECRET (or JWT_JWKS_URL) must be set.")
        if secret and len(secret) < 32:
            raise BadSetting("JWT_SECRET must have at least 32 characters.")
        return cls(
            jwt_secret=secret,
            jwt_jwks_url=jwks,
            jwt_algorithms=_parse_algorithms(env, jwks),
            jwt_issuer=env.get("JWT_ISSUER", ""),
            jwt_audience=env.get("JWT_AUDIENCE", ""),
            jwt_leeway=timedelta(seconds=_parse_number(env, "JWT_LEEWAY_S", 10, 0, 300)),
            cors_origins=_parse_origins(env),
            payment_webhook_secret=env.get("PAYMENT_WEBHOOK_SECRET", ""),
            table_prefix=env.get("TABLE_PREFIX", "waybill"),
            queue_name=read_queue_name(env),
            aws_region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1",
            aws_endpoint=_find_aws_endpoint(env),
            connections_endpoint=env.get("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", ""),
            dispatch_radius_m=_parse_number(env, "DISPATCH_RADIUS_M", 5000, 1, 100_000),
            dispatch_exclude=_parse_choice(env, "DISPATCH_EXCLUDE", ("all", "last")),
            fix_max_age=_parse_seconds(env, "FIX_MAX_AGE_S", 120),
            fix_max_accuracy_m=_parse_number(env, "FIX_MAX_ACCURACY_M", 200, 1, 100_000),
            delivery_offer_ttl=_parse_seconds(env, "DELIVERY_OFFER_TTL_S", 15),
            hail_offer_ttl=_parse_seconds(env, "HAIL_OFFER_TTL_S", 300),
            hail_search_ttl=_parse_seconds(env, "HAIL_SEARCH_TTL_S", 1800),
            ride_search_ttl=_parse_seconds(env, "RIDE_SEARCH_TTL_S", 300),
            food_ready_ttl=_parse_seconds(env, "FOOD_READY_TTL_S", 7200),
            start_ride_radius_m=_parse_number(env, "START_RIDE_RADIUS_M", 200, 0, 100_000),
            ride_tariffs=_parse_tariffs(env),
            rides_ws_create=_parse_choice(env, "RIDES_WS_CREATE", ("accept", "reject")) == "accept",
            reallocate_on_driver_cancel=_parse_choice(
                env, "REALLOCATE_ON_DRIVER_CANCEL", ("false", "true")
            )
            == "true",
            auth_deadline=_parse_seconds(env, "AUTH_DEADLINE_S", 10),
            feed_stale=_parse_seconds(env, "FEED_STALE_S", 90),
            socketio_ping_interval=_parse_seconds(
                env, "SOCKETIO_PING_INTERVAL_S", 300, _MAX_IDLE_S
            ),
            heartbeat=timedelta(seconds=_parse_number(env, "HEARTBEAT_S", 0, 0, _MAX_IDLE_S)),
        )


def read_queue_name(env: Mapping[str, str] | None = None) -> str:
    """The wakeup queue's name; app.py needs it when it is imported, before all else is known."""
    return (os.environ if env is None else env).get("QUEUE_NAME", "waybill-wakeups")


_MAX_IDLE_S = 540  # AWS quotas: 10 min, of API Gateway and of CloudFront; a ping may be late
_SYMMETRIC = {"HS256", "HS384", "HS512"}
_ASYMMETRIC = {"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"}


def _parse_algorithms(env: Mapping[str, str], jwks: str) -> tuple[str, ...]:
    """The algorithms that a token may use: secrets and public keys are never mixed."""
    given = env.get("JWT_ALGORITHMS") or ("RS256,ES256" if jwks else "HS256")
    names = tuple(n.strip() for n in given.split(",") if n.strip())
    known = _ASYMMETRIC if jwks else _SYMMETRIC
    if not names or not set(names) <= known:
        kind = "with JWT_JWKS_URL" if jwks else "with JWT_SECRET"
        raise BadSetting(f"JWT_ALGORITHMS {kind} takes any of {', '.join(sorted(known))}.")
    return names


def _parse_origins(env: Mapping[str, str]) -> tuple[str, ...]:
    """The origins whose pages may call us, worded as browsers do; `*`: all."""
    given = env.get("CORS_ORIGINS") or "*"
    origins = [part.strip() for part in given.split(",")]
    if origins == ["*"]:
        return ("*",)
    for origin in origins:
        found = _ORIGIN_PATTERN.fullmatch(origin)
        if found is None or int(found["port"] or 1) not in range(1, 65536):
            raise BadSetting(
                "CORS_ORIGINS takes * or origins with commas between them, without a path, as "
                f"https://app.example.com,http://localhost:3000, not {origin!r}."
            )
    return tuple(dict.fromkeys(_normalize_origin(origin) for origin in origins))


def _normalize_origin(origin: str) -> str:
    """Lower the case and leave out a scheme's usual port."""
    lower = origin.lower()
    for scheme, port in (("http://", ":80"), ("https://", ":443")):
        if lower.startswith(scheme):
            return lower.removesuffix(port)
    return lower


_ORIGIN_PATTERN = re.compile(
    r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE | re.ASCII,
)


def _find_aws_endpoint(env: Mapping[str, str]) -> str | None:
    """The LocalStack-compatible endpoint, if one is named; AWS itself needs none."""
    if env.get("AWS_ENDPOINT_URL"):
        return env["AWS_ENDPOINT_URL"]
    if env.get("LOCALSTACK_HOST"):
        from localstack_client.config import get_service_endpoint  # local runs only: not shipped

        return str(get_service_endpoint("dynamodb"))
    return None


def _parse_choice(env: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """One of these words; the first is the default."""
    given = env.get(name) or words[0]
    if given not in words:
        raise BadSetting(f"{name} takes one of {', '.join(words)}, not {given!r}.")
    return given


def _parse_tariffs(env: Mapping[str, str]) -> tuple[tuple[str, int, int, int], ...]:
    """`standard=250/120/25,…`: for each vehicle type what a ride begins with, and what a km and a
    minute add, in minor units. Types that are not named keep their prices."""
    found = {tariff[0]: tariff for tariff in DEFAULT_TARIFFS}
    for part in filter(None, env.get("RIDE_TARIFFS", "").split(",")):
        match = _TARIFF_PATTERN.fullmatch(part.strip())
        if match is None or match[1] not in found:
            raise BadSetting(
                "RIDE_TARIFFS takes vehicle types with base, per km and per minute in minor units, "
                f"as standard=250/120/25,xl=400/180/35, not {part!r}."
            )
        found[match[1]] = (match[1], int(match[2]), int(match[3]), int(match[4]))
    return tuple(found.values())


_TARIFF_PATTERN = re.compile(r"([a-z]+)=(\d{1,9})/(\d{1,9})/(\d{1,9})")


def _parse_seconds(
    env: Mapping[str, str], name: str, default: int, most: int = 86_400
) -> timedelta:
    return timedelta(seconds=_parse_number(env, name, default, 1, most))


def _parse_number(
    env: Mapping[str, str], name: str, default: float, low: float, high: float
) -> float:
    return _parse_if_given(
        env, name, default, float, lambda n: low <= n <= high, f"{low:g} to {high:g}"
    )


def _parse_if_given(
    env: Mapping[str, str],
    name: str,
    default: T,
    parse: Callable[[str], T],
    good: Callable[[T], bool],
    takes: str,
) -> T:
    if not env.get(name):
        return default
    try:
        value = parse(env[name])
    except ValueError:
        value = default
    else:
        if good(value):
            return value
    raise BadSetting(f"{name} takes a number from {takes}, not {env[name]!r}.")
