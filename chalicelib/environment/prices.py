"""Settings that are prices: tariffs and fees, in minor units."""

from __future__ import annotations

import re

from chalicelib.environment.values import BadSetting, Environment

Prices = tuple[int, int, int]  # what an order begins with, and what a km and a minute add
Tariffs = tuple[tuple[str, int, int, int], ...]  # vehicle type, and its prices

_TARIFF_PATTERN = re.compile(r"([a-z]+)=(\d{1,9})/(\d{1,9})/(\d{1,9})")
_PRICES_PATTERN = re.compile(r"(\d{1,9})/(\d{1,9})/(\d{1,9})", re.ASCII)
_FEES_PATTERN = re.compile(r"(delivery|food|hail|ride)=(\d{1,9}(?:/\d{1,9})*)", re.ASCII)


def parse_tariffs(env: Environment, default: Tariffs) -> Tariffs:
    """Parse `standard=250/120/25,…`: for each vehicle type what a ride begins with, and what a km
    and a minute add. Types that are not named keep their prices. Raises BadSetting."""
    found = {tariff[0]: tariff for tariff in default}
    for part in filter(None, env.get("RIDE_TARIFFS", "").split(",")):
        match = _TARIFF_PATTERN.fullmatch(part.strip())
        if match is None or match[1] not in found:
            raise BadSetting(
                "RIDE_TARIFFS takes vehicle types with base, per km and per minute in minor units, "
                f"as standard=250/120/25,xl=400/180/35, not {part!r}."
            )
        found[match[1]] = (match[1], int(match[2]), int(match[3]), int(match[4]))
    return tuple(found.values())


def parse_prices(env: Environment, name: str, default: Prices) -> Prices:
    """Parse `6000/1200/0`: what an order begins with, and what a km and a minute add. Raises
    BadSetting."""
    given = env.get(name)
    if not given:
        return default
    match = _PRICES_PATTERN.fullmatch(given.strip())
    if match is None:
        raise BadSetting(
            f"{name} takes base, per km and per minute in minor units, as 6000/1200/0, "
            f"not {given!r}."
        )
    return int(match[1]), int(match[2]), int(match[3])


def parse_cancel_fees(env: Environment) -> tuple[tuple[str, int, int], ...]:
    """Parse what cancelling costs by flow: once the order is accepted, and once its courier is at
    the pickup. Raises BadSetting."""
    fees = _parse_by_flow(env, "CANCEL_FEES", 2, "delivery=2000/3000,ride=1500/1500")
    return tuple((flow, accepted, at_pickup) for flow, (accepted, at_pickup) in fees)


def parse_no_show_fees(env: Environment) -> tuple[tuple[str, int], ...]:
    """Parse by flow what it costs not to be there. Raises BadSetting."""
    fees = _parse_by_flow(env, "NO_SHOW_FEE", 1, "delivery=3000,ride=1500")
    return tuple((flow, fee) for flow, (fee,) in fees)


def _parse_by_flow(
    env: Environment, name: str, amounts: int, example: str
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
