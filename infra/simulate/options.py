"""What a run is asked for, by the environment, as `make simulate SEED=1 ORDERS=10000` gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chalicelib.settings import BadSetting, Settings, parse_number

FLOWS = ("delivery", "hail")
_SECRET = {"JWT_SECRET": "nobody has a token in this city: 32 letters"}


@dataclass(frozen=True)
class Options:
    """The city and its people. `orders_per_courier_hour` is how many orders there are for each hour
    of each courier: the density. Shares are of 1."""

    seed: int = 1
    orders: int = 1000
    flow: str = "delivery"
    hours: float = 12.0
    orders_per_courier_hour: float = 1.5
    decline: float = 0.1
    ignore: float = 0.05
    report_s: float = 30.0
    gps_noise_m: float = 10.0
    gps_wild: float = 0.0
    city_km: float = 12.0
    restaurants: int = 200
    instance: Path | None = None
    out: Path | None = None


# Field, name in the environment, and the least and the most that it takes.
_NUMBERS = (
    ("hours", "HOURS", 0.1, 168),
    ("orders_per_courier_hour", "DENSITY", 0.01, 100),
    ("decline", "DECLINE", 0, 1),
    ("ignore", "IGNORE", 0, 1),
    ("report_s", "REPORT_S", 1, 3600),
    ("gps_noise_m", "GPS_NOISE_M", 0, 10_000),
    ("gps_wild", "GPS_WILD", 0, 1),
    ("city_km", "CITY_KM", 0.1, 100),
)
_COUNTS = (
    ("seed", "SEED", 0, 2**53),
    ("orders", "ORDERS", 0, 10_000_000),
    ("restaurants", "RESTAURANTS", 1, 100_000),
)
_PATHS = (("instance", "INSTANCE"), ("out", "OUT"))
_DEFAULTS = Options()


def read_options(env: Mapping[str, str]) -> Options:
    """Read what a run is asked for. Raises BadSetting with one line that says what is wrong."""
    fields: dict[str, object] = {}
    for field, name, fewest, most in (*_NUMBERS, *_COUNTS):
        value = parse_number(env, name, getattr(_DEFAULTS, field), fewest, most)
        if (field, name, fewest, most) in _COUNTS and value != int(value):
            raise BadSetting(f"{name} takes a whole number, not {env[name]!r}.")
        is_count = isinstance(getattr(_DEFAULTS, field), int)
        fields[field] = int(value) if is_count else float(value)
    for field, name in _PATHS:
        fields[field] = Path(env[name]) if env.get(name) else None
    flow = env.get("FLOW") or _DEFAULTS.flow
    if flow not in FLOWS:
        raise BadSetting(f"FLOW takes one of {', '.join(FLOWS)}, not {flow!r}.")
    options = Options(**fields, flow=flow)  # type: ignore[arg-type]
    if options.decline + options.ignore > 1:
        raise BadSetting("DECLINE and IGNORE are shares of the same offers: 1 together at most.")
    return options


def read_settings(env: Mapping[str, str]) -> Settings:
    """Read the application's own settings, which need no secret here. Raises BadSetting."""
    return Settings.from_env({**_SECRET, **{name: value for name, value in env.items() if value}})
