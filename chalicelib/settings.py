"""Every setting: its default, its name in the environment, and what that takes.

The only reader of `os.environ` in the application. A new setting is two lines here: a field of
`Settings`, with its default, and a row in the table of its kind. What is of no kind yet gets a
parser in environment/ and a row in `_PARSERS`. docs/settings.md lists all settings, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from chalicelib.environment import aws, dispatching, origins, prices, tokens, values
from chalicelib.environment.dispatching import Waves
from chalicelib.environment.prices import Prices
from chalicelib.environment.tokens import OidcClient
from chalicelib.environment.values import BadSetting, Environment, parse_number

__all__ = [
    "DEFAULT_QUEUE_NAME",
    "DEFAULT_SPEEDS",
    "DEFAULT_TARIFFS",
    "DEFAULT_WEBHOOK_QUEUE_NAME",
    "BadSetting",
    "OidcClient",
    "Settings",
    "Waves",
    "parse_number",
    "read_queue_name",
    "read_webhook_queue_name",
]

DEFAULT_QUEUE_NAME = "waybill-wakeups"
DEFAULT_WEBHOOK_QUEUE_NAME = "waybill-webhooks"
# Vehicle type, base, per km, per minute: in minor units.
DEFAULT_TARIFFS = (("standard", 250, 120, 25), ("premium", 500, 220, 45), ("xl", 400, 180, 35))
DEFAULT_SPEEDS = (("bicycle", 15.0), ("scooter", 25.0), ("motorbike", 30.0), ("car", 25.0))  # km/h


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
        return self.jwt_secret or (other if len(other) >= tokens.MIN_SECRET else "")

    @classmethod
    def from_env(cls, env: Environment | None = None) -> Settings:
        """Read the settings. Raises BadSetting with one line that says what to do."""
        env = os.environ if env is None else env
        return cls(
            **{field: parse(env) for field, parse in _PARSERS.items()},
            **_read_texts(env),
            **_parse_times(env),
            **_parse_distances(env),
            **_parse_counts(env),
            **_parse_flow_tariffs(env),
        )


_DAY_S = 86_400
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


def read_queue_name(env: Environment | None = None) -> str:
    """Read the wakeup queue's name: app.py needs it as it is imported, when nothing else may be
    read yet."""
    return (os.environ if env is None else env).get("QUEUE_NAME", DEFAULT_QUEUE_NAME)


def read_webhook_queue_name(env: Environment | None = None) -> str:
    """Read the webhook queue's name, likewise."""
    given = os.environ if env is None else env
    return given.get("WEBHOOK_QUEUE_NAME", DEFAULT_WEBHOOK_QUEUE_NAME)


# Settings that are read each in a way of its own: field, and what reads the environment.
_PARSERS: Mapping[str, Callable[[Environment], Any]] = {
    "jwt_secret": tokens.read_secret,
    "jwt_jwks_url": tokens.read_jwks_url,
    "jwt_algorithms": tokens.parse_algorithms,
    "oidc": tokens.parse_oidc,
    "cors_origins": partial(origins.parse_origins, default=_DEFAULTS.cors_origins),
    "public_url": origins.parse_public_url,
    "map_style": origins.parse_map_style,
    "queue_name": read_queue_name,
    "webhook_queue_name": read_webhook_queue_name,
    "webhooks_to_loopback": partial(values.parse_switch, name="WEBHOOKS_TO_LOOPBACK"),
    "aws_region": partial(aws.read_region, default=_DEFAULTS.aws_region),
    "aws_endpoint": aws.find_endpoint,
    "dispatch_exclude": lambda env: values.parse_choice(env, "DISPATCH_EXCLUDE", "all", "last"),
    "dispatch_waves": partial(dispatching.parse_waves, name="DISPATCH_WAVES"),
    "hail_waves": partial(dispatching.parse_waves, name="HAIL_WAVES"),
    "ranks_by_time": partial(values.parse_switch, name="DISPATCH_RANK", off="distance", on="time"),
    "vehicle_speeds": partial(dispatching.parse_speeds, default=_DEFAULTS.vehicle_speeds),
    "auto_arrive": lambda env: values.parse_choice(env, "AUTO_ARRIVE", "off", "suggest", "do"),
    "stack_extra": partial(
        values.parse_minutes, name="STACK_EXTRA_MINUTES", default=_DEFAULTS.stack_extra
    ),
    "ride_tariffs": partial(prices.parse_tariffs, default=_DEFAULTS.ride_tariffs),
    "cancel_fees": prices.parse_cancel_fees,
    "no_show_fees": prices.parse_no_show_fees,
    "rides_ws_create": lambda env: (
        values.parse_choice(env, "RIDES_WS_CREATE", "accept", "reject") == "accept"
    ),
    "reallocate_on_driver_cancel": partial(values.parse_switch, name="REALLOCATE_ON_DRIVER_CANCEL"),
    "orders_kept": partial(
        values.parse_days, name="ORDERS_KEPT_DAYS", default=_DEFAULTS.orders_kept
    ),
    "history_kept": partial(
        values.parse_days, name="HISTORY_KEPT_DAYS", default=_DEFAULTS.history_kept
    ),
    "metrics_zones": dispatching.parse_zones,
}


def _read_texts(env: Environment) -> dict[str, Any]:
    return {field: env.get(name, getattr(_DEFAULTS, field)) for field, name in _TEXTS}


def _parse_times(env: Environment) -> dict[str, Any]:
    return {
        field: values.parse_seconds(env, name, getattr(_DEFAULTS, field), fewest, most)
        for field, name, fewest, most in _TIMES
    }


def _parse_distances(env: Environment) -> dict[str, Any]:
    return {
        field: parse_number(env, name, getattr(_DEFAULTS, field), fewest, most)
        for field, name, fewest, most in _DISTANCES
    }


def _parse_counts(env: Environment) -> dict[str, Any]:
    return {
        field: values.parse_whole_number(env, name, getattr(_DEFAULTS, field), fewest, most)
        for field, name, fewest, most in _COUNTS
    }


def _parse_flow_tariffs(env: Environment) -> dict[str, Any]:
    return {
        field: prices.parse_prices(env, name, getattr(_DEFAULTS, field))
        for field, name in _FLOW_TARIFFS
    }
