"""Webhook endpoints as REST takes and shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from chalicelib.contracts.base import omit_none, read_optional_text, read_text
from chalicelib.contracts.moments import format_iso, read_rfc3339
from chalicelib.domain.events import LOGGED_FOR
from chalicelib.domain.webhooks.deliveries import ListedAttempt
from chalicelib.domain.webhooks.delivery import make_webhook_id
from chalicelib.domain.webhooks.endpoint import ALL_EVENTS, Endpoint, EndpointStatus
from chalicelib.domain.webhooks.event_types import EVENT_TYPES
from chalicelib.domain.webhooks.forms import EndpointChange, EndpointForm
from chalicelib.errors import InvalidInput

MAX_DESCRIPTION = 500
MAX_URL = 2048
MAX_MERCHANT_ID = 128  # as that of a restaurant in a path
MAX_WEBHOOK_ID = 64
_CHANGEABLE = ("url", "events", "description", "merchant_id", "status")
_ALLOWED_EVENTS = frozenset({ALL_EVENTS, *EVENT_TYPES})
# A client that asks for all there is has reckoned the time a moment ago, by its own clock.
_SINCE_GRACE = timedelta(minutes=5)


def read_endpoint(data: Mapping[str, Any]) -> EndpointForm:
    """Read {url, events, description?, merchant_id?}. Raises InvalidInput."""
    merchant_id = data.get("merchant_id")
    return EndpointForm(
        url=read_text(data.get("url"), "url", MAX_URL),
        events=read_events(data.get("events")),
        description=read_optional_text(data.get("description"), "description", MAX_DESCRIPTION),
        merchant_id=(
            None if merchant_id is None else read_text(merchant_id, "merchant_id", MAX_MERCHANT_ID)
        ),
    )


def read_change(patch: Mapping[str, Any], endpoint: Endpoint) -> EndpointChange:
    """Read a patch of an endpoint, merged as RFC 7396 has it: what is absent stays, null removes.
    Raises InvalidInput for what can't be changed, and for what a new one could not be."""
    for name in patch:
        if name not in _CHANGEABLE:
            raise InvalidInput(f"{name[:100]} can't be changed.", field=name[:100])
    form = read_endpoint({**_describe(endpoint), **patch})
    status = _read_status(patch["status"]) if "status" in patch else None
    return EndpointChange(form, "merchant_id" in patch, status)


def read_events(value: Any) -> tuple[str, ...]:
    """Read types of events, each once, in the order in which they are given. Raises
    InvalidInput."""
    if value is None:
        raise InvalidInput("events is required.", field="events")
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidInput("events must be a list of types.", field="events")
    if not value:
        raise InvalidInput('events must have a type at least; "*" is all.', field="events")
    for type_ in value:
        if type_ not in _ALLOWED_EVENTS:
            raise InvalidInput(f"{type_[:100]} is not a type of event.", field="events")
    return tuple(dict.fromkeys(value))


def read_event_id(data: Mapping[str, Any]) -> str:
    """Read {event_id}: a webhook-id. Raises InvalidInput."""
    return read_text(data.get("event_id"), "event_id", MAX_WEBHOOK_ID)


def read_since(data: Mapping[str, Any], now: datetime) -> datetime:
    """Read {since}: as long ago as events are kept, at most. Raises InvalidInput."""
    if data.get("since") is None:
        raise InvalidInput("since is required.", field="since")
    since = read_rfc3339(data["since"], "since")
    if since < now - LOGGED_FOR - _SINCE_GRACE:
        raise InvalidInput(f"since is at most {LOGGED_FOR.days} days ago.", field="since")
    return since


def render_endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """Render an endpoint, without its secrets."""
    failing_since = endpoint.failing_since
    return omit_none(
        **_describe(endpoint),
        id=endpoint.id,
        status=endpoint.status.value,
        disabled_reason=endpoint.disabled_reason,
        created_at=format_iso(endpoint.created_at),
        failing_since=format_iso(failing_since) if failing_since else None,
    )


def render_with_secret(endpoint: Endpoint) -> dict[str, Any]:
    """Render an endpoint with its newest secret, for whoever has just had it made."""
    return {**render_endpoint(endpoint), "secret": endpoint.secret}


def render_attempt(one: ListedAttempt) -> dict[str, Any]:
    """Render an attempt, and what has become of its event so far."""
    attempt, delivery = one.attempt, one.delivery
    next_at = delivery.next_at
    return omit_none(
        event_id=make_webhook_id(delivery.endpoint_id, delivery.seq),
        at=format_iso(attempt.at),
        ms=attempt.ms,
        status=attempt.status,
        answer=attempt.answer,
        error=attempt.error,
        event_status=delivery.status.value,
        next_attempt_at=format_iso(next_at) if next_at else None,
    )


def _describe(endpoint: Endpoint) -> dict[str, Any]:
    """Describe an endpoint as a request would that makes it."""
    return omit_none(
        url=endpoint.url,
        events=list(endpoint.events),
        description=endpoint.description,
        merchant_id=endpoint.merchant_id,
    )


def _read_status(value: Any) -> EndpointStatus:
    try:
        return EndpointStatus(value)
    except ValueError:
        words = " or ".join(status.value for status in EndpointStatus)
        raise InvalidInput(f"status must be {words}.", field="status") from None
