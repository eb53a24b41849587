"""The bodies that REST answers with, by the names of the document's components."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.contracts.rides import bodies as rides
from chalicelib.domain.courier_changes import PAUSE, REASSIGN, RESUME
from chalicelib.domain.fixes import Verdict
from chalicelib.domain.money.payments import PaymentStatus
from chalicelib.domain.money.payouts import PayoutStatus
from chalicelib.domain.money.quotes import NO_COURIERS_NEAR
from chalicelib.domain.orders import history_entries
from chalicelib.domain.orders.hands import Hand
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.proof import CONTENT_TYPES, FILE_KINDS, ProofKind, Stop
from chalicelib.domain.orders.stacking import StopKind
from chalicelib.domain.orders.tracked import REACHED
from chalicelib.domain.people import Role
from chalicelib.domain.webhooks.delivery import DeliveryStatus
from chalicelib.domain.webhooks.endpoint import ALL_EVENTS, EndpointStatus
from chalicelib.domain.webhooks.event_types import EVENT_TYPES, PING
from infra.documents.shapes import (
    BOOLEAN,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    URI,
    Fields,
    Schema,
    array_of,
    choice,
    map_of,
    nullable,
    one_of,
    only,
    output_object,
    ref,
    with_words,
)
from infra.documents.views import (
    AMOUNT,
    CURRENCY_CODE,
    DELIVERY,
    ESTIMATE,
    FLOW_VIEWS,
    FOOD_ORDER,
    HAIL_ORDER,
    NUMBER_OR_TEXT,
    OPTIONS,
    PENDING_HAIL,
    RIDE,
    RIDE_STATUS,
    STATE,
    WINDOWS,
    show,
)

_POINT = output_object({"lat": NUMBER, "lng": NUMBER})
_ON_SHEET = array_of(NUMBER, minItems=2, maxItems=2)
# Where a courier is, and how that is drawn.
TRACKED_PLACE: Fields = {
    "position": output_object({"lat": NUMBER, "lng": NUMBER, "at": MOMENT}),
    "map": output_object(
        {"courier": _ON_SHEET},
        {"dropoff": _ON_SHEET, "bar": output_object({"px": NUMBER, "m": INTEGER})},
    ),
}
_SOMEBODY = output_object({"role": choice(Role), "id": STRING})
_ENDPOINT: tuple[Fields, Fields] = (
    {
        "id": STRING,
        "url": URI,
        "events": array_of(choice([ALL_EVENTS, *EVENT_TYPES])),
        "status": choice(EndpointStatus),
        "created_at": MOMENT,
    },
    {
        "description": STRING,
        "merchant_id": STRING,
        "disabled_reason": STRING,
        "failing_since": MOMENT,
    },
)
_COUNTS = map_of(INTEGER)
_OFFER_ANSWER = choice([*history_entries.ANSWERS.values(), history_entries.WITHDRAWN])
_ASKED = output_object({}, {"courier_id": STRING, "distance_m": INTEGER, "answer": _OFFER_ANSWER})
_HISTORY_OFFER = output_object(
    {},
    {
        "courier_id": STRING,
        "distance_m": INTEGER,
        "couriers": array_of(_ASKED),
        "answer": _OFFER_ANSWER,
    },
)
_PAYMENT: tuple[Fields, Fields] = (
    {
        "id": STRING,
        "order_id": STRING,
        "amount": AMOUNT,
        "currency": CURRENCY_CODE,
        "method": STRING,
        "status": choice(PaymentStatus),
        "initiated_at": MOMENT,
    },
    {"upi_id": STRING, "transaction_id": STRING, "error": STRING, "finished_at": MOMENT},
)

ANSWERS: Mapping[str, Schema] = {
    "Error": output_object(
        {"error": STRING, "message": STRING},
        {"details": {"type": "object", "description": "What of it a client can act on."}},
        description="Every answer that is not a success.",
    ),
    "Price": output_object(
        {
            "lines": array_of(output_object({"kind": STRING, "amount": AMOUNT})),
            "total": AMOUNT,
            "currency": CURRENCY_CODE,
        }
    ),
    "StopProof": output_object(
        {"required": array_of(choice(ProofKind)), "missing": array_of(choice(ProofKind))},
        {
            "overridden": array_of(choice(ProofKind)),
            "tries_left": INTEGER,
            "pin": with_words(STRING, "Only for who may tell it."),
        },
    ),
    "ItemShown": output_object({"name": STRING, "quantity": INTEGER, "price": AMOUNT}),
    "DeliveryOrder": show(DELIVERY),
    "FoodOrder": show(FOOD_ORDER),
    "HailOrder": show(HAIL_ORDER),
    "RidePlace": output_object({}, {"latitude": NUMBER, "longitude": NUMBER, "address": STRING}),
    "RideDriver": output_object(
        {"id": STRING, "rating": NUMBER}, {"name": STRING, "vehicle": STRING, "eta": INTEGER}
    ),
    "Ride": show(RIDE),
    "Order": one_of(ref("DeliveryOrder"), ref("FoodOrder")),
    "ListedOrder": one_of(
        *(show(order, {"flow": only(flow)}) for flow, order in FLOW_VIEWS.items()),
    ),
    "OrderPage": output_object({"orders": array_of(ref("ListedOrder"))}, {"next_cursor": STRING}),
    "RidePlaced": output_object({**ESTIMATE, "status": RIDE_STATUS, **STATE}, OPTIONS),
    "PendingOrders": output_object(
        {
            "type": only("initial_orders"),
            "orders": array_of(show(PENDING_HAIL)),
            "message": STRING,
        }
    ),
    "ActiveOrder": one_of(
        output_object({"active": {"const": False}}),
        output_object(
            {"active": {"const": True}, "order": ref("Order")}, {"assigned_driver": ref("Courier")}
        ),
    ),
    "CourierActiveOrder": one_of(
        output_object({"active": {"const": False}}),
        output_object({"active": {"const": True}, "order": ref("DeliveryOrder")}),
    ),
    "CourierOrders": output_object(
        {"orders": array_of(ref("DeliveryOrder")), "stops": array_of(ref("Stop"))}
    ),
    "Stop": output_object(
        {
            "order_id": STRING,
            "kind": choice(StopKind),
            "lat": nullable(NUMBER),
            "lng": nullable(NUMBER),
            "address": STRING,
        },
        {"eta": with_words(MOMENT, "When the courier will be there, where that can be told.")},
    ),
    "Courier": output_object(
        {"id": STRING, "name": STRING, "phone": STRING}, {"profile_picture": STRING}
    ),
    "History": output_object(
        {"history": array_of(ref("HistoryEntry"))},
        {"left_out": with_words(INTEGER, "How many in the middle are not kept.")},
    ),
    "HistoryEntry": output_object(
        {
            "at": MOMENT,
            "actor": nullable(output_object({"role": choice(Role)}, {"id": STRING})),
            "from": nullable(STRING),
            "to": STRING,
            "step": STRING,
        },
        {
            "reason": STRING,
            "note": STRING,
            "offer": _HISTORY_OFFER,
            "position": output_object({"lat": NUMBER, "lng": NUMBER}),
            "price": AMOUNT,
        },
    ),
    "Messages": output_object(
        {
            "messages": array_of(
                output_object({"id": STRING, "at": MOMENT, "from": _SOMEBODY, "text": STRING}),
                description="The newest first.",
            )
        },
        {"next_cursor": STRING},
    ),
    "CourierHistory": output_object(
        {"history": array_of(ref("CourierChange"), description="The newest first.")},
        {"next_cursor": STRING},
    ),
    "CourierChange": output_object(
        {
            "at": MOMENT,
            "step": with_words(
                choice([PAUSE, RESUME, REASSIGN, *Hand]),
                "assign: they got the order; any other of an order's: they lost it.",
            ),
            "actor": _SOMEBODY,
        },
        {"reason": STRING, "note": STRING, "order_id": STRING},
    ),
    "CourierRow": output_object(
        {
            "id": STRING,
            "name": nullable(STRING),
            "on_duty": BOOLEAN,
            "paused": BOOLEAN,
            "order_id": nullable(STRING),
            "lat": nullable(NUMBER),
            "lng": nullable(NUMBER),
            "fix_at": nullable(MOMENT),
            "fix_age_s": nullable(INTEGER),
            "idle_since": nullable(MOMENT),
            "vehicle_type": nullable(STRING),
        }
    ),
    "AvailabilityShown": output_object({"available": BOOLEAN}),
    "PositionStored": output_object(
        {"stored": with_words(BOOLEAN, "False: a newer one is known.")}
    ),
    "PositionsJudged": output_object(
        {
            "points": array_of(
                output_object(
                    {
                        "verdict": with_words(
                            choice(Verdict),
                            "kept; late: older than the last one kept; far: a jump that no later"
                            " points confirm; vague: no place, or none known well enough; future:"
                            " more than 5 s ahead.",
                        )
                    }
                ),
            )
        }
    ),
    "RestaurantShown": output_object(
        {
            "id": NUMBER_OR_TEXT,
            "name": STRING,
            "address": STRING,
            "latitude": NUMBER,
            "longitude": NUMBER,
        }
    ),
    "RatingStored": output_object({"status": only("success"), "message": STRING}),
    "Payment": output_object(*_PAYMENT),
    "RidePaymentShown": output_object({**_PAYMENT[0], "ride_id": STRING}, _PAYMENT[1]),
    "Payout": output_object(
        {
            "id": STRING,
            "courier_id": STRING,
            "amount": AMOUNT,
            "bank_account": with_words(STRING, "Only its end."),
            "status": choice(PayoutStatus),
            "requested_at": MOMENT,
        },
        {"transaction_id": STRING},
    ),
    "ChatEntry": output_object(
        {
            "id": STRING,
            "rideId": STRING,
            "userId": STRING,
            "userType": choice(rides.USER_TYPES.values()),
            "message": STRING,
            "timestamp": with_words(INTEGER, "Epoch seconds."),
        }
    ),
    "Conversation": output_object({"message": STRING, "chats": array_of(ref("ChatEntry"))}),
    "AnnouncementSent": output_object({"msg": STRING}),
    "Quote": output_object(
        {
            "quote_id": STRING,
            "flow": choice(FLOW_VIEWS),
            "lines": array_of(output_object({"kind": STRING, "amount": AMOUNT})),
            "total": AMOUNT,
            "currency": CURRENCY_CODE,
            "distance_km": NUMBER,
            "expires_at": MOMENT,
            "serviceable": BOOLEAN,
        },
        {
            "pickup_eta_min": INTEGER,
            "dropoff_eta_min": INTEGER,
            "reason": choice([NO_COURIERS_NEAR]),
        },
    ),
    "UploadForm": output_object({"url": URI, "fields": map_of(STRING)}),
    "ProofFile": output_object(
        {
            "kind": choice(sorted(FILE_KINDS)),
            "url": URI,
            "content_type": choice(CONTENT_TYPES),
            "size_bytes": INTEGER,
            "uploaded_at": MOMENT,
        }
    ),
    "ProofShown": output_object(
        {"proof": output_object({}, {stop.value: ref("StopProofFiles") for stop in Stop})}
    ),
    "StopProofFiles": output_object(
        {
            "required": array_of(choice(ProofKind)),
            "missing": array_of(choice(ProofKind)),
            "files": array_of(ref("ProofFile")),
        },
        {"overridden": array_of(choice(ProofKind)), "tries_left": INTEGER},
    ),
    "Front": output_object(
        {
            "name": only("Waybill"),
            "version": STRING,
            "description": STRING,
            "links": output_object(
                dict.fromkeys(("console", "documents", "openapi", "asyncapi", "health"), STRING)
            ),
        }
    ),
    "ConsoleSettings": output_object(
        {},
        {
            "oidc": output_object(
                dict.fromkeys(("issuer", "client_id", "scope"), STRING), {"audience": STRING}
            )
        },
    ),
    "Health": output_object({"status": only("ok"), "version": STRING}),
    "ProfileShown": output_object(
        {"id": STRING, "rating": NUMBER},
        dict.fromkeys(("name", "phone", "profile_picture", "vehicle", "vehicle_type"), STRING),
    ),
    "Stats": output_object(
        {
            "status": only("success"),
            "data": output_object(
                {
                    "total_connections": INTEGER,
                    "total_users": INTEGER,
                    "queued_events": INTEGER,
                    "active_subscriptions": INTEGER,
                    "timestamp": MOMENT,
                }
            ),
        }
    ),
    "LoggedEventShown": output_object({"status": only("success"), "data": ref("LoggedEvent")}),
    "EventPage": output_object(
        {
            "status": only("success"),
            "data": array_of(ref("LoggedEvent")),
            "count": INTEGER,
            "limit": INTEGER,
            "skip": INTEGER,
        },
        {"next_cursor": STRING},
    ),
    "CriticalEvents": output_object(
        {
            "status": only("success"),
            "time_range_hours": INTEGER,
            "critical_count": INTEGER,
            "data": array_of(ref("LoggedEvent")),
        }
    ),
    "DaySummary": output_object(
        {
            "status": only("success"),
            "data": output_object(
                {
                    "date": {"type": "string", "format": "date"},
                    "total_events": INTEGER,
                    "critical_events": INTEGER,
                    "by_event_type": _COUNTS,
                    "by_source": _COUNTS,
                    "by_level": _COUNTS,
                },
                {"by_reason": _COUNTS},
            ),
        }
    ),
    "TrackingLink": output_object({"url": URI, "expires_at": MOMENT}),
    "TrackedOrder": output_object(
        {
            "order_id": STRING,
            "version": INTEGER,
            "status": choice(Status),
            "stage": choice([*Status, REACHED]),
            "changed_at": MOMENT,
            "is_over": BOOLEAN,
            "status_text": STRING,
            "lang": STRING,
        },
        {
            "window": output_object({}, WINDOWS),
            "eta_minutes": INTEGER,
            "courier": output_object({}, {"first_name": STRING, "vehicle": STRING, "picture": URI}),
            "dropoff": _POINT,
            "pin": STRING,
            "tip": output_object({"amount": AMOUNT, "currency": CURRENCY_CODE}),
            "note": STRING,
            **TRACKED_PLACE,
        },
    ),
    "Webhook": output_object(*_ENDPOINT),
    "WebhookWithSecret": output_object({**_ENDPOINT[0], "secret": STRING}, _ENDPOINT[1]),
    "WebhookCreated": output_object(_ENDPOINT[0], {**_ENDPOINT[1], "secret": STRING}),
    "Webhooks": output_object({"webhooks": array_of(ref("Webhook"))}),
    "WebhookPing": output_object({"type": only(PING)}, {"event_id": STRING}),
    "WebhookEventId": output_object({"event_id": STRING}),
    "WebhookSince": output_object({"since": MOMENT}),
    "Attempts": output_object({"attempts": array_of(ref("Attempt"))}, {"next_cursor": STRING}),
    "Attempt": output_object(
        {
            "event_id": STRING,
            "at": MOMENT,
            "ms": INTEGER,
            "answer": STRING,
            "event_status": choice(DeliveryStatus),
        },
        {"status": INTEGER, "error": STRING, "next_attempt_at": MOMENT},
    ),
}
