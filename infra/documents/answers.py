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
    choice,
    described,
    listed,
    map_of,
    nullable,
    one_of,
    only,
    ref,
    told,
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

_POINT = told({"lat": NUMBER, "lng": NUMBER})
_ON_SHEET = listed(NUMBER, minItems=2, maxItems=2)
# Where a courier is, and how that is drawn.
TRACKED_PLACE: Fields = {
    "position": told({"lat": NUMBER, "lng": NUMBER, "at": MOMENT}),
    "map": told(
        {"courier": _ON_SHEET},
        {"dropoff": _ON_SHEET, "bar": told({"px": NUMBER, "m": INTEGER})},
    ),
}
_SOMEBODY = told({"role": choice(Role), "id": STRING})
_ENDPOINT: tuple[Fields, Fields] = (
    {
        "id": STRING,
        "url": URI,
        "events": listed(choice([ALL_EVENTS, *EVENT_TYPES])),
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
_ASKED = told({}, {"courier_id": STRING, "distance_m": INTEGER, "answer": _OFFER_ANSWER})
_HISTORY_OFFER = told(
    {},
    {
        "courier_id": STRING,
        "distance_m": INTEGER,
        "couriers": listed(_ASKED),
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
    "Error": told(
        {"error": STRING, "message": STRING},
        {"details": {"type": "object", "description": "What of it a client can act on."}},
        description="Every answer that is not a success.",
    ),
    "Price": told(
        {
            "lines": listed(told({"kind": STRING, "amount": AMOUNT})),
            "total": AMOUNT,
            "currency": CURRENCY_CODE,
        }
    ),
    "StopProof": told(
        {"required": listed(choice(ProofKind)), "missing": listed(choice(ProofKind))},
        {
            "overridden": listed(choice(ProofKind)),
            "tries_left": INTEGER,
            "pin": described(STRING, "Only for who may tell it."),
        },
    ),
    "ItemShown": told({"name": STRING, "quantity": INTEGER, "price": AMOUNT}),
    "DeliveryOrder": show(DELIVERY),
    "FoodOrder": show(FOOD_ORDER),
    "HailOrder": show(HAIL_ORDER),
    "RidePlace": told({}, {"latitude": NUMBER, "longitude": NUMBER, "address": STRING}),
    "RideDriver": told(
        {"id": STRING, "rating": NUMBER}, {"name": STRING, "vehicle": STRING, "eta": INTEGER}
    ),
    "Ride": show(RIDE),
    "Order": one_of(ref("DeliveryOrder"), ref("FoodOrder")),
    "ListedOrder": one_of(
        *(show(order, {"flow": only(flow)}) for flow, order in FLOW_VIEWS.items()),
    ),
    "OrderPage": told({"orders": listed(ref("ListedOrder"))}, {"next_cursor": STRING}),
    "RidePlaced": told({**ESTIMATE, "status": RIDE_STATUS, **STATE}, OPTIONS),
    "PendingOrders": told(
        {
            "type": only("initial_orders"),
            "orders": listed(show(PENDING_HAIL)),
            "message": STRING,
        }
    ),
    "ActiveOrder": one_of(
        told({"active": {"const": False}}),
        told(
            {"active": {"const": True}, "order": ref("Order")}, {"assigned_driver": ref("Courier")}
        ),
    ),
    "CourierActiveOrder": one_of(
        told({"active": {"const": False}}),
        told({"active": {"const": True}, "order": ref("DeliveryOrder")}),
    ),
    "CourierOrders": told({"orders": listed(ref("DeliveryOrder")), "stops": listed(ref("Stop"))}),
    "Stop": told(
        {
            "order_id": STRING,
            "kind": choice(StopKind),
            "lat": nullable(NUMBER),
            "lng": nullable(NUMBER),
            "address": STRING,
        },
        {"eta": described(MOMENT, "When the courier will be there, where that can be told.")},
    ),
    "Courier": told({"id": STRING, "name": STRING, "phone": STRING}, {"profile_picture": STRING}),
    "History": told(
        {"history": listed(ref("HistoryEntry"))},
        {"left_out": described(INTEGER, "How many in the middle are not kept.")},
    ),
    "HistoryEntry": told(
        {
            "at": MOMENT,
            "actor": nullable(told({"role": choice(Role)}, {"id": STRING})),
            "from": nullable(STRING),
            "to": STRING,
            "step": STRING,
        },
        {
            "reason": STRING,
            "note": STRING,
            "offer": _HISTORY_OFFER,
            "position": told({"lat": NUMBER, "lng": NUMBER}),
            "price": AMOUNT,
        },
    ),
    "Messages": told(
        {
            "messages": listed(
                told({"id": STRING, "at": MOMENT, "from": _SOMEBODY, "text": STRING}),
                description="The newest first.",
            )
        },
        {"next_cursor": STRING},
    ),
    "CourierHistory": told(
        {"history": listed(ref("CourierChange"), description="The newest first.")},
        {"next_cursor": STRING},
    ),
    "CourierChange": told(
        {
            "at": MOMENT,
            "step": described(
                choice([PAUSE, RESUME, REASSIGN, *Hand]),
                "assign: they got the order; any other of an order's: they lost it.",
            ),
            "actor": _SOMEBODY,
        },
        {"reason": STRING, "note": STRING, "order_id": STRING},
    ),
    "CourierRow": told(
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
    "AvailabilityShown": told({"available": BOOLEAN}),
    "PositionStored": told({"stored": described(BOOLEAN, "False: a newer one is known.")}),
    "PositionsJudged": told(
        {
            "points": listed(
                told(
                    {
                        "verdict": described(
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
    "RestaurantShown": told(
        {
            "id": NUMBER_OR_TEXT,
            "name": STRING,
            "address": STRING,
            "latitude": NUMBER,
            "longitude": NUMBER,
        }
    ),
    "RatingStored": told({"status": only("success"), "message": STRING}),
    "Payment": told(*_PAYMENT),
    "RidePaymentShown": told({**_PAYMENT[0], "ride_id": STRING}, _PAYMENT[1]),
    "Payout": told(
        {
            "id": STRING,
            "courier_id": STRING,
            "amount": AMOUNT,
            "bank_account": described(STRING, "Only its end."),
            "status": choice(PayoutStatus),
            "requested_at": MOMENT,
        },
        {"transaction_id": STRING},
    ),
    "ChatEntry": told(
        {
            "id": STRING,
            "rideId": STRING,
            "userId": STRING,
            "userType": choice(rides.USER_TYPES.values()),
            "message": STRING,
            "timestamp": described(INTEGER, "Epoch seconds."),
        }
    ),
    "Conversation": told({"message": STRING, "chats": listed(ref("ChatEntry"))}),
    "AnnouncementSent": told({"msg": STRING}),
    "Quote": told(
        {
            "quote_id": STRING,
            "flow": choice(FLOW_VIEWS),
            "lines": listed(told({"kind": STRING, "amount": AMOUNT})),
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
    "UploadForm": told({"url": URI, "fields": map_of(STRING)}),
    "ProofFile": told(
        {
            "kind": choice(sorted(FILE_KINDS)),
            "url": URI,
            "content_type": choice(CONTENT_TYPES),
            "size_bytes": INTEGER,
            "uploaded_at": MOMENT,
        }
    ),
    "ProofShown": told({"proof": told({}, {stop.value: ref("StopProofFiles") for stop in Stop})}),
    "StopProofFiles": told(
        {
            "required": listed(choice(ProofKind)),
            "missing": listed(choice(ProofKind)),
            "files": listed(ref("ProofFile")),
        },
        {"overridden": listed(choice(ProofKind)), "tries_left": INTEGER},
    ),
    "Front": told(
        {
            "name": only("Waybill"),
            "version": STRING,
            "description": STRING,
            "links": told(
                dict.fromkeys(("console", "documents", "openapi", "asyncapi", "health"), STRING)
            ),
        }
    ),
    "ConsoleSettings": told(
        {},
        {
            "oidc": told(
                dict.fromkeys(("issuer", "client_id", "scope"), STRING), {"audience": STRING}
            )
        },
    ),
    "Health": told({"status": only("ok"), "version": STRING}),
    "ProfileShown": told(
        {"id": STRING, "rating": NUMBER},
        dict.fromkeys(("name", "phone", "profile_picture", "vehicle", "vehicle_type"), STRING),
    ),
    "Stats": told(
        {
            "status": only("success"),
            "data": told(
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
    "LoggedEventShown": told({"status": only("success"), "data": ref("LoggedEvent")}),
    "EventPage": told(
        {
            "status": only("success"),
            "data": listed(ref("LoggedEvent")),
            "count": INTEGER,
            "limit": INTEGER,
            "skip": INTEGER,
        },
        {"next_cursor": STRING},
    ),
    "CriticalEvents": told(
        {
            "status": only("success"),
            "time_range_hours": INTEGER,
            "critical_count": INTEGER,
            "data": listed(ref("LoggedEvent")),
        }
    ),
    "DaySummary": told(
        {
            "status": only("success"),
            "data": told(
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
    "TrackingLink": told({"url": URI, "expires_at": MOMENT}),
    "TrackedOrder": told(
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
            "window": told({}, WINDOWS),
            "eta_minutes": INTEGER,
            "courier": told({}, {"first_name": STRING, "vehicle": STRING, "picture": URI}),
            "dropoff": _POINT,
            "pin": STRING,
            "tip": told({"amount": AMOUNT, "currency": CURRENCY_CODE}),
            "note": STRING,
            **TRACKED_PLACE,
        },
    ),
    "Webhook": told(*_ENDPOINT),
    "WebhookWithSecret": told({**_ENDPOINT[0], "secret": STRING}, _ENDPOINT[1]),
    "WebhookCreated": told(_ENDPOINT[0], {**_ENDPOINT[1], "secret": STRING}),
    "Webhooks": told({"webhooks": listed(ref("Webhook"))}),
    "WebhookPing": told({"type": only(PING)}, {"event_id": STRING}),
    "WebhookEventId": told({"event_id": STRING}),
    "WebhookSince": told({"since": MOMENT}),
    "Attempts": told({"attempts": listed(ref("Attempt"))}, {"next_cursor": STRING}),
    "Attempt": told(
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
