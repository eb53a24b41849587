"""What is said by spec 003."""

from __future__ import annotations

from chalicelib.contracts.feed.events import TYPE_BY_NAME
from chalicelib.contracts.feed.socket import MAX_EVENT_NAMES, MAX_NAME_LENGTH
from infra.documents.feed_events import EVENTS
from infra.documents.frames.said import (
    EMPTY,
    FROM,
    NOTHING,
    TOKEN,
    Said,
    wrap_type,
)
from infra.documents.shapes import (
    STRING,
    Schema,
    asked,
    choice,
    described,
    free_text,
    listed,
    text,
    told,
)

_NAMES = listed({"type": "string", "maxLength": MAX_NAME_LENGTH}, maxItems=MAX_EVENT_NAMES)
_FEED_EVENTS = list(TYPE_BY_NAME)


def _wrap_feed(name: str, data: Schema) -> Schema:
    return EVENTS[name] if name in EVENTS else wrap_type(name, data)


FEED = Said(
    messages={
        "auth": asked(
            {"token": TOKEN, "user_id": {**text(128), "type": ["string", "integer"]}},
            {"user_role": free_text(40), "from": FROM},
        ),
        "subscribe": asked(
            {"events": described(_NAMES, f"Types of event: {', '.join(_FEED_EVENTS)}.")}
        ),
        "unsubscribe": asked({"events": _NAMES}),
        "heartbeat": NOTHING,
    },
    answers={
        "auth": "authenticated",
        "subscribe": "subscription_updated",
        "unsubscribe": "subscription_updated",
        "heartbeat": "heartbeat_ack",
    },
    pushed=EVENTS,
    own={
        "authenticated": told({"user_id": STRING, "user_role": STRING, "connection_id": STRING}),
        "subscription_updated": told(
            {"subscribed_events": listed(choice(_FEED_EVENTS))},
            {"rejected_events": listed(STRING)},
        ),
        "heartbeat_ack": EMPTY,
        "error": told({"message": STRING, "code": STRING}),
    },
    wrap=_wrap_feed,
    wrap_asked=wrap_type,
)
