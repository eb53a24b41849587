"""The bodies that REST takes, by the names of the document's components.

Bounds are the readers' own. tests/unit/test_documents.py sends each reader what the schema refuses.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.contracts import proof
from chalicelib.contracts.amendments import FORMS
from chalicelib.contracts.contacts import MAX_PHONE, MAX_URL
from chalicelib.contracts.courier.locations import MAX_LOCATIONS
from chalicelib.contracts.fixes import UNKNOWN_WORDS
from chalicelib.contracts.food.orders import MAX_ITEM_NAME, MAX_ITEMS, MAX_PRICE, MAX_QUANTITY
from chalicelib.contracts.money import ACCOUNT, MAX_AMOUNT, METHOD
from chalicelib.contracts.placing import (
    MAX_METADATA_BYTES,
    MAX_METADATA_KEY,
    MAX_METADATA_KEYS,
    MAX_QUOTE_ID,
    WINDOW_NAMES,
)
from chalicelib.contracts.reasons import FAILURE_STEPS
from chalicelib.contracts.webhooks import endpoints as webhook_endpoints
from chalicelib.domain.events import LOGGED_FOR
from chalicelib.domain.orders import tracking_links
from chalicelib.domain.orders.proof import (
    CONTENT_TYPES,
    FILE_KINDS,
    OVERRIDE_REASONS,
    ProofKind,
    Stop,
)
from chalicelib.domain.orders.reasons import (
    ALLOWED_REASONS,
    FAILURE_REASONS,
    HAND_REASONS,
    MAX_NOTE,
    OTHER,
)
from chalicelib.domain.people import Role
from chalicelib.domain.request_keys import MAX_EXTERNAL_ID
from chalicelib.domain.webhooks.endpoint import ALL_EVENTS, EndpointStatus
from chalicelib.domain.webhooks.event_types import EVENT_TYPES
from chalicelib.edge.rest.rides import MAX_ANNOUNCEMENT
from infra.documents.shapes import (
    BOOLEAN,
    Fields,
    Schema,
    any_of,
    array_of,
    choice,
    free_text,
    input_object,
    input_time,
    map_of,
    number,
    one_of,
    only,
    ref,
    text,
    with_words,
)

ID: Schema = {"type": ["string", "integer"], "description": "An order's id, as text or number."}
PHONE = text(
    MAX_PHONE,
    pattern="[0-9]",
    description="A telephone number, written as people write them: 1 to 15 digits.",
)
LAT, LNG = number(-90, 90), number(-180, 180)
AMOUNT = number(0.01, MAX_AMOUNT, description="At most two decimals.")
PIN: Schema = {"type": "string", "pattern": rf"^\s*{proof.PIN}\s*$"}
NOTE = free_text(MAX_NOTE)
REASON = free_text(description="A code of your role's vocabulary, or words of your own.")


def _either_case(word: str) -> str:
    letters = (f"[{c}{c.upper()}]" if c.isalpha() else rf"\{c}" if c in "+-/" else c for c in word)
    return "".join(letters)


_UNKNOWN_TEXT = rf"^\s*(?:{'|'.join(_either_case(word) for word in sorted(UNKNOWN_WORDS))})\s*$"


def _degrees(most: int) -> Schema:
    words = "A word for unknown makes a position that is no place."
    bounds: Schema = {"type": ["number", "string", "null"], "minimum": -most, "maximum": most}
    return {**bounds, "pattern": _UNKNOWN_TEXT, "description": words}


def fix_fields(at: str) -> Fields:
    """Describe what a position has beside its coordinates; its time is called `at`."""
    measure: Schema = {"type": ["number", "string"]}
    return {
        "heading": with_words(measure, "Degrees, 0 to 360; negative is unknown."),
        "speed": with_words(measure, "Metres per second; negative is unknown."),
        "accuracy": with_words(measure, "Metres; negative is unknown."),
        "altitude": with_words(measure, "Metres."),
        at: with_words(measure, "Epoch seconds or milliseconds, or an ISO time; now, if absent."),
    }


def make_fix(lat: str, lng: str, at: str) -> Schema:
    """Describe a position whose coordinates and time have these names."""
    return input_object({lat: _degrees(90), lng: _degrees(180)}, fix_fields(at))


_KINDS = choice(ProofKind)
_PROOF_AT_STOP = any_of(
    choice([*ProofKind, proof.NONE]),
    array_of(_KINDS, maxItems=len(ProofKind)),
    array_of(only(proof.NONE), minItems=1, maxItems=1),
)
_HAND: Fields = {
    "reason": with_words(
        free_text(MAX_NOTE),
        f"One of {', '.join(HAND_REASONS)}; another text counts as {OTHER}, and is the note.",
    ),
    "note": NOTE,
}
_METADATA = map_of(
    {"type": "string"},
    maxProperties=MAX_METADATA_KEYS,
    propertyNames={"minLength": 1, "maxLength": MAX_METADATA_KEY},
    description=f"Kept and given back; at most {MAX_METADATA_BYTES} bytes as JSON.",
)
_QUOTE_ID: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_QUOTE_ID}
WINDOWS: Fields = {name: input_time() for name in WINDOW_NAMES}
# What may be added to an order of any flow.
OPTIONS: Fields = {
    "external_id": text(MAX_EXTERNAL_ID),
    "metadata": _METADATA,
    **WINDOWS,
    "proof": input_object(
        {}, {stop.value: _PROOF_AT_STOP for stop in Stop}, additionalProperties=False
    ),
    "quote_id": _QUOTE_ID,
}
_ADDRESS = text()
_DELIVERY: Fields = {"pickup_address": _ADDRESS, "dropoff_address": _ADDRESS}
_DELIVERY_POINTS: Fields = {
    f"{end}_{part}": bounds
    for end in ("pickup", "dropoff")
    for part, bounds in (("lat", LAT), ("lng", LNG))
}
_DECIMAL = r"^\s*[+-]?\d{1,3}(\.\d{1,20})?\s*$"
_HAIL: Fields = {"address_from": _ADDRESS, "address_to": _ADDRESS}
_HAIL_POINTS: Fields = {
    f"{part}_{end}": {
        "type": ["number", "string"],
        "minimum": -most,
        "maximum": most,
        "pattern": _DECIMAL,
    }
    for end in ("from", "to")
    for part, most in (("latitude", 90), ("longitude", 180))
}
_DOOR: Fields = {"deliveryAddress": _ADDRESS}
_DOOR_POINT: Fields = {"latitude": LAT, "longitude": LNG}


def _pairs(*pairs: tuple[str, str]) -> Schema:
    """Say which coordinates come together."""
    return {"dependentRequired": {a: [b] for pair in pairs for a, b in (pair, pair[::-1])}}


_DELIVERY_PAIRS = _pairs(("pickup_lat", "pickup_lng"), ("dropoff_lat", "dropoff_lng"))
_HAIL_PAIRS = _pairs(("latitude_from", "longitude_from"), ("latitude_to", "longitude_to"))
_WORD = rf"^\s*{METHOD.replace('a-z', 'A-Za-z')}\s*$"
_OWN_ID: Schema = {"type": ["string", "integer"], "description": "Your own id, if any."}
_RIDE_PLACE = input_object({"latitude": LAT, "longitude": LNG}, {"address": free_text()})
_RIDE_PLACE_PATCH = input_object({}, {"latitude": LAT, "longitude": LNG, "address": free_text()})
_QUOTE_PLACE = input_object({"lat": LAT, "lng": LNG}, {"address": free_text()})


def _step(required: Fields | None = None, optional: Fields | None = None) -> Schema:
    """Describe the body of a courier's step with an order."""
    fields: Fields = {"order_id": ID, **(required or {})}
    return input_object(fields, {"courier_id": _OWN_ID, **(optional or {})})


