"""What the environment says. The only reader of `os.environ` in the application.

Each setting's default is its field's own, in `Settings`; below it stand the environment's names and
what each of them takes.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

DEFAULT_QUEUE_NAME = "waybill-wakeups"
DEFAULT_WEBHOOK_QUEUE_NAME = "waybill-webhooks"
# Vehicle type, base, per km, per minute: in minor units.
DEFAULT_TARIFFS = (("standard", 250, 120, 25), ("premium", 500, 220, 45), ("xl", 400, 180, 35))
DEFAULT_SPEEDS = (("bicycle", 15.0), ("scooter", 25.0), ("motorbike", 30.0), ("car", 25.0))  # km/h
Prices = tuple[int, int, int]  # the same without the vehicle type
Waves = tuple[tuple[int, int, int], ...]  # of each the radius in metres, couriers, seconds


class BadSetting(Exception):
    """A setting that can't be used; the message says which, and what it takes."""


class OidcClient(msgspec.Struct, frozen=True):
    """What the console is registered as at an identity provider (OpenID Connect).

    `token_origin` is the origin of its token endpoint, where that is not the issuer's.
    """

    issuer: str
    client_id: str
    scope: str = "openid profile"
    audience: str = ""
    token_origin: str = ""

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that the console asks."""
        origin = "/".join(self.issuer.split("/")[:3])
        return tuple(dict.fromkeys(filter(None, (origin, self.token_origin))))


class Settings(msgspec.Struct, frozen=True):
    """Every setting of the application, parsed. Units are in the types and names."""

    jwt_secret: str = ""
    jwt_jwks_url: str = ""
    jwt_algorithms: tuple[str, ...] = ("HS256",)
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_leeway: timedelta = timedelta(seconds=10)
    oidc: OidcClient | None = None
    cors_origins: tuple[str, ...] = ("*",)
    payment_webhook_secret: str = ""
    proof_bucket: str = ""
    public_url: str = ""
    map_style: tuple[str, ...] = ()  # the style's URL, then further origins it loads from
    table_prefix: str = "waybill"
    queue_name: str = DEFAULT_QUEUE_NAME
    webhook_queue_name: str = DEFAULT_WEBHOOK_QUEUE_NAME
    webhooks_to_loopback: bool = False
    aws_region: str = "us-east-1"
    aws_endpoint: str | None = None
    connections_endpoint: str = ""
    dispatch_radius_m: float = 5000.0
    dispatch_exclude: str = "all"
    dispatch_waves: Waves = ()
    hail_waves: Waves = ()
    ranks_by_time: bool = False
    vehicle_speeds: tuple[tuple[str, float], ...] = DEFAULT_SPEEDS
    auto_arrive: str = "off"
    fix_max_age: timedelta = timedelta(seconds=120)
    fix_max_accuracy_m: float = 100.0
    delivery_offer_ttl: timedelta = timedelta(seconds=15)
    hail_offer_ttl: timedelta = timedelta(seconds=300)
    hail_search_ttl: timedelta = timedelta(seconds=1800)
    ride_search_ttl: timedelta = timedelta(seconds=300)
    food_ready_ttl: timedelta = timedelta(seconds=7200)
    schedule_lead: timedelta = timedelta(seconds=1200)
    no_show_after_pickup: timedelta = timedelta(seconds=300)
    no_show_after_dropoff: timedelta = timedelta(seconds=480)
    releases_max: int = 3
    ops_zone_resolution: int = 5
    ops_reads_per_s: int = 500
    courier_max_orders: int = 1
    stack_extra: timedelta = timedelta(minutes=10)
    batch_window: timedelta = timedelta(0)  # none
    start_ride_radius_m: float = 200.0
    ride_tariffs: tuple[tuple[str, int, int, int], ...] = DEFAULT_TARIFFS
    delivery_tariff: Prices = (60_00, 12_00, 0)
    hail_tariff: Prices = (60_00, 12_00, 1_00)
    food_tariff: Prices = (30_00, 0, 0)
    cancel_fees: tuple[tuple[str, int, int], ...] = ()
    no_show_fees: tuple[tuple[str, int], ...] = ()
    return_fee_percent: int = 60
    waiting_per_minute: int = 0
    free_waiting: timedelta = timedelta(seconds=180)
    quote_ttl: timedelta = timedelta(seconds=600)
    tracking_ends_after: timedelta = timedelta(seconds=10_800)
    tracking_near_m: float = 1500.0
    rides_ws_create: bool = True
    reallocate_on_driver_cancel: bool = False
    auth_deadline: timedelta = timedelta(seconds=10)
    feed_stale: timedelta = timedelta(seconds=90)
    socketio_ping_interval: timedelta = timedelta(seconds=300)
    heartbeat: timedelta = timedelta(0)  # none
    orders_kept: timedelta = timedelta(days=400)
    history_kept: timedelta = timedelta(days=90)
    metrics_zones: tuple[str, ...] = ()

    @property
    def signing_secret(self) -> str:
        """The secret from which the keys of our own tokens are derived; "" where there is none.

        Beside public keys it is the one of the payment webhook. A short one is not taken: clients
        have the tokens, and could find it by trying.
        """
        other = self.payment_webhook_secret
        return self.jwt_secret or (other if len(other) >= _MIN_SECRET else "")

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the settings. Raises BadSetting with one line that says what to do."""
        env = os.environ if env is None else env
        secret, jwks_url = _read_token_keys(env)
        return cls(
            jwt_secret=secret,
            jwt_jwks_url=jwks_url,
            jwt_algorithms=_parse_algorithms(env, jwks_url),
            oidc=_parse_oidc(env),
            cors_origins=_parse_origins(env),
            public_url=_parse_public_url(env),
            map_style=_parse_map_style(env),
            queue_name=read_queue_name(env),
            webhook_queue_name=read_webhook_queue_name(env),
            webhooks_to_loopback=(
                _parse_choice(env, "WEBHOOKS_TO_LOOPBACK", "false", "true") == "true"
            ),
            aws_region=_read_region(env),
            aws_endpoint=_find_aws_endpoint(env),
            dispatch_exclude=_parse_choice(env, "DISPATCH_EXCLUDE", "all", "last"),
            dispatch_waves=_parse_waves(env, "DISPATCH_WAVES"),
            hail_waves=_parse_waves(env, "HAIL_WAVES"),
            ranks_by_time=_parse_choice(env, "DISPATCH_RANK", "distance", "time") == "time",
            vehicle_speeds=_parse_speeds(env),
            auto_arrive=_parse_choice(env, "AUTO_ARRIVE", "off", "suggest", "do"),
            ride_tariffs=_parse_tariffs(env),
            **_parse_flow_tariffs(env),
            **_parse_fees(env),
            rides_ws_create=_parse_choice(env, "RIDES_WS_CREATE", "accept", "reject") == "accept",
            reallocate_on_driver_cancel=(
                _parse_choice(env, "REALLOCATE_ON_DRIVER_CANCEL", "false", "true") == "true"
            ),
            **_parse_counts(env),
            **_read_texts(env),
            **_parse_times(env),
            **_parse_distances(env),
            stack_extra=_parse_minutes(env, "STACK_EXTRA_MINUTES", _DEFAULTS.stack_extra),
            orders_kept=_parse_days(env, "ORDERS_KEPT_DAYS", _DEFAULTS.orders_kept),
            history_kept=_parse_days(env, "HISTORY_KEPT_DAYS", _DEFAULTS.history_kept),
            metrics_zones=_parse_zones(env),
        )


