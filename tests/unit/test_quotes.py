"""Quotes: what they cost, what they hold for, and that nobody can change one."""

from __future__ import annotations

import string
from datetime import timedelta, timezone
from typing import Any

import jwt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.contracts.quotes import read_quote_request, render_quote
from chalicelib.domain.details import Estimate, OrderItem, Place, Trip
from chalicelib.domain.money import quotes
from chalicelib.domain.money.fares import Tariff, estimate_trip, itemize_trip
from chalicelib.domain.money.pricing import Price, compute_final_price, estimate_price
from chalicelib.domain.money.quotes import PURPOSE, IssuedQuote, Quote, QuoteRequest
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.options import NO_OPTIONS
from chalicelib.domain.price_lines import PriceLine, sum_minor
from chalicelib.domain.signed_tokens import TokenSigner
from chalicelib.errors import InvalidInput, QuoteExpired, QuoteMismatch
from tests.builders import DEPOT, NOW, a_job, an_order, north_of

SECRET = "a-secret-that-only-these-tests-use-0123456789"
SIGNER = TokenSigner(SECRET, PURPOSE)
DOOR = north_of(DEPOT, 2000)
SOUP, BREAD = OrderItem("Soup", 2, 450), OrderItem("Bread", 1, 10)
LINES = (PriceLine("base", 60_00), PriceLine("distance", 31_20))
ALPHABET = string.ascii_letters + string.digits + "-_"


def a_quote(**changes: Any) -> Quote:
    """A quote for the parcel that a_job() is, good for 10 min from NOW."""
    asked = quotes.describe_order(a_job(), None)
    expires_at_s = int((NOW + timedelta(minutes=10)).timestamp())
    return replace(Quote(asked, LINES, expires_at_s), **changes)


TOKEN = quotes.sign_quote(a_quote(), SIGNER)


# Prices

prices = st.integers(0, 10**9 - 1)
points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(st.builds(Tariff, prices, prices, prices), points, points)
def test_the_lines_of_a_trip_add_up_to_its_estimate(tariff: Tariff, a: Any, b: Any) -> None:
    lines = itemize_trip(a, b, tariff)
    assert sum_minor(lines) == estimate_trip(a, b, tariff).fare_minor
    assert all(line.amount_minor >= 0 for line in lines)


def test_a_line_for_the_time_is_there_only_where_time_costs() -> None:
    kinds = [line.kind for line in Tariff(60_00, 12_00, 0).itemize_fare(1000, 600)]
    assert kinds == ["base", "distance"]
    assert Tariff(250, 120, 25).itemize_fare(1000, 600) == (
        PriceLine("base", 250),
        PriceLine("distance", 120),
        PriceLine("time", 250),
    )


def test_an_order_costs_what_it_was_quoted_and_else_what_it_always_did() -> None:
    assert compute_final_price(an_order(Status.DONE)) == Price(0, 0)
    assert compute_final_price(an_order(Status.DONE, price=LINES)) == Price(0, 91_20)


def test_a_quoted_meal_is_its_items_and_a_fee() -> None:
    meal = a_job(flow="food", merchant_id="789", items=(SOUP, BREAD))
    lines = (PriceLine("items", 910), *LINES)
    assert compute_final_price(an_order(Status.DONE, details=meal, price=lines)) == Price(
        910, 91_20
    )
    assert compute_final_price(an_order(Status.DONE, details=meal)) == Price(910, 30_00)


def test_a_quoted_ride_costs_its_quote_however_far_it_went() -> None:
    ride = a_job(flow="ride", estimate=Estimate(2600, 375, 700))
    trip = Trip(distance_m=50_000, duration_s=9000, fare_minor=99_99)
    done = an_order(Status.DONE, details=ride, trip=trip)
    assert compute_final_price(done) == Price(99_99, 0)
    assert compute_final_price(replace(done, price=LINES)) == Price(91_20, 0)


