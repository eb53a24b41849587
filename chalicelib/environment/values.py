"""Settings that are numbers, times or words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

Environment = Mapping[str, str]

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_MAX_DAYS = 36_500
_MAX_MINUTES = 1440


class BadSetting(Exception):
    """A setting that can't be used; the message says which, and what it takes."""


def parse_number(env: Environment, name: str, default: float, fewest: float, most: float) -> float:
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


def parse_whole_number(env: Environment, name: str, default: int, fewest: int, most: int) -> int:
    """Parse a whole number within its limits; the default where none is given. Raises
    BadSetting."""
    value = parse_number(env, name, default, fewest, most)
    if value != int(value):
        raise BadSetting(f"{name} takes a whole number, not {env[name]!r}.")
    return int(value)


def parse_seconds(
    env: Environment, name: str, default: timedelta, fewest: int, most: int
) -> timedelta:
    """Parse a time in seconds; the default where none is given. Raises BadSetting."""
    seconds = parse_number(env, name, default.total_seconds(), fewest, most)
    return timedelta(seconds=seconds)


def parse_minutes(env: Environment, name: str, default: timedelta) -> timedelta:
    """Parse a time in minutes, of a day at most; the default where none is given. Raises
    BadSetting."""
    return timedelta(minutes=parse_number(env, name, default / _MINUTE, 0, _MAX_MINUTES))


def parse_days(env: Environment, name: str, default: timedelta) -> timedelta:
    """Parse a time in days, of one at least; the default where none is given. Raises BadSetting."""
    return timedelta(days=parse_number(env, name, default / _DAY, 1, _MAX_DAYS))


def parse_choice(env: Environment, name: str, default: str, *others: str) -> str:
    """Parse one of some words; the default where none is given. Raises BadSetting."""
    given, words = env.get(name) or default, (default, *others)
    if given not in words:
        raise BadSetting(f"{name} takes one of {', '.join(words)}, not {given!r}.")
    return given


def parse_switch(env: Environment, name: str, off: str = "false", on: str = "true") -> bool:
    """Parse one of two words, True for `on`; off where none is given. Raises BadSetting."""
    return parse_choice(env, name, off, on) == on
