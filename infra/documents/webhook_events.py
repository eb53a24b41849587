"""The bodies that webhook endpoints are sent, by type."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.contracts.webhooks.body import LEFT
from chalicelib.domain.orders.model import Status
from chalicelib.domain.webhooks.event_types import COURIER_POSITION, EVENT_TYPES, PING
from infra.documents.shapes import (
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    Fields,
    Schema,
    array_of,
    choice,
    map_of,
    only,
    output_object,
    ref,
)
from infra.documents.views import AMOUNT, CURRENCY_CODE, WINDOWS

HEADERS: Mapping[str, str] = {
    "webhook-id": "Which event it is: the same at each attempt, resend and replay.",
    "webhook-timestamp": "When it was sent, in epoch seconds.",
    "webhook-signature": "v1 signatures of id, timestamp and body, separated by spaces.",
}
_PLACE = output_object({}, {"address": STRING, "lat": NUMBER, "lng": NUMBER})
_CONTACT = output_object(
    {"id": STRING},
    {
        "name": STRING,
        "phone": STRING,
        "picture": STRING,
        "vehicle": STRING,
        "vehicle_type": STRING,
        "rating": NUMBER,
    },
)
_ORDER = output_object(
    {
        "id": STRING,
        "version": INTEGER,
        "state": choice(Status),
        "flow": STRING,
        "customer_id": STRING,
        "placed_at": MOMENT,
        "updated_at": MOMENT,
        "pickup": _PLACE,
        "dropoff": _PLACE,
    },
    {
        "external_id": STRING,
        "metadata": map_of(STRING),
        "merchant_id": STRING,
        "parent_id": STRING,
        "courier": _CONTACT,
        "offer": output_object(
            {"number": INTEGER, "courier_id": STRING, "expires_at": MOMENT},
            {"distance_m": INTEGER},
        ),
        "reason": STRING,
        "note": STRING,
        "price": ref("Price"),
        **WINDOWS,
        "kind": STRING,
        "vehicle_type": STRING,
        "customer": _CONTACT,
        "receiver_phone": STRING,
        "notes": STRING,
        "items": array_of(ref("ItemShown")),
    },
)
_MONEY: Fields = {"id": STRING, "version": INTEGER, "amount": AMOUNT, "currency": CURRENCY_CODE}
WEBHOOK_SCHEMAS: Mapping[str, Schema] = {
    "WebhookOrder": _ORDER,
    "WebhookPayment": output_object(
        {
            **_MONEY,
            "order_id": STRING,
            "customer_id": STRING,
            "method": STRING,
            "status": STRING,
            "initiated_at": MOMENT,
            "updated_at": MOMENT,
        },
        {"merchant_id": STRING, "transaction_id": STRING, "error": STRING},
    ),
    "WebhookPayout": output_object(
        {
            **_MONEY,
            "courier_id": STRING,
            "bank_account": STRING,
            "status": STRING,
            "requested_at": MOMENT,
            "updated_at": MOMENT,
        },
        {"transaction_id": STRING},
    ),
}
_POSITION = output_object(
    {
        "order": output_object(
            {"id": STRING, "version": INTEGER, "state": choice(Status)},
            {"external_id": STRING, "merchant_id": STRING},
        ),
        "courier": output_object({"id": STRING}, {"name": STRING}),
        "position": output_object(
            {"lat": NUMBER, "lng": NUMBER, "at": MOMENT},
            {"heading": NUMBER, "speed": NUMBER, "accuracy": NUMBER},
        ),
    }
)
_TRUNCATED: Fields = {"truncated": {"const": True}}


def describe_webhook(type_: str) -> Schema:
    """Describe the body of one type of event."""
    return output_object({"type": only(type_), "timestamp": MOMENT, "data": _describe_data(type_)})


def _describe_data(type_: str) -> Schema:
    kind = type_.partition(".")[0]
    if type_ == PING:
        return output_object({"endpoint_id": STRING, "ping_id": STRING})
    if type_ == COURIER_POSITION:
        return _POSITION
    if type_ in LEFT:
        left = output_object({"amount": AMOUNT, "currency": CURRENCY_CODE}, {"payment_id": STRING})
        return output_object({"order": ref("WebhookOrder"), LEFT[type_]: left}, _TRUNCATED)
    return output_object({kind: ref(f"Webhook{kind.capitalize()}")}, _TRUNCATED)


WEBHOOKS: Mapping[str, Schema] = {type_: describe_webhook(type_) for type_ in EVENT_TYPES}