def test_a_quoted_fare_is_the_estimate_that_everybody_is_told() -> None:
    ride = a_job(flow="ride", estimate=Estimate(2600, 375, 700))
    assert quotes.with_quoted_fare(ride, LINES).estimate == Estimate(2600, 375, 91_20)
    assert quotes.with_quoted_fare(a_job(), LINES) == a_job()
    assert estimate_price(a_job(), LINES).total_minor == 91_20


# Tokens


def test_a_quote_is_read_as_it_was_signed() -> None:
    assert quotes.read_quote(TOKEN, SIGNER) == a_quote()


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_no_character_of_a_token_can_be_another(place: int) -> None:
    """Also those that base64 would decode to the same bytes."""
    for other in set(ALPHABET + "=. +/é\x00\ud800") - {TOKEN[place]}:
        tampered = TOKEN[:place] + other + TOKEN[place + 1 :]
        with pytest.raises(InvalidInput):
            quotes.read_quote(tampered, SIGNER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "x",
        "a.b",
        TOKEN[:-1],
        TOKEN[1:],
        TOKEN + "A",
        TOKEN + "=",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.partition(".")[0],
        "." + TOKEN.partition(".")[2],
        TOKEN.replace(".", ".."),
        TOKEN + "." + TOKEN.partition(".")[2],
        TOKEN.upper(),
        "\ud800." * 3,
        "é" * 40,
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        quotes.read_quote(text, SIGNER)


@given(st.text())
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(InvalidInput):
        quotes.read_quote(text, SIGNER)


def test_another_secret_or_purpose_signs_no_quotes() -> None:
    for other in (TokenSigner(SECRET + "x", PURPOSE), TokenSigner(SECRET, "cursor")):
        with pytest.raises(InvalidInput):
            quotes.read_quote(quotes.sign_quote(a_quote(), other), SIGNER)


def test_a_jwt_is_no_quote_and_a_quote_is_no_jwt() -> None:
    token = jwt.encode({"sub": "cara", "exp": 2**31}, SECRET, "HS256")
    with pytest.raises(InvalidInput):
        quotes.read_quote(token, SIGNER)
    with pytest.raises(jwt.InvalidTokenError):
        jwt.decode(TOKEN, SECRET, ["HS256"])


def test_what_was_signed_with_another_layout_is_refused() -> None:
    for payload in (b"", b"{}", b"[]", b"[1,2,3]", b"\xff", msgspec.json.encode(TOKEN)):
        with pytest.raises(InvalidInput):
            quotes.read_quote(SIGNER.sign_payload(payload), SIGNER)


def test_there_is_no_signer_without_a_secret() -> None:
    with pytest.raises(ValueError, match="secret"):
        TokenSigner("", PURPOSE)


# What a quote holds for


def check(quote: Quote, seconds: float = 0, **changes: Any) -> None:
    """Check a quote for the order that a_job() is, with changes, that long after NOW."""
    asked = quotes.describe_order(a_job(**changes), None)
    quotes.check_quote(quote, asked, NOW + timedelta(seconds=seconds))


def test_a_quote_holds_until_it_expires_to_the_second() -> None:
    check(a_quote())
    check(a_quote(), 599.999)
    for seconds in (600, 600.001, 10**9):
        with pytest.raises(QuoteExpired):
            check(a_quote(), seconds)


def test_a_quote_lives_as_long_as_it_says_at_least() -> None:
    now, ttl = NOW + timedelta(microseconds=1), timedelta(seconds=600)
    assert quotes.compute_expiry_s(NOW, ttl) == NOW.timestamp() + 600
    assert quotes.compute_expiry_s(now, ttl) == NOW.timestamp() + 601


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"customer_id": "carl"}, "caller"),
        ({"flow": "hail"}, "flow"),
        ({"merchant_id": "789"}, "restaurant_id"),
        ({"pickup": Place("1 Depot Road", DEPOT[0] + 1e-9, DEPOT[1])}, "pickup"),
        ({"pickup": Place("1 Depot Road")}, "pickup"),
        ({"dropoff": Place("2 Door Street", DEPOT[0], DEPOT[1])}, "dropoff"),
        ({"items": (SOUP,)}, "items"),
    ],
)
def test_a_quote_is_for_one_request_only(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(QuoteMismatch) as refused:
        check(a_quote(), **changes)
    assert refused.value.details == {"field": field}


def test_words_make_no_difference_to_a_quote() -> None:
    check(
        a_quote(),
        pickup=Place("Round the corner", *DEPOT),
        dropoff=Place("Upstairs", *DOOR),
        receiver_phone="+4930123456",
        notes="Ring twice",
    )


def test_the_order_of_items_makes_no_difference_their_number_does() -> None:
    one, two = (a_job(items=items) for items in ((SOUP, BREAD), (BREAD, SOUP)))
    more, dearer = replace(SOUP, quantity=3), replace(SOUP, price_minor=451)
    quoted = quotes.describe_order(one, None)
    assert quotes.find_mismatch(quoted, quotes.describe_order(two, None)) is None
    for other in ((SOUP,), (SOUP, BREAD, BREAD), (more, BREAD), (dearer, BREAD), ()):
        asked = quotes.describe_order(a_job(items=other), None)
        assert quotes.find_mismatch(quoted, asked) == "items"


def test_the_type_of_a_ride_counts_by_what_it_means() -> None:
    ride = a_job(flow="ride", vehicle_type="standard")
    quoted = quotes.describe_request(
        "cara", QuoteRequest("ride", ride.dropoff, ride.pickup, vehicle_type=" Standard "), DEPOT
    )
    assert quotes.find_mismatch(quoted, quotes.describe_order(ride, None)) is None
    premium = quotes.describe_order(replace(ride, vehicle_type="premium"), None)
    assert quotes.find_mismatch(quoted, premium) == "vehicle_type"


def test_a_window_counts_as_the_moment_that_it_is_in_whatever_zone() -> None:
    berlin = NOW.astimezone(timezone(timedelta(hours=2)))
    quoted = quotes.describe_order(a_job(), NOW)
    assert quotes.find_mismatch(quoted, quotes.describe_order(a_job(), berlin)) is None
    for other in (None, NOW + timedelta(seconds=1)):
        asked = quotes.describe_order(a_job(), other)
        assert quotes.find_mismatch(quoted, asked) == "pickup_from"
    assert quotes.get_pickup_from(NO_OPTIONS) is None


def test_the_largest_quote_there_can_be_is_read_again() -> None:
    request = replace(a_quote().request, caller="😀" * 128, restaurant_id="\n" + "😀" * 126 + "\n")
    lines = tuple(PriceLine("x" * 20, 10**15) for _ in range(5))
    quote = a_quote(request=request, lines=lines)
    token = quotes.sign_quote(quote, SIGNER)
    assert len(token) < 4096
    assert quotes.read_quote(token, SIGNER) == quote


# The contract

ASKED: dict[str, Any] = {
    "flow": "delivery",
    "pickup": {"address": "Mill 1", "lat": 52.52, "lng": 13.41},
    "dropoff": {"lat": 52.5, "lng": 13},
}


def test_a_request_is_read() -> None:
    assert read_quote_request(ASKED, NOW) == QuoteRequest(
        "delivery", Place("", 52.5, 13.0), Place("Mill 1", 52.52, 13.41)
    )
    meal = {"flow": "food", "restaurant_id": 789, "dropoff": ASKED["dropoff"], "pickup": None}
    assert read_quote_request(meal, NOW).restaurant_id == "789"


BAD_PLACES: list[Any] = [
    None,
    "Mill 1",
    5,
    [],
    [52.5, 13],
    {},
    {"address": "Mill 1"},
    {"lat": 52.5},
    {"lat": "52.5", "lng": "13"},
    {"lat": True, "lng": 13},
    {"lat": float("nan"), "lng": 13},
    {"lat": float("inf"), "lng": 13},
    {"lat": 90.1, "lng": 13},
    {"lat": 52.5, "lng": -180.1},
    {"lat": 10**400, "lng": 13},
    {"lat": 52.5, "lng": 13, "address": 5},
    {"lat": 52.5, "lng": 13, "address": "x" * 501},
]


@pytest.mark.parametrize("place", BAD_PLACES)
@pytest.mark.parametrize("name", ["pickup", "dropoff"])
def test_what_is_no_place_is_refused(name: str, place: Any) -> None:
    with pytest.raises(InvalidInput):
        read_quote_request({**ASKED, name: place}, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"flow": None},
        {"flow": ""},
        {"flow": "Delivery"},
        {"flow": "teleport"},
        {"flow": ["delivery"]},
        {"flow": {"a": 1}},
        {"flow": 1},
        {"restaurant_id": "789"},
        {"flow": "ride", "vehicle_type": 5},
        {"flow": "ride", "vehicle_type": "x" * 41},
        {"flow": "food"},
        {"flow": "food", "pickup": None},
        {"flow": "food", "restaurant_id": "789"},
        {"flow": "food", "pickup": None, "restaurant_id": ""},
        {"flow": "food", "pickup": None, "restaurant_id": True},
        {"flow": "food", "pickup": None, "restaurant_id": 1.5},
        {"flow": "food", "pickup": None, "restaurant_id": "x" * 129},
        {"flow": "food", "pickup": None, "restaurant_id": "789", "items": []},
        {"flow": "food", "pickup": None, "restaurant_id": "789", "items": "soup"},
        {"flow": "food", "pickup": None, "restaurant_id": "789", "items": [{"name": "Soup"}]},
    ],
)
def test_what_no_order_could_be_is_not_quoted(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        read_quote_request({**ASKED, **changes}, NOW)


@pytest.mark.parametrize("flow", ["delivery", "hail"])
def test_what_an_order_of_the_flow_cant_say_makes_no_difference(flow: str) -> None:
    asked = {**ASKED, "flow": flow}
    more = {"vehicle_type": "standard", "items": [{"name": "Soup", "quantity": 1, "price": 1}]}
    assert read_quote_request({**asked, **more}, NOW) == read_quote_request(asked, NOW)


@pytest.mark.parametrize(
    "text",
    ["2031-05-06T07:08:09Z", "2031-05-06T09:08:09+02:00", "2031-06-05 03:08:08.5-04:00"],
)
def test_a_time_from_now_to_30_days_ahead_is_a_window(text: str) -> None:
    found = read_quote_request({**ASKED, "pickup_from": text}, NOW).pickup_from
    assert found is not None
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "tonight",
        "2031-05-06T08:00:00",
        "2031-05-06",
        "20310506T080000Z",
        "2031-05-06T08:00Z",
        "2031-02-30T08:00:00Z",
        "2031-05-06T25:00:00Z",
        "2031-05-06T08:00:00+25:00",
        "2031-05-06T08:00:00+01",
        "2031-05-06T07:08:08Z",
        "2031-06-05T07:08:10Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2031-05-06T08:00:00Z\n",
        "２０３１-05-06T08:00:00Z",
        1_935_000_000,
        1.5,
        True,
        [],
        {},
    ],
)
def test_what_is_no_window_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput):
        read_quote_request({**ASKED, "pickup_from": value}, NOW)


def test_a_quote_is_rendered_in_numbers_and_rfc_3339() -> None:
    body = render_quote(IssuedQuote("id", a_quote(), 2598.7, 3, 10))
    assert body == {
        "quote_id": "id",
        "flow": "delivery",
        "lines": [{"kind": "base", "amount": 60}, {"kind": "distance", "amount": 31.2}],
        "total": 91.2,
        "currency": "INR",
        "distance_km": 2.6,
        "pickup_eta_min": 3,
        "dropoff_eta_min": 10,
        "expires_at": "2031-05-06T07:18:09.000Z",
        "serviceable": True,
    }


def test_where_nobody_can_be_asked_there_is_a_reason_and_no_minutes() -> None:
    body = render_quote(IssuedQuote("id", a_quote(), 2598.7, reason=quotes.NO_COURIERS_NEAR))
    assert (body["serviceable"], body["reason"]) == (False, "no_couriers_near")
    assert body["total"] == 91.2
    assert not body.keys() & {"pickup_eta_min", "dropoff_eta_min"}