def _patch(*parts: Fields) -> Schema:
    """Describe a patch (RFC 7396): what is absent stays, and null removes what may be absent."""
    fields = {name: one for part in parts for name, one in part.items()}
    return input_object({}, fields, additionalProperties=False)


_PATCH_OPTIONS: Fields = {"metadata": _METADATA, "quote_id": _QUOTE_ID, **WINDOWS}
_PATCHES: Mapping[str, Schema] = {
    "delivery": _patch(
        _DELIVERY,
        _DELIVERY_POINTS,
        {"receiver_phone": PHONE, "notes": free_text()},
        _PATCH_OPTIONS,
    ),
    "hail": _patch(_HAIL, _HAIL_POINTS, _PATCH_OPTIONS),
    "ride": _patch(
        {"pickup": _RIDE_PLACE_PATCH, "destination": _RIDE_PLACE_PATCH},
        {"notes": free_text()},
        _PATCH_OPTIONS,
    ),
    "food": _patch(_DOOR, _DOOR_POINT, {"notes": free_text()}, _PATCH_OPTIONS),
}
assert _PATCHES.keys() == FORMS.keys(), "each flow's orders can be amended"

_EVENTS = array_of(choice([ALL_EVENTS, *EVENT_TYPES]), minItems=1)
_MERCHANT_ID = text(webhook_endpoints.MAX_MERCHANT_ID)
_ENDPOINT: Fields = {"url": text(webhook_endpoints.MAX_URL, format="uri"), "events": _EVENTS}
_ENDPOINT_OPTIONS: Fields = {"description": free_text(webhook_endpoints.MAX_DESCRIPTION)}
_QUOTE_ENDS: Fields = {"dropoff": ref("QuotePlace"), "pickup": ref("QuotePlace")}
_RIDE: Fields = {"pickup": ref("RidePlaceGiven"), "destination": ref("RidePlaceGiven")}
_RIDE_OPTIONS: Fields = {"vehicle_type": free_text(40), "notes": free_text()}