_MIN_SECRET = 32  # characters: a shorter key than HS256's digest can be guessed more easily
_DAY_S = 86_400
_DAY = timedelta(days=1)
_MAX_DAYS = 36_500
# AWS quotas: API Gateway and CloudFront close what is idle for 10 min. A ping may be late.
_MAX_IDLE_S = 540

# Settings that are plain texts: field and environment name.
_TEXTS = (
    ("jwt_issuer", "JWT_ISSUER"),
    ("jwt_audience", "JWT_AUDIENCE"),
    ("payment_webhook_secret", "PAYMENT_WEBHOOK_SECRET"),
    ("proof_bucket", "PROOF_BUCKET"),
    ("table_prefix", "TABLE_PREFIX"),
    ("connections_endpoint", "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"),
)
# Settings that are times: field, environment name, and the fewest and most seconds it takes.
_TIMES = (
    ("jwt_leeway", "JWT_LEEWAY_S", 0, 300),
    ("fix_max_age", "FIX_MAX_AGE_S", 1, _DAY_S),
    ("delivery_offer_ttl", "DELIVERY_OFFER_TTL_S", 1, _DAY_S),
    ("hail_offer_ttl", "HAIL_OFFER_TTL_S", 1, _DAY_S),
    ("hail_search_ttl", "HAIL_SEARCH_TTL_S", 1, _DAY_S),
    ("ride_search_ttl", "RIDE_SEARCH_TTL_S", 1, _DAY_S),
    ("food_ready_ttl", "FOOD_READY_TTL_S", 1, _DAY_S),
    ("schedule_lead", "SCHEDULE_LEAD_S", 0, _DAY_S),
    ("no_show_after_pickup", "NO_SHOW_AFTER_PICKUP_S", 1, _DAY_S),
    ("no_show_after_dropoff", "NO_SHOW_AFTER_DROPOFF_S", 1, _DAY_S),
    ("auth_deadline", "AUTH_DEADLINE_S", 1, _DAY_S),
    ("feed_stale", "FEED_STALE_S", 1, _DAY_S),
    ("free_waiting", "FREE_WAITING_S", 0, _DAY_S),
    ("quote_ttl", "QUOTE_TTL_S", 1, _DAY_S),
    ("tracking_ends_after", "TRACKING_ENDS_AFTER_S", 0, 7 * _DAY_S),
    ("socketio_ping_interval", "SOCKETIO_PING_INTERVAL_S", 1, _MAX_IDLE_S),
    ("heartbeat", "HEARTBEAT_S", 0, _MAX_IDLE_S),
    ("batch_window", "BATCH_WINDOW_S", 0, 60),
)
# Settings that are distances: field, environment name, and the fewest and most metres it takes.
_DISTANCES = (
    ("dispatch_radius_m", "DISPATCH_RADIUS_M", 1, 100_000),
    ("fix_max_accuracy_m", "FIX_MAX_ACCURACY_M", 1, 100_000),
    ("start_ride_radius_m", "START_RIDE_RADIUS_M", 0, 100_000),
    ("tracking_near_m", "TRACKING_NEAR_M", 0, 100_000),
)
# Settings that are a tariff without vehicle types: field and environment name.
_FLOW_TARIFFS = (
    ("delivery_tariff", "DELIVERY_TARIFF"),
    ("hail_tariff", "HAIL_TARIFF"),
    ("food_tariff", "FOOD_TARIFF"),
)
# Settings that are whole numbers: field, environment name, and the least and the most it takes.
_COUNTS = (
    ("releases_max", "RELEASES_MAX", 0, 100),
    ("ops_zone_resolution", "OPS_ZONE_RESOLUTION", 0, 10),
    ("ops_reads_per_s", "OPS_READS_PER_S", 1, 100_000),
    ("courier_max_orders", "COURIER_MAX_ORDERS", 1, 3),
    ("return_fee_percent", "RETURN_FEE_PERCENT", 0, 1000),
    ("waiting_per_minute", "WAITING_PER_MINUTE", 0, 1_000_000),
)
_DEFAULTS = Settings()


