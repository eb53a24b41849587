"""Figures, as REST shows them: for how many hours they are asked, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from chalicelib.contracts.moments import format_iso
from chalicelib.domain.ops.current import CurrentFigures
from chalicelib.domain.ops.hours import MAX_HOURS, HourFigures, begin_hour
from chalicelib.errors import InvalidInput

DEFAULT_HOURS = 24


def read_hours(query: Mapping[str, str]) -> int:
    """Read `hours`: a whole number from 1 to MAX_HOURS. Raises InvalidInput."""
    text = query.get("hours", str(DEFAULT_HOURS))
    is_number = text.isascii() and text.isdigit() and len(text) <= 3
    if not is_number or not 1 <= int(text) <= MAX_HOURS:
        raise InvalidInput(f"hours must be a whole number from 1 to {MAX_HOURS}.", field="hours")
    return int(text)


def render_now(current: CurrentFigures, sockets: int, wakeup_lag: timedelta) -> dict[str, Any]:
    """Render the figures of the moment."""
    return {
        **msgspec.structs.asdict(current),
        "sockets": sockets,
        "wakeup_lag_ms": wakeup_lag // timedelta(milliseconds=1),
    }


def render_hour(hour: int, figures: HourFigures) -> dict[str, Any]:
    """Render an hour's figures, and when it begins."""
    return {"hour": format_iso(begin_hour(hour)), **render_total(figures)}


def render_total(figures: HourFigures) -> dict[str, Any]:
    """Render the figures of some hours."""
    found: dict[str, Any] = msgspec.to_builtins(figures)
    return found
