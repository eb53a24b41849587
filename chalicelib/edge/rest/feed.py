"""REST: the event log and its figures (spec 003)."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint

from chalicelib.contracts.feed.bodies import (
    critical_body,
    event_body,
    page_body,
    read_bound,
    read_cursor,
    read_day,
    stats_body,
    summary_body,
    wanted,
)
from chalicelib.contracts.feed.events import place_of, worded
from chalicelib.domain.people import Actor, Role
from chalicelib.edge.app_services import Provider
from chalicelib.edge.rest.base import actor_of, answering, query_of
from chalicelib.errors import Forbidden, NotFound

PAGE, MOST = 50, 100
HOURS, MOST_HOURS = 24, 168
CRITICAL, MOST_CRITICAL = 100, 500
MOST_SKIPPED = 1_000_000
MAX_PERSON_ID = 128  # no token names a longer one


def routes(provide: Provider) -> Blueprint:
    """The routes, to be registered with the app."""
    bp = Blueprint(__name__)

    @bp.route("/websocket/stats", methods=["GET"], name="feed_stats")
    @answering
    def feed_stats() -> Any:
        waybill = provide()
        actor_of(waybill, bp.current_request, Role.ADMIN)
        return stats_body(waybill.feeds.stats(), waybill.clock())

    @bp.route("/websocket/events/{event_id}", methods=["GET"], name="feed_event")
    @answering
    def feed_event(event_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request)
        place = place_of(event_id)
        if place is None or len(place[0]) > MAX_PERSON_ID:
            raise NotFound("There is no such event.")
        _permit(actor, place[0])
        event = waybill.feeds.event(*place)
        if not worded(event):
            raise NotFound("There is no such event.")
        return {"status": "success", "data": event_body(event)}

    @bp.route("/websocket/events/user/{user_id}", methods=["GET"], name="feed_events")
    @answering
    def feed_events(user_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request)
        _permit(actor, user_id)
        if len(user_id) > MAX_PERSON_ID:
            raise NotFound("There is no such person.")
        query = query_of(bp.current_request, "event_type", "limit", "skip", "cursor")
        limit = read_bound(query, "limit", PAGE, MOST)
        skip = read_bound(query, "skip", 0, MOST_SKIPPED)
        type_ = wanted(query.get("event_type"))
        page = waybill.feeds.page(user_id, type_, limit, skip, read_cursor(query))
        return page_body(page, limit, skip)

    @bp.route("/websocket/analytics/summary", methods=["GET"], name="feed_summary")
    @answering
    def feed_summary() -> Any:
        waybill = provide()
        actor_of(waybill, bp.current_request, Role.ADMIN)
        day = read_day(query_of(bp.current_request, "date"), waybill.clock())
        return {"status": "success", "data": summary_body(day, waybill.feeds.counts(day))}

    @bp.route("/websocket/critical-events", methods=["GET"], name="feed_critical")
    @answering
    def feed_critical() -> Any:
        waybill = provide()
        actor_of(waybill, bp.current_request, Role.ADMIN)
        query = query_of(bp.current_request, "hours", "limit")
        hours = read_bound(query, "hours", HOURS, MOST_HOURS)
        limit = read_bound(query, "limit", CRITICAL, MOST_CRITICAL)
        return critical_body(hours, waybill.feeds.critical(hours, limit))

    return bp


def _permit(actor: Actor, person_id: str) -> None:
    """Events are their person's, and the admins'."""
    if actor.id != person_id and actor.role is not Role.ADMIN:
        raise Forbidden("These events are somebody else's.")