def read_queue_name(env: Mapping[str, str] | None = None) -> str:
    """Read the wakeup queue's name: app.py needs it as it is imported, when nothing else may be
    read yet."""
    return (os.environ if env is None else env).get("QUEUE_NAME", DEFAULT_QUEUE_NAME)


def read_webhook_queue_name(env: Mapping[str, str] | None = None) -> str:
    """Read the webhook queue's name, likewise."""
    given = os.environ if env is None else env
    return given.get("WEBHOOK_QUEUE_NAME", DEFAULT_WEBHOOK_QUEUE_NAME)


def parse_number(
    env: Mapping[str, str], name: str, default: float, fewest: float, most: float
) -> float:
    """Parse a number within its limits; the default where none is given. Raises BadSetting."""
    given = env.get(name)
    if not given:
        return default
    try:
        value = float(given)
    except ValueError:
        value = math.nan  # within no limits
    if not fewest <= value <= most:
        raise BadSetting(f"{name} takes a number from {fewest:g} to {most:g}, not {given!r}.")
    return value


def _read_texts(env: Mapping[str, str]) -> dict[str, Any]:
    return {field: env.get(name, getattr(_DEFAULTS, field)) for field, name in _TEXTS}


def _parse_times(env: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for field, name, fewest, most in _TIMES:
        default: timedelta = getattr(_DEFAULTS, field)
        seconds = parse_number(env, name, default.total_seconds(), fewest, most)
        found[field] = timedelta(seconds=seconds)
    return found


def _parse_days(env: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    return timedelta(days=parse_number(env, name, default / _DAY, 1, _MAX_DAYS))


def _parse_minutes(env: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    minutes = parse_number(env, name, default / timedelta(minutes=1), 0, 1440)
    return timedelta(minutes=minutes)


def _parse_distances(env: Mapping[str, str]) -> dict[str, Any]:
    return {
        field: parse_number(env, name, getattr(_DEFAULTS, field), fewest, most)
        for field, name, fewest, most in _DISTANCES
    }


def _parse_counts(env: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for field, name, fewest, most in _COUNTS:
        value = parse_number(env, name, getattr(_DEFAULTS, field), fewest, most)
        if value != int(value):
            raise BadSetting(f"{name} takes a whole number, not {env[name]!r}.")
        found[field] = int(value)
    return found


def _read_token_keys(env: Mapping[str, str]) -> tuple[str, str]:
    """Read the secret and the URL of public keys by which tokens are checked: one of them must be
    there. Raises BadSetting."""
    secret, jwks_url = env.get("JWT_SECRET", ""), env.get("JWT_JWKS_URL", "")
    if not secret and not jwks_url:
        raise BadSetting("JWT_SECRET (or JWT_JWKS_URL) must be set.")
    if secret and len(secret) < _MIN_SECRET:
        raise BadSetting(f"JWT_SECRET must have at least {_MIN_SECRET} characters.")
    return secret, jwks_url


# What a secret signs, and what a public key checks: RFC 7518's names.
_SYMMETRIC = {"HS256", "HS384", "HS512"}
_ASYMMETRIC = {"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"}


def _parse_algorithms(env: Mapping[str, str], jwks: str) -> tuple[str, ...]:
    """Parse the algorithms that a token may use. Secrets and public keys are never mixed: a token
    signed with a public key as if it were a secret would pass. Raises BadSetting."""
    given = env.get("JWT_ALGORITHMS") or ("RS256,ES256" if jwks else "HS256")
    names = tuple(n.strip() for n in given.split(",") if n.strip())
    known = _ASYMMETRIC if jwks else _SYMMETRIC
    if not names or not set(names) <= known:
        kind = "with JWT_JWKS_URL" if jwks else "with JWT_SECRET"
        raise BadSetting(f"JWT_ALGORITHMS {kind} takes any of {', '.join(sorted(known))}.")
    return names


def _parse_oidc(env: Mapping[str, str]) -> OidcClient | None:
    """Parse how people sign in to the console; None where they paste a token. Raises BadSetting."""
    names = ("ISSUER", "CLIENT_ID", "SCOPE", "AUDIENCE", "TOKEN_ORIGIN")
    issuer, client_id, scope, audience, token_origin = (
        env.get(f"OIDC_{name}", "").strip() for name in names
    )
    if bool(issuer) != bool(client_id):
        raise BadSetting("OIDC_ISSUER and OIDC_CLIENT_ID must be set together.")
    if not issuer:
        return None
    if not _ISSUER_PATTERN.fullmatch(issuer) or not _is_safe_origin(
        "/".join(issuer.split("/")[:3])
    ):
        raise BadSetting(
            "OIDC_ISSUER takes a URL without a query, as https://login.example.com/realm; http "
            f"on loopback only. It is {issuer!r}."
        )
    if token_origin and not _is_safe_origin(token_origin):
        raise BadSetting(
            "OIDC_TOKEN_ORIGIN takes an origin without a path, as https://login.example.com; http "
            f"on loopback only. It is {token_origin!r}."
        )
    if scope and "openid" not in scope.split():
        raise BadSetting(f"OIDC_SCOPE must have openid among its words, not {scope!r}.")
    return OidcClient(
        issuer, client_id, scope or "openid profile", audience, _normalize_origin(token_origin)
    )


def _is_safe_origin(origin: str) -> bool:
    """Say whether tokens may go to an origin: by TLS, or within this machine."""
    host = re.sub(r":\d+$", "", origin.lower().partition("://")[2])
    safe = ("https://",) if host not in _LOOPBACK else ("https://", "http://")
    return _is_origin(origin) and origin.lower().startswith(safe)


_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ISSUER_PATTERN = re.compile(r"https?://[^/?#\s]+(/[A-Za-z0-9._~!$&'()*+,=:@%/-]*)?", re.IGNORECASE)


def _parse_origins(env: Mapping[str, str]) -> tuple[str, ...]:
    """Parse the origins whose pages may call us, written as browsers do; `*`: all. Raises
    BadSetting."""
    given = env.get("CORS_ORIGINS") or ",".join(_DEFAULTS.cors_origins)
    origins = [part.strip() for part in given.split(",")]
    if origins == ["*"]:
        return ("*",)
    for origin in origins:
        if not _is_origin(origin):
            raise BadSetting(
                "CORS_ORIGINS takes * or origins with commas between them, without a path, as "
                f"https://app.example.com,http://localhost:3000, not {origin!r}."
            )
    return tuple(dict.fromkeys(_normalize_origin(origin) for origin in origins))


def _parse_public_url(env: Mapping[str, str]) -> str:
    """Parse the origin at which clients reach us; "" where it is not given. Raises BadSetting."""
    given = env.get("PUBLIC_URL", "").strip().removesuffix("/")
    if given and not (given.startswith(("http://", "https://")) and _is_origin(given)):
        raise BadSetting(
            "PUBLIC_URL takes an origin without a path, as https://go.example.com, "
            f"not {env['PUBLIC_URL']!r}."
        )
    return _normalize_origin(given)


def _parse_map_style(env: Mapping[str, str]) -> tuple[str, ...]:
    """Parse the URL of a map's style, and origins after it. Raises BadSetting."""
    style, *origins = env.get("MAP_STYLE_URL", "").split() or [""]
    if not style:
        return ()
    # They become part of a header: nothing may end a directive of it, or begin another.
    if not _STYLE_PATTERN.fullmatch(style) or not all(map(_is_origin, origins)):
        raise BadSetting(
            "MAP_STYLE_URL takes a style's URL, or its path on this host, and after it the other "
            "origins that its tiles come from, separated by spaces, as "
            f"https://maps.example.com/style.json, not {env['MAP_STYLE_URL']!r}."
        )
    return (style, *origins)


def _is_origin(text: str) -> bool:
    found = _ORIGIN_PATTERN.fullmatch(text)
    return found is not None and int(found["port"] or 1) in range(1, 65536)


def _normalize_origin(origin: str) -> str:
    """Write an origin as browsers do: in lower case, without its scheme's usual port."""
    lower = origin.lower()
    for scheme, port in (("http://", ":80"), ("https://", ":443")):
        if lower.startswith(scheme):
            return lower.removesuffix(port)
    return lower


_STYLE_PATTERN = re.compile(
    r"(https?://[A-Za-z0-9.:\[\]_-]+)?/[A-Za-z0-9._~!$&()*+:@/?=%-]*", re.ASCII
)
_ORIGIN_PATTERN = re.compile(
    r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE | re.ASCII,
)


def _parse_zones(env: Mapping[str, str]) -> tuple[str, ...]:
    """Parse the zones that have figures of their own: at most 19 H3 cells, or the word `other`.
    Raises BadSetting."""
    given = env.get("METRICS_ZONES", "").lower()
    zones = tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))
    if len(zones) > _MAX_ZONES or not all(map(_ZONE_PATTERN.fullmatch, zones)):
        raise BadSetting(
            f"METRICS_ZONES takes at most {_MAX_ZONES} H3 cells with commas between them, as "
            f"8561892ffffffff,8561893bfffffff, or other, not {env['METRICS_ZONES']!r}."
        )
    return zones


_MAX_ZONES = 19
_ZONE_PATTERN = re.compile(r"8[0-9a-f]{14}|other", re.ASCII)


def _read_region(env: Mapping[str, str]) -> str:
    return env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or _DEFAULTS.aws_region


def _find_aws_endpoint(env: Mapping[str, str]) -> str | None:
    """Find the LocalStack-compatible endpoint that is named, if any; AWS itself needs none."""
    if env.get("AWS_ENDPOINT_URL"):
        return env["AWS_ENDPOINT_URL"]
    if env.get("LOCALSTACK_HOST"):
        from localstack_client.config import get_service_endpoint  # local runs only: not shipped

        return str(get_service_endpoint("dynamodb"))
    return None


def _parse_choice(env: Mapping[str, str], name: str, default: str, *others: str) -> str:
    """Parse one of some words; the default where none is given. Raises BadSetting."""
    given, words = env.get(name) or default, (default, *others)
    if given not in words:
        raise BadSetting(f"{name} takes one of {', '.join(words)}, not {given!r}.")
    return given


def _parse_tariffs(env: Mapping[str, str]) -> tuple[tuple[str, int, int, int], ...]:
    """Parse `standard=250/120/25,…`: for each vehicle type what a ride begins with, and what a km
    and a minute add, in minor units. Types that are not named keep their prices. Raises
    BadSetting."""
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


def _parse_speeds(env: Mapping[str, str]) -> tuple[tuple[str, float], ...]:
    """Parse `bicycle=15,car=25`: km/h by vehicle type. Types that are not named keep theirs. Raises
    BadSetting."""
    found = dict(DEFAULT_SPEEDS)
    for part in filter(None, env.get("VEHICLE_SPEEDS", "").split(",")):
        match = _SPEED_PATTERN.fullmatch(part.strip())
        if match is None or not 1 <= float(match[2]) <= _MAX_KM_H:
            raise BadSetting(
                f"VEHICLE_SPEEDS takes vehicle types with 1 to {_MAX_KM_H} km/h, "
                f"as bicycle=15,motorbike=30, not {part!r}."
            )
        found[match[1].strip().lower()] = float(match[2])
    return tuple(found.items())


_SPEED_PATTERN = re.compile(r"([^=\s][^=]{0,39})=\s*([0-9]{1,3}(?:\.[0-9]{1,2})?)")
_MAX_KM_H = 200


def _parse_waves(env: Mapping[str, str], name: str) -> Waves:
    """Parse `1500x1@15,3000x5@15`: of each wave the radius in metres, how many couriers are asked,
    and for how many seconds. Raises BadSetting."""
    given = env.get(name, "").strip()
    parts = given.split(",") if given else []
    waves = tuple(map(_parse_wave, parts))
    if None in waves or len(waves) > _MAX_WAVES:
        raise BadSetting(
            f"{name} takes up to {_MAX_WAVES} waves, each of up to 100000 m, 20 couriers and "
            f"86400 s, as 1500x1@15,3000x5@15, not {given!r}."
        )
    return tuple(filter(None, waves))


def _parse_wave(part: str) -> tuple[int, int, int] | None:
    match = _WAVE_PATTERN.fullmatch(part.strip())
    found = tuple(map(int, match.groups())) if match else (0, 0, 0)
    radius_m, couriers, seconds = found
    is_valid = 0 < radius_m <= 100_000 and 0 < couriers <= 20 and 0 < seconds <= _DAY_S
    return (radius_m, couriers, seconds) if is_valid else None


# A wave that lapses and the next one are in one transaction of 100 rows at most (AWS quota).
_WAVE_PATTERN = re.compile(r"(\d{1,6})x(\d{1,2})@(\d{1,5})", re.ASCII)
_MAX_WAVES = 20


def _parse_flow_tariffs(env: Mapping[str, str]) -> dict[str, Any]:
    """Parse `6000/1200/0`: what an order of a flow begins with, and what a km and a minute add, in
    minor units. Raises BadSetting."""
    found: dict[str, Prices] = {}
    for field, name in _FLOW_TARIFFS:
        given = env.get(name)
        match = _PRICES_PATTERN.fullmatch(given.strip()) if given else None
        if given and match is None:
            raise BadSetting(
                f"{name} takes base, per km and per minute in minor units, as 6000/1200/0, "
                f"not {given!r}."
            )
        prices: Prices = getattr(_DEFAULTS, field)
        found[field] = (int(match[1]), int(match[2]), int(match[3])) if match else prices
    return found


_PRICES_PATTERN = re.compile(r"(\d{1,9})/(\d{1,9})/(\d{1,9})", re.ASCII)


def _parse_fees(env: Mapping[str, str]) -> dict[str, Any]:
    """Parse the fees by flow, in minor units: of cancelling, once accepted and once at the pickup,
    and of not being there. Raises BadSetting."""
    cancel = _parse_by_flow(env, "CANCEL_FEES", 2, "delivery=2000/3000,ride=1500/1500")
    no_show = _parse_by_flow(env, "NO_SHOW_FEE", 1, "delivery=3000,ride=1500")
    return {
        "cancel_fees": tuple((flow, first, second) for flow, (first, second) in cancel),
        "no_show_fees": tuple((flow, fee) for flow, (fee,) in no_show),
    }


def _parse_by_flow(
    env: Mapping[str, str], name: str, amounts: int, example: str
) -> list[tuple[str, list[int]]]:
    """Parse `flow=minor/minor,…`, so many amounts for each flow. Raises BadSetting."""
    found: dict[str, list[int]] = {}
    for part in filter(None, env.get(name, "").split(",")):
        match = _FEES_PATTERN.fullmatch(part.strip())
        given = [int(text) for text in match[2].split("/")] if match else []
        if match is None or len(given) != amounts or match[1] in found:
            raise BadSetting(
                f"{name} takes each flow (delivery, food, hail, ride) once, with minor units, "
                f"as {example}, not {part!r}."
            )
        found[match[1]] = given
    return list(found.items())


_FEES_PATTERN = re.compile(r"(delivery|food|hail|ride)=(\d{1,9}(?:/\d{1,9})*)", re.ASCII)
