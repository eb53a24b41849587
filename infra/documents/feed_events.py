"""The data of each event of spec 003, on its socket and in REST's logs, by its name on the wire."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.contracts.feed.events import EVENT_KINDS
from chalicelib.domain.money.payments import CURRENCY
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.proof import Stop
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
    one_of,
    only,
    output_object,
    with_words,
)
from infra.documents.views import AMOUNT

_POINT: Fields = {"latitude": NUMBER, "longitude": NUMBER}
_PAYMENT: Fields = {"payment_id": STRING, "order_id": STRING, "amount": AMOUNT, "method": STRING}
_PAYOUT: Fields = {"payout_id": STRING, "amount": AMOUNT, "bank_account": STRING}
_REMAINING: Fields = {"distance_remaining_km": NUMBER}
_REASON: Fields = {"reason": STRING, "note": STRING}
_ENDED: Fields = {"delivery_id": STRING, "order_id": STRING}

EVENT_DATA: Mapping[str, Schema] = {
    "order_created": output_object(
        {
            "order_id": STRING,
            "items": array_of(
                output_object(
                    {"name": STRING, "quantity": INTEGER, "price": with_words(AMOUNT, "Of all.")}
                )
            ),
            "total_amount": AMOUNT,
            "delivery_fee": AMOUNT,
            "total_with_fee": AMOUNT,
            "delivery_address": STRING,
            "estimated_delivery_time": STRING,
            "created_at": MOMENT,
        }
    ),
    "order_confirmed": output_object(
        {
            "order_id": STRING,
            "confirmation_time": MOMENT,
            "shop_name": STRING,
            "estimated_ready_time": MOMENT,
        }
    ),
    "order_ready": output_object({"order_id": STRING, "ready_at": MOMENT, "pickup_by": MOMENT}),
    "order_released": output_object({"order_id": STRING, "released_at": MOMENT}, _REASON),
    "delivery_accepted": output_object(
        {
            "delivery_id": STRING,
            "delivery_boy_id": STRING,
            "delivery_boy_name": STRING,
            "delivery_boy_rating": NUMBER,
            "vehicle_type": STRING,
            "accepted_at": MOMENT,
            "estimated_pickup_time": with_words(INTEGER, "Minutes."),
            "estimated_delivery_time": with_words(INTEGER, "Minutes."),
        }
    ),
    "delivery_in_transit": output_object(
        {
            "delivery_id": STRING,
            "location": output_object({**_POINT, "address": STRING}),
            "eta_minutes": INTEGER,
            "updated_at": MOMENT,
        },
        {"accuracy": NUMBER, **_REMAINING},
    ),
    "delivery_arrived": output_object(
        {
            "delivery_id": STRING,
            "delivery_boy_id": STRING,
            "delivery_boy_name": STRING,
            "phone_number": with_words(STRING, "Only its end."),
            "arrived_at": MOMENT,
        },
        {"location": output_object(_POINT)},
    ),
    "delivery_completed": output_object(
        {
            **_ENDED,
            "completed_at": MOMENT,
            "total_time_minutes": INTEGER,
            "delivery_rating": {"type": "null"},
            "payment_status": STRING,
        }
    ),
    "delivery_failed": output_object(
        {**_ENDED, "state": choice(Status), "failed_at": MOMENT}, _REASON
    ),
    "delivery_returned": output_object({**_ENDED, "returned_at": MOMENT}),
    "no_show_available": output_object({**_ENDED, "state": choice(Status), "available_at": MOMENT}),
    "courier_near": output_object({**_ENDED, "stop": choice(Stop), "near_at": MOMENT}),
    "courier_left": output_object({**_ENDED, "stop": choice(Stop), "left_at": MOMENT}),
    "arrival_suggested": output_object({**_ENDED, "stop": choice(Stop), "arrived_at": MOMENT}),
    "location_updated": output_object(
        {"delivery_id": STRING, **_POINT, "timestamp": MOMENT},
        dict.fromkeys(("accuracy", "altitude", "speed", "heading"), NUMBER),
    ),
    "eta_updated": output_object(
        {
            "delivery_id": STRING,
            "eta_minutes": INTEGER,
            "eta_timestamp": MOMENT,
            "previous_eta_minutes": INTEGER,
            "updated_at": MOMENT,
        },
        _REMAINING,
    ),
    "earning_recorded": output_object(
        {
            "amount": AMOUNT,
            "delivery_id": STRING,
            "breakdown": map_of(AMOUNT),
            "new_balance": AMOUNT,
            "timestamp": MOMENT,
        }
    ),
    "bonus_earned": output_object(
        {
            "amount": AMOUNT,
            "bonus_type": STRING,
            "trigger": STRING,
            "period": STRING,
            "new_balance": AMOUNT,
        }
    ),
    "wallet_updated": output_object(
        {
            "previous_balance": AMOUNT,
            "new_balance": AMOUNT,
            "change": AMOUNT,
            "change_reason": STRING,
            "timestamp": MOMENT,
        }
    ),
    "payout_approved": output_object(
        {**_PAYOUT, "estimated_transfer_date": STRING, "estimated_transfer_time": STRING}
    ),
    "payout_completed": output_object(
        {**_PAYOUT, "transaction_id": STRING, "transferred_at": MOMENT}
    ),
    "payment_initiated": output_object(
        {**_PAYMENT, "currency": only(CURRENCY), "initiated_at": MOMENT}
    ),
    "payment_completed": output_object(
        {**_PAYMENT, "completed_at": MOMENT}, {"upi_id": STRING, "transaction_id": STRING}
    ),
    "payment_failed": output_object(
        {**_PAYMENT, "error": STRING, "failed_at": MOMENT, "retry_available": {"const": True}}
    ),
    "payment_due": output_object({"order_id": STRING, "amount": AMOUNT}),
    "refund_due": output_object({"order_id": STRING, "payment_id": STRING, "amount": AMOUNT}),
    "webhook_disabled": output_object(
        {"endpoint_id": STRING, "reason": STRING, "disabled_at": MOMENT}, {"failing_since": MOMENT}
    ),
}


def _envelope(name: str, level: str, source: str, more: Fields) -> Schema:
    return output_object(
        {
            "event_type": only(name),
            "event_level": only(level),
            "event_id": STRING,
            "timestamp": MOMENT,
            "user_id": STRING,
            "data": EVENT_DATA[name],
            "source": only(source),
            **more,
        }
    )


EVENTS: Mapping[str, Schema] = {
    kind.name: _envelope(kind.name, kind.level, kind.source, {}) for kind in EVENT_KINDS.values()
}
_LOGGED: Fields = {"_id": STRING, "created_at": MOMENT}
FEED_SCHEMAS: Mapping[str, Schema] = {
    "StreamMessages": array_of(one_of(*EVENTS.values())),
    "LoggedEvent": one_of(
        *(_envelope(kind.name, kind.level, kind.source, _LOGGED) for kind in EVENT_KINDS.values()),
    ),
}
