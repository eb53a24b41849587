"""How an endpoint fares: whether it fails, for how long, and whether it answers in good time.

While all is well an endpoint's row is not written. A slow endpoint is sent one event at a time, by
whoever writes its next turn into the row: so receivers that hang for 15 s each keep few senders,
and no endpoint's events wait behind another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.events import WEBHOOK_DISABLED, Event, draft_event
from chalicelib.domain.outbox import seal
from chalicelib.domain.webhooks.delivery import Answer
from chalicelib.domain.webhooks.endpoint import (
    Endpoint,
    EndpointStatus,
    disable_endpoint,
    name_endpoint_stream,
)
from chalicelib.domain.webhooks.schedule import DISABLED_AFTER, GONE

SLOW_AFTER_MS = 5000
TURN = timedelta(seconds=25)  # longer than an attempt with its reads and writes takes
SLOW_PAUSE = timedelta(seconds=30)  # after a receiver hung
LONGEST_WAIT = timedelta(minutes=10)  # for what waits for it: it may be up again by then
BY_RECEIVER, BY_FAILURES = "gone", "failing"  # reasons of disabling


def take_turn(endpoint: Endpoint, now: datetime) -> Endpoint:
    """Take the turn of sending to a slow endpoint, which nobody has now."""
    return replace(endpoint, slow_until=now + TURN, version=endpoint.version + 1)


def measure_failing(endpoint: Endpoint, now: datetime) -> timedelta:
    """Measure for how long an endpoint has failed, LONGEST_WAIT at most; zero where all is well."""
    if endpoint.failing_since is None:
        return timedelta(0)
    return min(max(now - endpoint.failing_since, timedelta(0)), LONGEST_WAIT)


def apply_answer(endpoint: Endpoint, answer: Answer, now: datetime) -> Endpoint:
    """Return the endpoint as it is after an attempt: the same object where nothing has changed."""
    if endpoint.status is EndpointStatus.DISABLED:
        return endpoint
    failing_since = None if answer.is_accepted else endpoint.failing_since or now
    slow_until = _compute_slow_until(answer, now)
    if answer.status == GONE:
        return _disable(endpoint, BY_RECEIVER, now)
    if failing_since and now - failing_since >= DISABLED_AFTER:
        return _disable(endpoint, BY_FAILURES, now)
    if (failing_since, slow_until) == (endpoint.failing_since, endpoint.slow_until):
        return endpoint
    changed = replace(endpoint, failing_since=failing_since, slow_until=slow_until)
    return seal(changed, (), now)


def _compute_slow_until(answer: Answer, now: datetime) -> datetime | None:
    if answer.ms < SLOW_AFTER_MS:
        return None
    return now if answer.is_accepted else now + SLOW_PAUSE


def _disable(endpoint: Endpoint, reason: str, now: datetime) -> Endpoint:
    disabled = replace(disable_endpoint(endpoint, reason), slow_until=None)
    return seal(disabled, _tell_owner(endpoint, reason, now), now)


def _tell_owner(endpoint: Endpoint, reason: str, now: datetime) -> Sequence[Event]:
    # Not the URL: it may have a token in its query, and an event goes further than an endpoint.
    data = {"endpoint_id": endpoint.id, "reason": reason}
    if endpoint.failing_since:
        since = endpoint.failing_since.isoformat(timespec="milliseconds")
        data["failing_since"] = since.replace("+00:00", "Z")
    stream = name_endpoint_stream(endpoint.id)
    return (draft_event(WEBHOOK_DISABLED, endpoint.owner_id, stream, now, data=data),)
