"""Numbers that the environment gives a section."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.settings import BadSetting


def read_number(env: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Read a number from 1 to `most`. Raises BadSetting."""
    given = env.get(name) or str(default)
    if given.isascii() and given.isdigit() and 1 <= int(given) <= most:
        return int(given)
    raise BadSetting(f"{name} takes a number from 1 to {most}, not {given!r}.")
