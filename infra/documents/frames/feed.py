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
    list_codes,
    wrap_type,
)
from infra.documents.shapes import (
    STRING,
    Schema,
    array_of,
    choice,
    free_text,
    input_object,
    output_object,
    text,
    with_words,
)

_NAMES = array_of({"type": "string", "maxLength": MAX_NAME_LENGTH}, maxItems=MAX_EVENT_NAMES)
_FEED_EVENTS = list(TYPE_BY_NAME)


def _wrap_feed(name: str, data: Schema) -> Schema:
    return EVENTS[name] if name in EVENTS else wrap_type(name, data)


FEED = Said(
    messages={
        "auth": input_object(
            {"token": TOKEN, "user_id": {**text(128), "type": ["string", "integer"]}},
            {"user_role": free_text(40), "from": FROM},
        ),
        "subscribe": input_object(
            {"events": with_words(_NAMES, f"Types of event: {', '.join(_FEED_EVENTS)}.")}
        ),
        "unsubscribe": input_object({"events": _NAMES}),
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
        "authenticated": output_object(
            {"user_id": STRING, "user_role": STRING, "connection_id": STRING}
        ),
        "subscription_updated": output_object(
            {"subscribed_events": array_of(choice(_FEED_EVENTS))},
            {"rejected_events": array_of(STRING)},
        ),
        "heartbeat_ack": EMPTY,
        "error": output_object({"message": STRING, "code": choice(list_codes())}),
    },
    wrap=_wrap_feed,
    wrap_asked=wrap_type,
)
