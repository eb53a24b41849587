"""Settings of dispatch: the waves in which couriers are asked, their speeds, and zones."""

from __future__ import annotations

import re

from chalicelib.environment.values import BadSetting, Environment

Waves = tuple[tuple[int, int, int], ...]  # of each the radius in metres, couriers, seconds
Speeds = tuple[tuple[str, float], ...]  # vehicle type, km/h

# A wave that lapses and the next one are in one transaction of 100 rows at most (AWS quota).
_WAVE_PATTERN = re.compile(r"(\d{1,6})x(\d{1,2})@(\d{1,5})", re.ASCII)
_MAX_WAVES = 20
_MAX_RADIUS_M = 100_000
_MAX_COURIERS = 20
_MAX_WAVE_S = 86_400
_SPEED_PATTERN = re.compile(r"([^=\s][^=]{0,39})=\s*([0-9]{1,3}(?:\.[0-9]{1,2})?)")
_MAX_KM_H = 200
_MAX_ZONES = 19
_ZONE_PATTERN = re.compile(r"8[0-9a-f]{14}|other", re.ASCII)


def parse_waves(env: Environment, name: str) -> Waves:
    """Parse `1500x1@15,3000x5@15`: of each wave the radius in metres, how many couriers are asked,
    and for how many seconds. Raises BadSetting."""
    given = env.get(name, "").strip()
    parts = given.split(",") if given else []
    waves = tuple(map(_parse_wave, parts))
    if None in waves or len(waves) > _MAX_WAVES:
        raise BadSetting(
            f"{name} takes up to {_MAX_WAVES} waves, each of up to {_MAX_RADIUS_M} m, "
            f"{_MAX_COURIERS} couriers and {_MAX_WAVE_S} s, as 1500x1@15,3000x5@15, not {given!r}."
        )
    return tuple(filter(None, waves))


def _parse_wave(part: str) -> tuple[int, int, int] | None:
    match = _WAVE_PATTERN.fullmatch(part.strip())
    if match is None:
        return None
    radius_m, couriers, seconds = map(int, match.groups())
    is_valid = 0 < radius_m <= _MAX_RADIUS_M and 0 < couriers <= _MAX_COURIERS
    return (radius_m, couriers, seconds) if is_valid and 0 < seconds <= _MAX_WAVE_S else None


def parse_speeds(env: Environment, default: Speeds) -> Speeds:
    """Parse `bicycle=15,car=25`: km/h by vehicle type. Types that are not named keep theirs. Raises
    BadSetting."""
    found = dict(default)
    for part in filter(None, env.get("VEHICLE_SPEEDS", "").split(",")):
        match = _SPEED_PATTERN.fullmatch(part.strip())
        if match is None or not 1 <= float(match[2]) <= _MAX_KM_H:
            raise BadSetting(
                f"VEHICLE_SPEEDS takes vehicle types with 1 to {_MAX_KM_H} km/h, "
                f"as bicycle=15,motorbike=30, not {part!r}."
            )
        found[match[1].strip().lower()] = float(match[2])
    return tuple(found.items())


def parse_zones(env: Environment) -> tuple[str, ...]:
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
