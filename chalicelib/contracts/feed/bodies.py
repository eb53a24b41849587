"""What spec 003's REST reads and shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from chalicelib.contracts.base import omit_none
from chalicelib.contracts.feed.events import (
    CRITICAL,
    EVENT_KINDS,
    TYPE_BY_NAME,
    encode_event_id,
    is_feed_event,
    render_envelope,
)
from chalicelib.contracts.moments import format_iso
from chalicelib.domain.events import Event
from chalicelib.domain.ids import parse_id
from chalicelib.domain.messaging.event_stats import DayCounts, DeliveryStats, EventPage
from chalicelib.errors import InvalidInput


def read_bound(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Read a whole number from 0; more than `most` counts as `most`. Raises InvalidInput."""
    text = query.get(name, str(default)).strip()
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(f"{name} must be a whole number from 0.", field=name)
    return min(int(text[:12]), most) if len(text) <= 12 else most


def read_cursor(query: Mapping[str, str]) -> int | None:
    """Read `cursor`: the next_cursor of the page before. Raises InvalidInput."""
    if "cursor" not in query:
        return None
    found = parse_id(query["cursor"])
    if found is None:
        raise InvalidInput("cursor must be a next_cursor.", field="cursor")
    return found


def read_day(query: Mapping[str, str], now: datetime) -> date:
    """Read `date` as YYYY-MM-DD, today in UTC where there is none. Raises InvalidInput."""
    text = query.get("date")
    if text is None:
        return now.date()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or f"{day:%Y-%m-%d}" != text:
        raise InvalidInput("date must be YYYY-MM-DD.", field="date")
    return day


def make_event_filter(name: str | None) -> Callable[[Event], bool]:
    """Make the filter of a list: all events that the feed has, or those of one type on the wire."""
    if name is None:
        return is_feed_event
    type_ = TYPE_BY_NAME.get(name)
    return lambda event: event.type == type_ and is_feed_event(event)


def render_logged_event(event: Event) -> dict[str, Any]:
    """Render an event as it was told, with what a log adds."""
    return {
        "_id": encode_event_id(event),
        **render_envelope(event),
        "created_at": format_iso(event.at),
    }


def render_page(page: EventPage, limit: int, skip: int) -> dict[str, Any]:
    """Render a list of a person's events; `next_cursor` where there are more."""
    return omit_none(
        status="success",
        data=[render_logged_event(event) for event in page.events],
        count=len(page.events),
        limit=limit,
        skip=skip,
        next_cursor=str(page.next_seq) if page.next_seq else None,
    )


def render_critical_events(hours: int, events: Sequence[Event]) -> dict[str, Any]:
    """Render the critical events of the last hours."""
    return {
        "status": "success",
        "time_range_hours": hours,
        "critical_count": len(events),
        "data": [render_logged_event(event) for event in events],
    }


def render_stats(stats: DeliveryStats, now: datetime) -> dict[str, Any]:
    """Render how many listen, and how many events there were."""
    return {
        "status": "success",
        "data": {
            "total_connections": stats.connections,
            "total_users": stats.people,
            "queued_events": stats.queued,
            "active_subscriptions": stats.subscriptions,
            "timestamp": format_iso(now),
        },
    }


def render_day_summary(day: date, counts: DayCounts) -> dict[str, Any]:
    """Render one day in figures: each of the three ways to count adds up to the total. Where
    reasons were given it says beside them how often each was, which spec 003 has not."""
    known = [
        (EVENT_KINDS[count.type], count.logged)
        for count in counts.events
        if count.type in EVENT_KINDS
    ]
    reasons = Counter[str]()
    for count in counts.reasons:
        reasons[count.reason] += count.given
    types, sources, levels = Counter[str](), Counter[str](), Counter[str]()
    for kind, number in known:
        types[kind.name] += number
        sources[kind.source] += number
        levels[kind.level] += number
    return {
        "date": day.isoformat(),
        "total_events": sum(types.values()),
        "critical_events": levels[CRITICAL],
        "by_event_type": dict(types),
        "by_source": dict(sources),
        "by_level": dict(levels),
        **({"by_reason": dict(reasons)} if reasons else {}),
    }