REQUESTS: Mapping[str, Schema] = {
    "NewDelivery": input_object(
        {**_DELIVERY, "receiver_phone": PHONE},
        {**_DELIVERY_POINTS, "notes": free_text(), **OPTIONS},
        **_DELIVERY_PAIRS,
    ),
    "NewHail": input_object(
        _HAIL, {**_HAIL_POINTS, "order_type": free_text(40), **OPTIONS}, **_HAIL_PAIRS
    ),
    "RidePlaceGiven": _RIDE_PLACE,
    "NewRide": input_object(_RIDE, {**_RIDE_OPTIONS, **OPTIONS}),
    "OrderItem": input_object(
        {
            "name": text(MAX_ITEM_NAME),
            "quantity": {"type": "integer", "minimum": 1, "maximum": MAX_QUANTITY},
            "price": number(0, MAX_PRICE, description="At most two decimals."),
        }
    ),
    "NewMeal": input_object(
        {**_DOOR, "items": array_of(ref("OrderItem"), minItems=1, maxItems=MAX_ITEMS)},
        {**_DOOR_POINT, "notes": free_text(), **OPTIONS},
        **_pairs(("latitude", "longitude")),
    ),
    "OrderPatch": any_of(*_PATCHES.values()),
    "Cancellation": input_object({}, {"reason": REASON, "note": NOTE}),
    "Assignment": input_object({"courier_id": text(128)}, _HAND),
    "ReleaseByHand": input_object({}, {"courier_id": free_text(128), **_HAND}),
    "Hand": input_object({}, _HAND),
    "FailureByHand": input_object({}, {"then": choice(FAILURE_STEPS), **_HAND}),
    "Windows": input_object({}, WINDOWS),
    "Availability": input_object(
        {"available": BOOLEAN}, {"lat": _degrees(90), "lng": _degrees(180), **fix_fields("ts")}
    ),
    "Position": make_fix("lat", "lng", "ts"),
    "Positions": input_object(
        {"points": array_of(make_fix("lat", "lng", "ts"), minItems=1, maxItems=MAX_LOCATIONS)}
    ),
    "OrderChoice": _step(),
    "OrderStep": _step(optional={"pin": PIN}),
    "Decline": _step(optional={"reason": REASON, "note": NOTE}),
    "Release": _step({"reason": choice(ALLOWED_REASONS[Role.COURIER])}, {"note": NOTE}),
    "NoShow": _step(
        optional={
            "reason": choice(FAILURE_REASONS),
            "note": NOTE,
            "then": choice(FAILURE_STEPS),
        }
    ),
    "Failure": _step(
        {"reason": choice(FAILURE_REASONS), "then": choice(FAILURE_STEPS)}, {"note": NOTE}
    ),
    "DriverDecline": input_object({}, {"reason": REASON, "note": NOTE}),
    "RestaurantProfile": input_object(
        {"name": text(), "address": _ADDRESS, "latitude": LAT, "longitude": LNG}
    ),
    "DriverRating": input_object(
        {"ride_id": ID, "rating": {"type": "integer", "minimum": 1, "maximum": 5}},
        {"comment": free_text()},
    ),
    "RidePayment": input_object(
        {"ride_id": ID, "method": text(40, pattern=_WORD)},
        {"upi_id": free_text(100), "amount": AMOUNT},
    ),
    "NewPayment": input_object(
        {"order_id": ID, "method": text(40, pattern=_WORD)},
        {"upi_id": free_text(100)},
    ),
    "PaymentResult": input_object(
        {"payment_id": text(128), "status": choice(["completed", "failed", "refunded"])},
        {"transaction_id": free_text(128), "error": free_text()},
    ),
    "NewPayout": input_object(
        {"amount": AMOUNT, "bank_account": text(40, pattern=rf"^\s*{ACCOUNT}\s*$")}
    ),
    "PayoutTransfer": input_object({"transaction_id": text(128)}),
    "NewTip": input_object({"amount": AMOUNT}),
    "Announcement": input_object({"msg": text(MAX_ANNOUNCEMENT)}),
    "QuotePlace": _QUOTE_PLACE,
    "QuoteRequest": one_of(
        *(
            input_object({"flow": only(flow), **_QUOTE_ENDS}, {"pickup_from": input_time(), **more})
            for flow, more in {
                "delivery": {},
                "hail": {},
                "ride": {"vehicle_type": free_text(40)},
            }.items()
        ),
        input_object(
            {
                "flow": only("food"),
                "dropoff": ref("QuotePlace"),
                "restaurant_id": {**text(128), "type": ["string", "integer"]},
            },
            {
                "pickup_from": input_time(),
                "items": array_of(ref("OrderItem"), minItems=1, maxItems=MAX_ITEMS),
            },
        ),
    ),
    "ProofUpload": input_object(
        {
            "stop": choice(Stop),
            "kind": choice(sorted(FILE_KINDS)),
            "content_type": choice(CONTENT_TYPES),
        }
    ),
    "ProofOverride": input_object(
        {"stop": choice(Stop), "kind": _KINDS, "reason": choice(OVERRIDE_REASONS)}
    ),
    "Profile": input_object(
        {"name": text(), "phone": PHONE},
        {
            "profile_picture": free_text(MAX_URL, description="An http or https URL."),
            "vehicle": free_text(),
            "vehicle_type": free_text(40),
        },
    ),
    "NewWebhook": input_object(_ENDPOINT, {**_ENDPOINT_OPTIONS, "merchant_id": _MERCHANT_ID}),
    "WebhookPatch": {
        "type": "object",
        "properties": {
            **_ENDPOINT,
            **input_object({}, {**_ENDPOINT_OPTIONS, "merchant_id": _MERCHANT_ID})["properties"],
            "status": choice(EndpointStatus),
        },
        "additionalProperties": False,
    },
    "TrackingNote": input_object({"note": text(tracking_links.MAX_NOTE)}),
    "WebhookResend": input_object({"event_id": text(webhook_endpoints.MAX_WEBHOOK_ID)}),
    "WebhookReplay": input_object(
        {"since": input_time(description=f"At most {LOGGED_FOR.days} days ago.")}
    ),
}
