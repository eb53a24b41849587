"""REST: people's event logs and their figures (spec 003)."""

from __future__ import annotations

from chalicelib.contracts.feed.bodies import (
    make_event_filter,
    read_bound,
    read_cursor,
    read_day,
    render_critical_events,
    render_day_summary,
    render_logged_event,
    render_page,
    render_stats,
)
from chalicelib.contracts.feed.events import decode_event_id, is_feed_event
from chalicelib.domain.people import Actor, Role
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route
from chalicelib.errors import Forbidden, NotFound

EVENTS, MAX_EVENTS = 50, 100  # a page's, if nothing else is asked for, and at most
MAX_SKIPPED = 1_000_000
CRITICAL_HOURS, MAX_CRITICAL_HOURS = 24, 168
CRITICAL_EVENTS, MAX_CRITICAL_EVENTS = 100, 500
MAX_PERSON_ID = 128  # no token names a longer one


def get_stats(call: Call) -> Reply:
    """Show how many people and connections listen now, and how many events nobody has heard."""
    return render_stats(call.services.event_history.compute_stats(), call.now)


def get_event(call: Call, event_id: str) -> Reply:
    """Show one event to its person or an admin."""
    place = decode_event_id(event_id)
    if place is None or len(place[0]) > MAX_PERSON_ID:
        raise NotFound("There is no such event.")
    _permit(call.actor, place[0])
    event = call.services.event_history.get_event(*place)
    if not is_feed_event(event):  # of another contract only
        raise NotFound("There is no such event.")
    return {"status": "success", "data": render_logged_event(event)}


def list_events(call: Call, user_id: str) -> Reply:
    """List a page of a person's events, for that person or an admin."""
    _permit(call.actor, user_id)
    if len(user_id) > MAX_PERSON_ID:
        raise NotFound("There is no such person.")
    query = call.read_query("event_type", "limit", "skip", "cursor")
    limit = read_bound(query, "limit", EVENTS, MAX_EVENTS)
    skip = read_bound(query, "skip", 0, MAX_SKIPPED)
    is_wanted = make_event_filter(query.get("event_type"))
    page = call.services.event_history.get_page(user_id, is_wanted, limit, skip, read_cursor(query))
    return render_page(page, limit, skip)


def get_summary(call: Call) -> Reply:
    """Show the counts of a day's events: by type, by source, by level."""
    day = read_day(call.read_query("date"), call.now)
    counts = call.services.event_history.list_counts(day)
    return {"status": "success", "data": render_day_summary(day, counts)}


def list_critical_events(call: Call) -> Reply:
    """List the critical events of the last hours."""
    query = call.read_query("hours", "limit")
    hours = read_bound(query, "hours", CRITICAL_HOURS, MAX_CRITICAL_HOURS)
    limit = read_bound(query, "limit", CRITICAL_EVENTS, MAX_CRITICAL_EVENTS)
    events = call.services.event_history.list_critical_events(hours, limit)
    return render_critical_events(hours, events)


def _permit(actor: Actor, person_id: str) -> None:
    """Let a person see their own events, and an admin everybody's. Raises Forbidden."""
    if actor.id != person_id and actor.role is not Role.ADMIN:
        raise Forbidden("These events are somebody else's.")


ROUTES = (
    Route("GET", "/websocket/stats", get_stats, Role.ADMIN),
    Route("GET", "/websocket/events/{event_id}", get_event),
    Route("GET", "/websocket/events/user/{user_id}", list_events),
    Route("GET", "/websocket/analytics/summary", get_summary, Role.ADMIN),
    Route("GET", "/websocket/critical-events", list_critical_events, Role.ADMIN),
)
