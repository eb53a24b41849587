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
    choice,
    described,
    listed,
    map_of,
    one_of,
    only,
    told,
)
from infra.documents.views import AMOUNT

_POINT: Fields = {"latitude": NUMBER, "longitude": NUMBER}
_PAYMENT: Fields = {"payment_id": STRING, "order_id": STRING, "amount": AMOUNT, "method": STRING}
_PAYOUT: Fields = {"payout_id": STRING, "amount": AMOUNT, "bank_account": STRING}
_REMAINING: Fields = {"distance_remaining_km": NUMBER}
_REASON: Fields = {"reason": STRING, "note": STRING}
_ENDED: Fields = {"delivery_id": STRING, "order_id": STRING}

EVENT_DATA: Mapping[str, Schema] = {
    "order_created": told(
        {
            "order_id": STRING,
            "items": listed(
                told({"name": STRING, "quantity": INTEGER, "price": described(AMOUNT, "Of all.")})
            ),
            "total_amount": AMOUNT,
            "delivery_fee": AMOUNT,
            "total_with_fee": AMOUNT,
            "delivery_address": STRING,
            "estimated_delivery_time": STRING,
            "created_at": MOMENT,
        }
    ),
    "order_confirmed": told(
        {
            "order_id": STRING,
            "confirmation_time": MOMENT,
            "shop_name": STRING,
            "estimated_ready_time": MOMENT,
        }
    ),
    "order_ready": told({"order_id": STRING, "ready_at": MOMENT, "pickup_by": MOMENT}),
    "order_released": told({"order_id": STRING, "released_at": MOMENT}, _REASON),
    "delivery_accepted": told(
        {
            "delivery_id": STRING,
            "delivery_boy_id": STRING,
            "delivery_boy_name": STRING,
            "delivery_boy_rating": NUMBER,
            "vehicle_type": STRING,
            "accepted_at": MOMENT,
            "estimated_pickup_time": described(INTEGER, "Minutes."),
            "estimated_delivery_time": described(INTEGER, "Minutes."),
        }
    ),
    "delivery_in_transit": told(
        {
            "delivery_id": STRING,
            "location": told({**_POINT, "address": STRING}),
            "eta_minutes": INTEGER,
            "updated_at": MOMENT,
        },
        {"accuracy": NUMBER, **_REMAINING},
    ),
    "delivery_arrived": told(
        {
            "delivery_id": STRING,
            "delivery_boy_id": STRING,
            "delivery_boy_name": STRING,
            "phone_number": described(STRING, "Only its end."),
            "arrived_at": MOMENT,
        },
        {"location": told(_POINT)},
    ),
    "delivery_completed": told(
        {
            **_ENDED,
            "completed_at": MOMENT,
            "total_time_minutes": INTEGER,
            "delivery_rating": {"type": "null"},
            "payment_status": STRING,
        }
    ),
    "delivery_failed": told({**_ENDED, "state": choice(Status), "failed_at": MOMENT}, _REASON),
    "delivery_returned": told({**_ENDED, "returned_at": MOMENT}),
    "no_show_available": told({**_ENDED, "state": choice(Status), "available_at": MOMENT}),
    "courier_near": told({**_ENDED, "stop": choice(Stop), "near_at": MOMENT}),
    "courier_left": told({**_ENDED, "stop": choice(Stop), "left_at": MOMENT}),
    "arrival_suggested": told({**_ENDED, "stop": choice(Stop), "arrived_at": MOMENT}),
    "location_updated": told(
        {"delivery_id": STRING, **_POINT, "timestamp": MOMENT},
        dict.fromkeys(("accuracy", "altitude", "speed", "heading"), NUMBER),
    ),
    "eta_updated": told(
        {
            "delivery_id": STRING,
            "eta_minutes": INTEGER,
            "eta_timestamp": MOMENT,
            "previous_eta_minutes": INTEGER,
            "updated_at": MOMENT,
        },
        _REMAINING,
    ),
    "earning_recorded": told(
        {
            "amount": AMOUNT,
            "delivery_id": STRING,
            "breakdown": map_of(AMOUNT),
            "new_balance": AMOUNT,
            "timestamp": MOMENT,
        }
    ),
    "bonus_earned": told(
        {
            "amount": AMOUNT,
            "bonus_type": STRING,
            "trigger": STRING,
            "period": STRING,
            "new_balance": AMOUNT,
        }
    ),
    "wallet_updated": told(
        {
            "previous_balance": AMOUNT,
            "new_balance": AMOUNT,
            "change": AMOUNT,
            "change_reason": STRING,
            "timestamp": MOMENT,
        }
    ),
    "payout_approved": told(
        {**_PAYOUT, "estimated_transfer_date": STRING, "estimated_transfer_time": STRING}
    ),
    "payout_completed": told({**_PAYOUT, "transaction_id": STRING, "transferred_at": MOMENT}),
    "payment_initiated": told({**_PAYMENT, "currency": only(CURRENCY), "initiated_at": MOMENT}),
    "payment_completed": told(
        {**_PAYMENT, "completed_at": MOMENT}, {"upi_id": STRING, "transaction_id": STRING}
    ),
    "payment_failed": told(
        {**_PAYMENT, "error": STRING, "failed_at": MOMENT, "retry_available": {"const": True}}
    ),
    "payment_due": told({"order_id": STRING, "amount": AMOUNT}),
    "refund_due": told({"order_id": STRING, "payment_id": STRING, "amount": AMOUNT}),
    "webhook_disabled": told(
        {"endpoint_id": STRING, "reason": STRING, "disabled_at": MOMENT}, {"failing_since": MOMENT}
    ),
}


def _envelope(name: str, level: str, source: str, more: Fields) -> Schema:
    return told(
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
    "StreamMessages": listed(one_of(*EVENTS.values())),
    "LoggedEvent": one_of(
        *(_envelope(kind.name, kind.level, kind.source, _LOGGED) for kind in EVENT_KINDS.values()),
    ),
}
