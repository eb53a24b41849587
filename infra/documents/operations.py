"""What the routes' tables don't say of an operation: its bodies, and the errors of its own.

Who may ask, and what a path or a body can be refused for at all, is added in openapi.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chalicelib import errors
from chalicelib.contracts.listing import CSV_COLUMNS, DEFAULT_LIMIT, MAX_LIMIT, MAX_PERSON_ID
from chalicelib.domain.orders.listing import ListedStatus
from chalicelib.domain.request_keys import MAX_EXTERNAL_ID
from chalicelib.edge.rest import feed
from chalicelib.edge.rest.event_stream import LONG_POLL
from chalicelib.errors import WaybillError
from infra.documents.ops import HOURS_QUERY
from infra.documents.shapes import (
    STRING,
    Fields,
    Schema,
    choice,
    input_time,
    only,
    text,
    with_words,
)

Errors = tuple[type[WaybillError], ...]

CSV: Schema = {
    "type": "string",
    "description": f"RFC 4180: {','.join(CSV_COLUMNS)}",
}


class Operation(msgspec.Struct, frozen=True):
    """One method of a path. `request` names the schema of its body. `answers` are the successes: a
    status with the name of its body's schema, None for no body. With `takes_key` an Idempotency-Key
    makes it safe to ask again. `query` are its parameters. `sample` is the file of an example of
    the request, `shown` of the first answer, below tests/samples. `summary` is the view's first
    sentence, where none is here."""

    answers: Mapping[int, str | None]
    request: str | None = None
    errors: Errors = ()
    takes_key: bool = False
    query: Fields = {}
    sample: str | None = None
    shown: str | None = None
    summary: str = ""
    has_etag: bool = False
    needs_etag: bool = False
    has_csv: bool = False
    is_page: bool = False
    is_stream: bool = False


_MISSING: Errors = (errors.NotFound,)
_STEP: Errors = (errors.NotFound, errors.InvalidTransition)
_OWN_STEP: Errors = (*_STEP, errors.OfferGone, errors.Forbidden, errors.CourierIdMismatch)
_PROOF: Errors = (errors.ProofRequired, errors.WrongPin, errors.ProofLocked, errors.Conflict)
# What is left behind may want a photo, which a stage may keep no more.
_LEAVING: Errors = (errors.ProofRequired, errors.Conflict)
# An order whose PINs nobody can show: the stage has lost the secret that they are made by.
_PINS: Errors = (errors.Conflict,)
_PLACING: Errors = (
    errors.ExternalIdTaken,
    errors.QuoteExpired,
    errors.QuoteMismatch,
    *_PINS,
)
_PAYING: Errors = (*_STEP, errors.Conflict)
_ACCEPTING: Errors = (*_OWN_STEP, errors.CourierBusy, errors.CourierPaused, errors.NotOnline)


def _courier_step(summary: str, *more: type[WaybillError]) -> Operation:
    return Operation(
        {200: "DeliveryOrder"},
        "OrderStep",
        (*_OWN_STEP, *more),
        summary=summary,
        shown="courier/order.json",
    )


def _whole(default: int, most: int, least: int = 0) -> Schema:
    words = f"A whole number from {least}; more than {most} counts as {most}."
    return {"type": "integer", "minimum": least, "default": default, "description": words}


_CURSOR = with_words(text(8192), "The next_cursor of the page before.")
_PAGE: Fields = {"limit": _whole(DEFAULT_LIMIT, MAX_LIMIT, 1), "cursor": _CURSOR}
_LIST: Fields = {
    "status": {**choice(ListedStatus), "default": ListedStatus.ALL.value},
    "from": input_time(description="Placed at that time or later."),
    "to": input_time(description="Placed before that time."),
    **_PAGE,
}
_DAY: Schema = {"type": "string", "format": "date", "description": "YYYY-MM-DD, in UTC."}
_ANYBODY: Fields = {
    name: text(MAX_PERSON_ID) for name in ("customer_id", "courier_id", "merchant_id")
}

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    # Orders
    ("POST", "/v1/orders"): Operation(
        {201: "Order", 200: "Order"},
        "NewDelivery",
        _PLACING,
        takes_key=True,
        sample="courier/create_order.json",
        shown="courier/order.json",
    ),
    ("GET", "/v1/orders"): Operation(
        {200: "OrderPage"}, query={**_LIST, "external_id": text(MAX_EXTERNAL_ID)}, has_csv=True
    ),
    ("GET", "/v1/admin/orders"): Operation(
        {200: "OrderPage"}, query={**_LIST, "day": _DAY, **_ANYBODY}, has_csv=True
    ),
    ("GET", "/v1/orders/{order_id}"): Operation(
        {200: "Order"}, errors=(*_MISSING, *_PINS), has_etag=True, shown="courier/order.json"
    ),
    ("PATCH", "/v1/orders/{order_id}"): Operation(
        {200: "Order"},
        "OrderPatch",
        (
            *_STEP,
            errors.Conflict,
            errors.QuoteMismatch,
            errors.QuoteExpired,
            errors.PreconditionFailed,
            errors.PreconditionRequired,
        ),
        has_etag=True,
        needs_etag=True,
    ),
    ("GET", "/v1/orders/{order_id}/history"): Operation({200: "History"}, errors=_MISSING),
    ("POST", "/v1/orders/{order_id}/cancel"): Operation(
        {200: "Order"}, "Cancellation", (*_STEP, errors.Forbidden, errors.OfferGone)
    ),
    ("POST", "/v1/orders/{order_id}/retry"): Operation(
        {200: "Order"}, errors=(*_STEP, *_PINS, errors.Forbidden, errors.OfferGone)
    ),
    ("POST", "/v1/orders/{order_id}/reattempt"): Operation(
        {201: "Order"},
        "Windows",
        (*_STEP, *_PINS, errors.AlreadyReattempted),
        takes_key=True,
    ),
    ("POST", "/v1/orders/{order_id}/tip"): Operation(
        {201: "Order"}, "NewTip", (*_STEP, errors.Conflict), takes_key=True
    ),
    # By hand
    ("POST", "/v1/admin/orders/{order_id}/assign"): Operation(
        {200: "Order"}, "Assignment", (*_STEP, errors.CourierBusy, errors.CourierPaused)
    ),
    ("POST", "/v1/admin/orders/{order_id}/release"): Operation(
        {200: "Order"}, "ReleaseByHand", _STEP
    ),
    ("POST", "/v1/admin/orders/{order_id}/cancel"): Operation({200: "Order"}, "Hand", _STEP),
    ("POST", "/v1/admin/orders/{order_id}/fail"): Operation(
        {200: "Order"}, "FailureByHand", (*_STEP, *_LEAVING)
    ),
    ("POST", "/v1/admin/orders/{order_id}/retry"): Operation(
        {200: "Order", 201: "Order"},
        "Hand",
        (*_STEP, *_PINS, errors.AlreadyReattempted),
        takes_key=True,
    ),
    ("GET", "/v1/admin/orders/{order_id}/messages"): Operation(
        {200: "Messages"}, errors=_MISSING, query=_PAGE
    ),
    ("POST", "/v1/admin/couriers/{courier_id}/pause"): Operation(
        {200: "CourierRow"}, "Hand", _MISSING
    ),
    ("POST", "/v1/admin/couriers/{courier_id}/resume"): Operation(
        {200: "CourierRow"}, "Hand", _MISSING
    ),
    ("GET", "/v1/admin/couriers/{courier_id}/history"): Operation(
        {200: "CourierHistory"}, errors=_MISSING, query=_PAGE
    ),
    ("GET", "/v1/customer/active-order"): Operation({200: "ActiveOrder"}, errors=_PINS),
    ("GET", "/v1/customer/activeOrder"): Operation({200: "ActiveOrder"}, errors=_PINS),
    ("POST", "/v1/quotes"): Operation({200: "Quote"}, "QuoteRequest", _MISSING),
    # Proof
    ("POST", "/v1/orders/{order_id}/proof"): Operation(
        {200: "UploadForm"}, "ProofUpload", (*_MISSING, errors.Conflict, errors.ProofConfirmed)
    ),
    ("GET", "/v1/orders/{order_id}/proof"): Operation(
        {200: "ProofShown"}, errors=(*_MISSING, errors.Conflict)
    ),
    ("POST", "/v1/admin/orders/{order_id}/proof/override"): Operation(
        {200: "Order"}, "ProofOverride", (*_MISSING, errors.Conflict)
    ),
    # Tracking links
    ("POST", "/v1/orders/{order_id}/tracking"): Operation(
        {201: "TrackingLink"}, errors=(*_STEP, errors.Conflict)
    ),
    ("DELETE", "/v1/orders/{order_id}/tracking"): Operation({204: None}, errors=_MISSING),
    ("GET", "/t/{token}"): Operation({200: "TrackedOrder"}, errors=_MISSING, is_page=True),
    ("POST", "/t/{token}/note"): Operation(
        {200: "TrackedOrder", 303: None},
        "TrackingNote",
        (*_STEP, errors.Conflict),
        is_page=True,
    ),
    # Couriers
    ("POST", "/v1/courier/availability"): Operation({200: "AvailabilityShown"}, "Availability"),
    ("POST", "/v1/courier/location"): Operation({200: "PositionStored"}, "Position"),
    ("POST", "/v1/courier/locations"): Operation({200: "PositionsJudged"}, "Positions"),
    ("POST", "/v1/courier/orders/accept"): Operation(
        {200: "DeliveryOrder"}, "OrderChoice", _ACCEPTING, shown="courier/order.json"
    ),
    ("POST", "/v1/courier/orders/decline"): Operation({200: "DeliveryOrder"}, "Decline", _OWN_STEP),
    ("POST", "/v1/courier/orders/arrived"): _courier_step("Say that the courier is at the pickup."),
    ("POST", "/v1/courier/orders/picked"): _courier_step(
        "Say that the order is picked up.", *_PROOF, errors.NotAtPickup
    ),
    ("POST", "/v1/courier/orders/reached"): _courier_step("Say that the courier is at the door."),
    ("POST", "/v1/courier/orders/delivered"): _courier_step(
        "Say that the order is delivered.", *_PROOF
    ),
    ("POST", "/v1/courier/orders/release"): Operation({200: "DeliveryOrder"}, "Release", _OWN_STEP),
    ("POST", "/v1/courier/orders/no-show"): Operation(
        {200: "DeliveryOrder"}, "NoShow", (*_OWN_STEP, *_LEAVING, errors.TooEarly)
    ),
    ("POST", "/v1/courier/orders/failed"): Operation(
        {200: "DeliveryOrder"}, "Failure", (*_OWN_STEP, *_LEAVING)
    ),
    ("POST", "/v1/courier/orders/returned"): _courier_step(
        "Say that an order that could not be handed over is at the pickup again."
    ),
    ("GET", "/v1/courier/orders"): Operation({200: "CourierOrders"}),
    ("GET", "/v1/courier/active-order"): Operation({200: "CourierActiveOrder"}),
    ("GET", "/v1/courier/activeOrder"): Operation({200: "CourierActiveOrder"}),
    # Drivers
    ("POST", "/v1/driver-orders"): Operation(
        {201: "HailOrder", 200: "HailOrder"}, "NewHail", _PLACING, takes_key=True
    ),
    ("GET", "/v1/driver/orders"): Operation({200: "PendingOrders"}),
    ("POST", "/v1/driver/orders/{order_id}/accept"): Operation(
        {200: "HailOrder"},
        errors=(
            *_STEP,
            errors.OfferGone,
            errors.CourierBusy,
            errors.CourierPaused,
            errors.NotOnline,
        ),
    ),
    ("POST", "/v1/driver/orders/{order_id}/decline"): Operation(
        {200: "HailOrder"}, "DriverDecline", (*_STEP, errors.OfferGone)
    ),
    # Restaurants
    ("POST", "/v1/restaurants/{restaurant_id}/orders"): Operation(
        {201: "FoodOrder", 200: "FoodOrder"},
        "NewMeal",
        (*_PLACING, *_MISSING),
        takes_key=True,
    ),
    ("PUT", "/v1/restaurants/{restaurant_id}"): Operation(
        {200: "RestaurantShown"}, "RestaurantProfile"
    ),
    ("GET", "/v1/restaurants/{restaurant_id}"): Operation(
        {200: "RestaurantShown"}, errors=_MISSING
    ),
    # Rides
    ("POST", "/v1/riders/rides"): Operation(
        {201: "RidePlaced", 200: "RidePlaced"}, "NewRide", _PLACING, takes_key=True
    ),
    ("POST", "/v1/riders/rate/driver"): Operation(
        {201: "RatingStored"},
        "DriverRating",
        (*_STEP, errors.AlreadyRated),
        takes_key=True,
        sample="rides/requests/rate_driver.b.json",
    ),
    ("POST", "/v1/riders/payment"): Operation(
        {201: "RidePaymentShown", 200: "RidePaymentShown"}, "RidePayment", _PAYING, takes_key=True
    ),
    ("GET", "/v1/rides/{ride_id}"): Operation(
        {200: "Ride"}, errors=(*_MISSING, *_PINS), has_etag=True
    ),
    ("GET", "/v1/rides/{ride_id}/chats"): Operation(
        {200: "Conversation"},
        errors=_MISSING,
        query={"before": with_words(STRING, "The id of a message: the page ends before it.")},
    ),
    ("POST", "/v1/admin/announcements"): Operation(
        {201: "AnnouncementSent"}, "Announcement", takes_key=True
    ),
    # The front door
    ("GET", "/"): Operation({200: "Front"}, is_page=True),
    ("GET", "/health"): Operation({200: "Health"}),
    ("GET", "/console/settings.json"): Operation({200: "ConsoleSettings"}),
    # People
    ("GET", "/v1/me"): Operation({200: "ProfileShown"}),
    ("PUT", "/v1/me"): Operation({200: "ProfileShown"}, "Profile"),
    ("GET", "/v1/me/events"): Operation(
        {200: "StreamMessages", 204: None},
        errors=(errors.NotKept,),
        query={
            "offset": with_words(STRING, "-1: the beginning; now; or a Stream-Next-Offset."),
            "live": with_words(only(LONG_POLL), "Wait for what comes, 25 s at most."),
            "cursor": with_words(STRING, "The Stream-Cursor of the answer before."),
        },
        is_stream=True,
    ),
    # Money
    ("POST", "/v1/payments"): Operation({201: "Payment"}, "NewPayment", _PAYING, takes_key=True),
    ("POST", "/v1/payments/{payment_id}/webhook"): Operation(
        {200: "Payment"}, "PaymentResult", (*_MISSING, errors.Conflict, errors.Unauthenticated)
    ),
    ("POST", "/v1/payouts"): Operation(
        {201: "Payout"}, "NewPayout", (errors.BalanceTooLow,), takes_key=True
    ),
    ("POST", "/v1/admin/payouts/{payout_id}/approve"): Operation(
        {200: "Payout"}, errors=(*_MISSING, errors.Conflict)
    ),
    ("POST", "/v1/admin/payouts/{payout_id}/complete"): Operation(
        {200: "Payout"}, "PayoutTransfer", (*_MISSING, errors.Conflict)
    ),
    # Events (spec 003)
    ("GET", "/websocket/stats"): Operation({200: "Stats"}, shown="feed/stats.json"),
    ("GET", "/websocket/events/{event_id}"): Operation(
        {200: "LoggedEventShown"}, errors=(*_MISSING, errors.Forbidden)
    ),
    ("GET", "/websocket/events/user/{user_id}"): Operation(
        {200: "EventPage"},
        errors=(*_MISSING, errors.Forbidden),
        query={
            "event_type": with_words(STRING, "Only those of this type."),
            "limit": _whole(feed.EVENTS, feed.MAX_EVENTS),
            "skip": _whole(0, feed.MAX_SKIPPED),
            "cursor": with_words(STRING, "The next_cursor of the page before."),
        },
    ),
    ("GET", "/websocket/analytics/summary"): Operation(
        {200: "DaySummary"},
        query={"date": {**_DAY, "description": "YYYY-MM-DD, in UTC; today, if absent."}},
        shown="feed/summary.json",
    ),
    ("GET", "/websocket/critical-events"): Operation(
        {200: "CriticalEvents"},
        query={
            "hours": _whole(feed.CRITICAL_HOURS, feed.MAX_CRITICAL_HOURS),
            "limit": _whole(feed.CRITICAL_EVENTS, feed.MAX_CRITICAL_EVENTS),
        },
    ),
    # The dispatcher's room
    ("GET", "/v1/admin/figures"): Operation({200: "Figures"}, query=HOURS_QUERY),
    # Webhooks
    ("POST", "/v1/webhooks"): Operation(
        {201: "WebhookCreated"},
        "NewWebhook",
        (errors.TooManyEndpoints, errors.NotFound),
        takes_key=True,
    ),
    ("GET", "/v1/webhooks"): Operation({200: "Webhooks"}),
    ("GET", "/v1/webhooks/{endpoint_id}"): Operation({200: "Webhook"}, errors=_MISSING),
    ("PATCH", "/v1/webhooks/{endpoint_id}"): Operation(
        {200: "Webhook"}, "WebhookPatch", (*_MISSING, errors.TooManyEndpoints)
    ),
    ("DELETE", "/v1/webhooks/{endpoint_id}"): Operation({204: None}, errors=_MISSING),
    ("POST", "/v1/webhooks/{endpoint_id}/rotate"): Operation(
        {200: "WebhookWithSecret"}, errors=(*_MISSING, errors.Conflict)
    ),
    ("POST", "/v1/webhooks/{endpoint_id}/test"): Operation(
        {202: "WebhookPing"}, errors=(*_MISSING, errors.EndpointDisabled)
    ),
    ("GET", "/v1/webhooks/{endpoint_id}/attempts"): Operation(
        {200: "Attempts"}, errors=_MISSING, query=_PAGE
    ),
    ("POST", "/v1/webhooks/{endpoint_id}/resend"): Operation(
        {202: "WebhookEventId"}, "WebhookResend", (*_MISSING, errors.EndpointDisabled)
    ),
    ("POST", "/v1/webhooks/{endpoint_id}/replay"): Operation(
        {202: "WebhookSince"}, "WebhookReplay", (*_MISSING, errors.EndpointDisabled)
    ),
}
