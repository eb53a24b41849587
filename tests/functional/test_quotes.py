"""Quotes: asked for, placed with, and billed, in every flow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.details import Place
from chalicelib.domain.money.quotes import QuoteRequest
from chalicelib.domain.orders.options import NO_OPTIONS
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import InvalidInput, Unavailable
from chalicelib.store.tables import MODELS, OrderRow
from tests.builders import DEPOT, a_job, north_of
from tests.fakes import Clock
from tests.faults import answers_lost
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.feeds import a_feed, a_profile
from tests.functional.kitchen import BREAD, SOUP, a_driver, an_owner
from tests.functional.rides import WISH, a_rider, locate
from tests.functional.rides import a_driver as a_ride_driver
from tests.functional.test_money import balance_of, pay
from tests.functional.world import Answer, Someone, World

DOOR = north_of(DEPOT, 5000)
HERE = {"lat": DEPOT[0], "lng": DEPOT[1]}
THERE = {"lat": DOOR[0], "lng": DOOR[1]}
PARCEL = {
    "pickup_address": "1 Depot Road",
    "pickup_lat": DEPOT[0],
    "pickup_lng": DEPOT[1],
    "dropoff_address": "2 Door Street",
    "dropoff_lat": DOOR[0],
    "dropoff_lng": DOOR[1],
    "receiver_phone": "+911234567890",
}
HAIL = {
    "address_from": "1 Depot Road",
    "address_to": "2 Door Street",
    "latitude_from": str(DEPOT[0]),
    "longitude_from": str(DEPOT[1]),
    "latitude_to": DOOR[0],
    "longitude_to": DOOR[1],
}
MEAL = {
    "items": [SOUP, BREAD],
    "deliveryAddress": "2 Door Street",
    "latitude": DOOR[0],
    "longitude": DOOR[1],
}
RESTAURANT = "/v1/restaurants/789"

# What a quote of each flow is asked with, and the order that it is for.
Placing = tuple[dict[str, Any], str, dict[str, Any]]
PLACINGS: dict[str, Placing] = {
    "delivery": ({"pickup": HERE}, "/v1/orders", PARCEL),
    "hail": ({"pickup": HERE}, "/v1/driver-orders", HAIL),
    "ride": ({"pickup": HERE}, "/v1/riders/rides", WISH),
    "food": ({"restaurant_id": 789, "items": [SOUP, BREAD]}, f"{RESTAURANT}/orders", MEAL),
}


def ask(world: World, who: Someone, flow: str = "delivery", **changes: Any) -> Answer:
    """Ask for a quote of the way that the orders here have; a change to None leaves a field out."""
    body = {"flow": flow, "dropoff": THERE, **PLACINGS[flow][0], **changes}
    body = {name: value for name, value in body.items() if value is not None}
    return world.post("/v1/quotes", body, who)


def quote(world: World, who: Someone, flow: str = "delivery", **changes: Any) -> dict[str, Any]:
    """Ask for a quote that is made."""
    answer = ask(world, who, flow, **changes)
    assert answer.status == 200, answer
    return dict(answer.body)


def place(
    world: World, who: Someone, quote_id: Any, flow: str = "delivery", **changes: Any
) -> Answer:
    """Place the order of a flow with a quote."""
    _, path, body = PLACINGS[flow]
    return world.post(path, {**body, "quote_id": quote_id, **changes}, who)


def id_of(placed: Answer) -> str:
    """The id of an order that was placed."""
    assert placed.status == 201, placed
    return str(placed.body.get("id") or placed.body["ride_id"])


@pytest.fixture
def cara(world: World) -> Someone:
    """A customer, where there is a courier near by and a restaurant with a place."""
    open_restaurant(world)
    world.courier()
    a_ride_driver(world)
    return world.customer()


def open_restaurant(world: World) -> None:
    """Give restaurant 789 its place: the depot."""
    profile = {
        "name": "Soup & Co",
        "address": "1 Depot Road",
        "latitude": DEPOT[0],
        "longitude": DEPOT[1],
    }
    saved = world.call("PUT", RESTAURANT, profile, an_owner(world))
    assert saved.status == 200, saved


# What a quote says


@pytest.mark.parametrize("flow", PLACINGS)
def test_a_quote_of_each_flow_says_what_it_costs_and_how_long_it_takes(
    world: World, cara: Someone, flow: str
) -> None:
    body = quote(world, cara, flow)
    assert body["flow"] == flow
    assert body["serviceable"] is True
    assert "reason" not in body
    assert body["total"] == pytest.approx(sum(line["amount"] for line in body["lines"]))
    kinds = [line["kind"] for line in body["lines"]]
    assert {"base", "distance"} <= set(kinds)
    assert ("items" in kinds) is (flow == "food")
    assert body["currency"] == "INR"
    assert body["distance_km"] == 6.5  # 5 km on the crow's line, by road
    to_pickup = 15 if flow == "food" else 1  # a meal takes as long as it is cooked
    assert (body["pickup_eta_min"], body["dropoff_eta_min"]) == (to_pickup, to_pickup + 16)
    assert body["expires_at"] == "2031-05-06T07:18:10.000Z"
    assert {type(body[name]) for name in ("pickup_eta_min", "dropoff_eta_min")} == {int}
    assert isinstance(body["quote_id"], str)


def test_each_flow_has_a_tariff_that_the_settings_say(make_world: MakeWorld) -> None:
    world = make_world(
        settings={
            "delivery_tariff": (1_00, 0, 0),
            "hail_tariff": (2_00, 0, 0),
            "food_tariff": (3_00, 0, 0),
            "ride_tariffs": (("standard", 4_00, 0, 0),),
        }
    )
    open_restaurant(world)
    cara = world.customer()
    totals = {flow: quote(world, cara, flow, items=None)["total"] for flow in PLACINGS}
    assert totals == {"delivery": 1, "hail": 2, "ride": 4, "food": 3}


def test_rides_are_priced_by_their_type(world: World, cara: Someone) -> None:
    standard = quote(world, cara, "ride")["total"]
    assert quote(world, cara, "ride", vehicle_type="STANDARD ")["total"] == standard
    assert quote(world, cara, "ride", vehicle_type="premium")["total"] > standard
    refused = ask(world, cara, "ride", vehicle_type="sled")
    assert (refused.status, refused.body["details"]) == (400, {"field": "vehicle_type"})


def test_a_ride_costs_by_its_quote_what_it_costs_by_its_estimate(
    world: World, cara: Someone
) -> None:
    estimated = world.post("/v1/riders/rides", WISH, cara).body["estimated_fare"]
    assert quote(world, cara, "ride")["total"] == estimated


@pytest.mark.parametrize("role", [Role.COURIER, Role.MERCHANT, Role.ADMIN])
def test_only_customers_ask_for_quotes(world: World, role: Role) -> None:
    assert ask(world, world.someone(role, "x")).status == 403
    assert world.post("/v1/quotes", {}).status == 401


def test_a_restaurant_without_a_place_is_not_found(world: World) -> None:
    refused = ask(world, world.customer(), "food")
    assert (refused.status, refused.body["error"]) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"flow": "delivery"}',
        b'{"flow": "delivery", "pickup": {"lat": NaN, "lng": 1}, "dropoff": {"lat": 1, "lng": 1}}',
        b'{"flow": "delivery", "pickup": {"lat": 1e999, "lng": 1}, "dropoff": {}}',
        b'{"flow": "hail", "pickup": "1,1", "dropoff": "1,1"}',
        b'{"flow": "ride", "pickup": {"lat": 1, "lng": 1}, "dropoff": null}',
        b'{"flow": "food", "restaurant_id": null, "dropoff": {"lat": 1, "lng": 1}}',
        b'{"flow": "food", "restaurant_id": "\\ud800", "dropoff": {"lat": 1, "lng": 1}}',
    ],
)
def test_a_wrong_body_is_refused(world: World, body: bytes) -> None:
    refused = world.call("POST", "/v1/quotes", body, world.customer())
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")


@pytest.mark.parametrize("place", [(90, 180), (-90, -180), (0, 0), (52.5, 180)])
def test_the_ends_of_the_world_have_a_price(world: World, place: tuple[float, float]) -> None:
    there = {"lat": place[0], "lng": place[1]}
    body = quote(world, world.customer(), pickup=there, dropoff={"lat": -place[0], "lng": 0})
    assert body["serviceable"] is False
    assert body["total"] >= 60


@pytest.mark.parametrize("secret", ["", "x" * 31])
def test_without_a_good_secret_there_are_no_quotes(make_world: MakeWorld, secret: str) -> None:
    settings = {"jwt_secret": "", "payment_webhook_secret": secret}
    quotes = make_world(settings=settings).waybill.quotes
    request = QuoteRequest("delivery", Place("", *DOOR), Place("", *DEPOT))
    with pytest.raises(Unavailable):
        quotes.make_quote(Actor("cara", Role.CUSTOMER), request)
    with pytest.raises(InvalidInput):
        quotes.redeem_quote("x", a_job(), NO_OPTIONS)


def test_beside_public_keys_the_secret_of_the_webhook_signs(make_world: MakeWorld) -> None:
    settings = {"jwt_secret": "", "payment_webhook_secret": "x" * 32}
    quotes = make_world(settings=settings).waybill.quotes
    request = QuoteRequest("delivery", Place("", *DOOR), Place("", *DEPOT))
    issued = quotes.make_quote(Actor("cara", Role.CUSTOMER), request)
    order = a_job(pickup=request.pickup, dropoff=request.dropoff)
    assert quotes.redeem_quote(issued.id, order, NO_OPTIONS) == issued.quote


# Who is near


@pytest.mark.parametrize("flow", PLACINGS)
def test_without_couriers_near_a_quote_has_a_price_and_a_reason(world: World, flow: str) -> None:
    open_restaurant(world)
    world.courier("far", north_of(DEPOT, 5500))
    world.courier("off", available=False)
    a_ride_driver(world, "away", at=north_of(DEPOT, 5500))
    body = quote(world, world.customer(), flow)
    assert (body["serviceable"], body["reason"]) == (False, "no_couriers_near")
    assert body["total"] > 0
    assert not body.keys() & {"pickup_eta_min", "dropoff_eta_min"}
    # The price is promised all the same: somebody may have come meanwhile.
    assert place(world, world.customer(), body["quote_id"], flow).status == 201


def test_the_nearest_courier_in_the_index_says_how_long_it_takes(
    make_engine_world: MakeWorld,
) -> None:
    world = make_engine_world()
    cara = world.customer()
    assert quote(world, cara)["serviceable"] is False
    world.courier("dan", north_of(DEPOT, 3000))
    assert quote(world, cara)["pickup_eta_min"] == 10
    world.courier("eve", north_of(DEPOT, 1000))
    assert quote(world, cara)["pickup_eta_min"] == 4
    world.place(cara)  # it is offered to eve, who is free no longer
    assert quote(world, cara)["pickup_eta_min"] == 10


def test_an_old_position_is_not_near(world: World) -> None:
    world.courier()
    world.clock.advance(121)
    assert quote(world, world.customer())["serviceable"] is False


def test_a_ride_wants_a_connected_driver_of_the_type_who_is_not_the_rider(world: World) -> None:
    world.courier("silent")
    a_ride_driver(world, "premium", vehicle_type="premium")
    a_ride_driver(world, "rita")
    assert quote(world, world.customer("rita"), "ride")["serviceable"] is False
    assert quote(world, world.customer(), "ride")["serviceable"] is True
    assert quote(world, world.customer("rita"), "ride", vehicle_type="premium")["serviceable"]


def test_a_meal_is_for_the_pool_wherever_its_drivers_are(
    make_engine_world: MakeWorld,
) -> None:
    world = make_engine_world()
    open_restaurant(world)
    cara = world.customer()
    assert quote(world, cara, "food")["serviceable"] is False
    driver = world.connect(a_driver(world), "food")
    assert quote(world, cara, "food")["pickup_eta_min"] == 15
    driver.close()
    assert quote(world, cara, "food")["serviceable"] is False
    world.connect(a_driver(world), "food").lose()
    world.clock.advance(3 * 3600)  # no socket lives that long, whether its end was noted or not
    assert quote(world, cara, "food")["serviceable"] is False


def test_for_later_nobody_need_be_near_now(world: World) -> None:
    cara = world.customer()

    def ask_for(seconds: float) -> dict[str, Any]:
        at = world.clock.now + timedelta(seconds=seconds)
        return quote(world, cara, pickup_from=at.isoformat())

    assert ask_for(1200)["serviceable"] is False  # it would be searched for at once
    later = ask_for(7200)
    assert later["serviceable"] is True
    assert (later["pickup_eta_min"], later["dropoff_eta_min"]) == (120, 136)
    world.courier()
    assert ask_for(600)["pickup_eta_min"] == 10


# What it takes


def everything() -> dict[str, list[str]]:
    """All that is stored."""
    return {
        model.__name__: sorted(repr(sorted(row.serialize().items())) for row in model.scan())
        for model in MODELS
    }


@contextmanager
def calls(world: World) -> Iterator[Counter[str]]:
    """Count the calls of DynamoDB meanwhile."""
    seen: Counter[str] = Counter()
    events = world.engine.connection.client.meta.events

    def count(model: Any, **_: Any) -> None:
        seen[model.name] += 1

    events.register("before-call.dynamodb", count)
    try:
        yield seen
    finally:
        events.unregister("before-call.dynamodb", count)


def test_a_quote_writes_nothing_and_reads_a_little(world: World, cara: Someone) -> None:
    """Nor does it take out of the index who is lost there, as dispatch does."""
    world.courier("lost")
    world.clock.advance(200)
    world.post("/v1/courier/location", HERE, world.someone(Role.COURIER, "dan"))
    before = everything()
    with calls(world) as seen:
        quote(world, cara)
    assert seen == {"Query": 1, "BatchGetItem": 1}
    with calls(world) as seen:
        quote(world, cara, "food")
    assert seen == {"GetItem": 1, "Query": 1, "BatchGetItem": 1}
    assert everything() == before


def test_a_quote_without_anybody_near_asks_each_cell_within_reach_once(world: World) -> None:
    with calls(world) as seen:
        quote(world, world.customer())
    assert seen.keys() == {"Query"}
    assert seen["Query"] <= 40


def test_of_a_crowd_few_are_read(world: World) -> None:
    for n in range(30):
        world.courier(f"c{n}")
    read: list[int] = []
    events = world.engine.connection.client.meta.events

    def count(params: dict[str, Any], **_: Any) -> None:
        (asked,) = json.loads(params["body"])["RequestItems"].values()
        read.append(len(asked["Keys"]))

    events.register("before-call.dynamodb.BatchGetItem", count)
    try:
        assert quote(world, world.customer())["serviceable"] is True
    finally:
        events.unregister("before-call.dynamodb.BatchGetItem", count)
    assert read == [10]


def test_a_crowd_that_can_not_be_asked_is_not_read_to_its_end(world: World) -> None:
    for n in range(150):
        world.courier(f"c{n}")
    world.clock.advance(200)  # their positions are old, and nobody has taken them out yet
    with calls(world) as seen:
        assert quote(world, world.customer())["serviceable"] is False
    assert seen["BatchGetItem"] <= 10


# Placing by a quote


@pytest.mark.parametrize("flow", PLACINGS)
def test_an_order_placed_with_a_quote_has_its_price(world: World, cara: Someone, flow: str) -> None:
    found = quote(world, cara, flow)
    placed = place(world, cara, found["quote_id"], flow)
    price = {name: found[name] for name in ("lines", "total", "currency")}
    assert placed.body["price"] == price
    path = f"/v1/rides/{id_of(placed)}" if flow == "ride" else f"/v1/orders/{id_of(placed)}"
    assert world.get(path, cara).body["price"] == price
    paid = pay(world, cara, id_of(placed))
    assert (paid.status, paid.body["amount"]) == (201, found["total"])


@pytest.mark.parametrize("flow", PLACINGS)
def test_without_a_quote_nothing_is_different(world: World, cara: Someone, flow: str) -> None:
    _, path, body = PLACINGS[flow]
    placed = world.post(path, body, cara)
    assert "price" not in placed.body
    costs = {"delivery": 0, "hail": 0, "ride": quote(world, cara, "ride")["total"], "food": 39.1}
    assert pay(world, cara, id_of(placed)).body["amount"] == costs[flow]
    assert world.order(id_of(placed)).price == ()


def test_a_price_stays_whatever_the_tariffs_become(make_world: MakeWorld) -> None:
    clock = Clock()
    dear = make_world(settings={"ride_tariffs": (("standard", 900, 0, 0),)}, clock=clock)
    quote_id = quote(dear, dear.customer(), "ride")["quote_id"]
    world = make_world(clock=clock)
    placed = place(world, world.customer(), quote_id, "ride")
    assert placed.body["price"]["total"] == placed.body["estimated_fare"] == 9


def test_a_quote_may_be_taken_twice(world: World, cara: Someone) -> None:
    quote_id = quote(world, cara)["quote_id"]
    first, second = (place(world, cara, quote_id) for _ in range(2))
    assert id_of(first) != id_of(second)


def test_words_are_no_part_of_what_was_quoted(world: World, cara: Someone) -> None:
    quote_id = quote(world, cara, pickup={**HERE, "address": "Somewhere"})["quote_id"]
    placed = place(world, cara, quote_id, notes="Ring twice", external_id="a-1")
    assert placed.status == 201


def test_one_quote_in_parallel_prices_every_order(
    make_engine_world: MakeWorld,
) -> None:
    world = make_engine_world()
    cara = world.customer()
    quote_id = quote(world, cara)["quote_id"]
    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda _: place(world, cara, quote_id), range(8)))
    assert len({id_of(answer) for answer in placed}) == 8
    assert {answer.body["price"]["total"] for answer in placed} == {138}


def test_an_answer_that_gets_lost_below_makes_no_second_quoted_ride(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    world = make_engine_world()
    rider = a_rider(world)
    quote_id = quote(world, rider.person, "ride")["quote_id"]
    with answers_lost(engine.connection.client, "PutItem") as lost:
        assert rider.did("request_ride", **WISH, quote_id=quote_id)["estimated_fare"]
    assert lost
    assert len(list(OrderRow.scan())) == 1


MISMATCHES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("delivery", {"pickup": THERE}, {}, "pickup"),
    ("delivery", {"dropoff": HERE}, {}, "dropoff"),
    ("delivery", {}, {"pickup_lat": DEPOT[0] + 1e-7}, "pickup"),
    ("delivery", {}, {"dropoff_lat": None, "dropoff_lng": None}, "dropoff"),
    ("hail", {}, {"latitude_to": "12.97"}, "dropoff"),
    ("hail", {}, {"latitude_from": None, "longitude_from": None}, "pickup"),
    ("ride", {}, {"vehicle_type": "premium"}, "vehicle_type"),
    ("ride", {"vehicle_type": "xl"}, {"vehicle_type": None}, "vehicle_type"),
    ("ride", {}, {"destination": WISH["pickup"]}, "dropoff"),
    ("food", {"items": [SOUP]}, {}, "items"),
    ("food", {"items": None}, {}, "items"),
    ("food", {}, {"items": [SOUP, {**BREAD, "price": 0.2}]}, "items"),
    ("food", {}, {"items": [SOUP, {**BREAD, "quantity": 2}]}, "items"),
    ("food", {}, {"latitude": None, "longitude": None}, "dropoff"),
]


@pytest.mark.parametrize(("flow", "quoted", "ordered", "field"), MISMATCHES)
def test_a_quote_is_for_the_request_that_was_priced(
    world: World,
    cara: Someone,
    flow: str,
    quoted: dict[str, Any],
    ordered: dict[str, Any],
    field: str,
) -> None:
    quote_id = quote(world, cara, flow, **quoted)["quote_id"]
    before = everything()
    refused = place(world, cara, quote_id, flow, **ordered)
    assert (refused.status, refused.body["error"]) == (409, "quote_mismatch"), refused
    assert refused.body["details"] == {"field": field}
    assert everything() == before


def test_a_quote_is_of_one_flow_one_restaurant_one_window(world: World, cara: Someone) -> None:
    hail = quote(world, cara, "hail")["quote_id"]
    other = quote(world, cara, "food")["quote_id"]
    at = world.clock.now + timedelta(hours=2)
    later = quote(world, cara, pickup_from=at.isoformat())["quote_id"]
    for refused, field in (
        (place(world, cara, hail), "flow"),
        (world.post("/v1/restaurants/790/orders", {**MEAL, "quote_id": other}, cara), None),
        (place(world, cara, later), "pickup_from"),
    ):
        assert (refused.status, refused.body["error"]) == (409, "quote_mismatch")
        assert field is None or refused.body["details"] == {"field": field}
    assert not list(OrderRow.scan())


def test_a_quote_is_for_who_asked(world: World, cara: Someone) -> None:
    refused = place(world, world.customer("carl"), quote(world, cara)["quote_id"])
    assert (refused.status, refused.body["error"]) == (409, "quote_mismatch")
    assert refused.body["details"] == {"field": "caller"}


def test_a_quote_expires_after_ten_minutes_to_the_second(world: World, cara: Someone) -> None:
    quote_id = quote(world, cara)["quote_id"]
    world.clock.advance(599.9)
    assert place(world, cara, quote_id).status == 201
    world.clock.advance(0.1)
    refused = place(world, cara, quote_id)
    assert (refused.status, refused.body["error"]) == (409, "quote_expired")


def test_how_long_it_is_good_is_a_setting(make_world: MakeWorld) -> None:
    world = make_world(settings={"quote_ttl": timedelta(seconds=5)})
    cara = world.customer()
    quote_id = quote(world, cara)["quote_id"]
    world.clock.advance(5)
    assert place(world, cara, quote_id).body["error"] == "quote_expired"


def test_what_is_sent_again_is_answered_though_its_quote_has_expired(
    world: World, cara: Someone
) -> None:
    quote_id = quote(world, cara)["quote_id"]
    body, headers = {**PARCEL, "quote_id": quote_id}, {"Idempotency-Key": "k" * 20}
    first = world.call("POST", "/v1/orders", body, cara, headers)
    numbered = place(world, cara, quote_id, external_id="a-1")
    world.clock.advance(601)
    again = world.call("POST", "/v1/orders", body, cara, headers)
    assert (again.headers["idempotent-replayed"], again.body["id"]) == ("true", id_of(first))
    assert place(world, cara, quote_id, external_id="a-1").body["id"] == id_of(numbered)


@pytest.mark.parametrize("flow", PLACINGS)
@pytest.mark.parametrize(
    "sent", ["", " ", "x", "a.b", "x" * 5000, 7, True, [], {}, "é.ü", "eyJhbGciOiJub25lIn0.e30."]
)
def test_what_is_no_quote_is_refused_and_nothing_is_written(
    world: World, cara: Someone, flow: str, sent: Any
) -> None:
    refused = place(world, cara, sent, flow)
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")
    assert refused.body["details"] == {"field": "quote_id"}
    assert not list(OrderRow.scan())


def test_a_token_that_was_tampered_with_is_refused(world: World, cara: Someone) -> None:
    """tests/unit/test_quotes.py tries every character."""
    quote_id = quote(world, cara)["quote_id"]
    payload, _, mac = quote_id.partition(".")
    for sent in (mac + "." + payload, quote_id[:-1], quote_id[1:], quote_id + " ", cara.token):
        refused = place(world, cara, sent)
        assert (refused.status, refused.body["error"]) == (400, "invalid_input"), sent
    assert place(world, cara, None).status == 201


# The bill


def test_a_quoted_ride_is_billed_as_quoted(world: World) -> None:
    """However far it went."""
    rider, driver = a_rider(world), a_ride_driver(world)
    found = quote(world, rider.person, "ride")
    asked = rider.did("request_ride", **WISH, quote_id=found["quote_id"])
    assert asked["estimated_fare"] == found["total"]
    (call,) = driver.heard("new_ride_request")
    assert call["fare_estimate"] == found["total"]
    ride_id = asked["ride_id"]
    driver.did("accept_ride", ride_id=ride_id)
    locate(driver, DEPOT)
    driver.did("start_ride", ride_id=ride_id)
    for minute in range(1, 20):
        world.clock.advance(59)
        locate(driver, north_of(DEPOT, 1000 * minute))
    done = driver.did("complete_ride", ride_id=ride_id)["ride_data"]
    assert (done["fare"], done["distance"]) == (found["total"], 19)
    shown = world.get(f"/v1/rides/{ride_id}", rider.person).body
    assert (shown["fare"], shown["price"]["total"]) == (found["total"], found["total"])
    body = {"ride_id": ride_id, "method": "card", "amount": found["total"]}
    paid = world.post("/v1/riders/payment", body, rider.person)
    assert (paid.status, paid.body["amount"]) == (201, found["total"])


def test_over_the_socket_a_quote_is_refused_by_its_name(world: World) -> None:
    rider = a_rider(world)
    old = quote(world, rider.person, "ride")["quote_id"]
    world.clock.advance(600)
    new = quote(world, rider.person, "ride")["quote_id"]
    for sent, code in ((old, "QUOTE_EXPIRED"), ("x", "INVALID_PAYLOAD"), (5, "INVALID_PAYLOAD")):
        assert rider.ask("request_ride", **WISH, quote_id=sent)["code"] == code
    premium = {**WISH, "vehicle_type": "premium"}
    refused = rider.ask("request_ride", **premium, quote_id=new)
    assert (refused["code"], refused["detail"]) == ("QUOTE_MISMATCH", "See vehicle_type.")
    assert not list(OrderRow.scan())
    assert rider.did("request_ride", **WISH, quote_id=new)


def test_what_a_courier_earns_does_not_depend_on_the_quote(world: World) -> None:
    cara = world.customer()
    earned = {}
    for id_, quoted in (("dan", True), ("eve", False)):
        courier = world.courier(id_)
        quote_id = quote(world, cara)["quote_id"] if quoted else None
        order_id = id_of(place(world, cara, quote_id))
        for verb in ("accept", "arrived", "picked", "delivered"):
            assert world.step(verb, order_id, courier).status == 200
        world.pump()
        earned[id_] = balance_of(world, id_)
        world.post("/v1/courier/availability", {"available": False}, courier)
    assert earned["dan"] == earned["eve"] > 0


def test_the_feed_tells_the_price_that_was_quoted(world: World) -> None:
    cara = a_profile(world, world.customer())
    world.courier()
    feed = a_feed(world, cara, "order_created")
    found = quote(world, cara)
    place(world, cara, found["quote_id"])
    (told,) = feed.take()
    assert told["data"]["total_amount"] == 0
    assert told["data"]["delivery_fee"] == told["data"]["total_with_fee"] == found["total"]
    place(world, cara, None)
    (told,) = feed.take()
    assert told["data"]["total_with_fee"] == 0


def test_nothing_else_is_said_to_the_courier_of_a_quoted_order(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    socket = world.connect(dan)
    for quote_id in (quote(world, cara)["quote_id"], None):
        placed = place(world, cara, quote_id)
        (offer,) = socket.take()
        assert offer["data"].keys() == {
            "order_id",
            "customer_id",
            *(name for name in PARCEL),
        }
        world.step("decline", id_of(placed), dan)
        socket.take()
