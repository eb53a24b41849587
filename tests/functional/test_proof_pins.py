"""PINs at an order's stops: who is told, who may try, and how often."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.orders import commands
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.orders.proof import ProofKind, ProofRules
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput, ProofLocked, WrongPin
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import MODELS, OrderRow
from tests.builders import DEPOT
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.hails import hail
from tests.functional.kitchen import Kitchen, Packets, Plain, a_driver
from tests.functional.rides import WISH, a_rider, enter, locate, register
from tests.functional.test_races import at_once, failures
from tests.functional.world import Answer, Someone, World, log_of

BOTH = {"pickup": "pin", "dropoff": ["pin"]}


def take(world: World, verb: str, order_id: str, by: Someone, pin: Any = None) -> Answer:
    """Take a step, with a PIN if one is given."""
    body = {"order_id": order_id, **({} if pin is None else {"pin": pin})}
    return world.post(f"/v1/courier/orders/{verb}", body, by)


def at_the_door(world: World, **changes: Any) -> tuple[Someone, Someone, str]:
    """A customer, a courier, and an order of theirs that is in transit and wants a PIN."""
    cara, dan = world.customer(), world.courier()
    order = world.place(cara, proof={"dropoff": "pin"}, **changes)
    for verb in ("accept", "arrived", "picked"):
        assert take(world, verb, order["id"], dan).status == 200
    return cara, dan, str(order["id"])


def pin_of(world: World, order_id: str, who: Someone, stop: str = "dropoff") -> str:
    """The PIN that somebody is shown of a stop."""
    return str(world.get(f"/v1/orders/{order_id}", who).body["proof"][stop]["pin"])


def another(pin: str, by: int = 1) -> str:
    """A PIN that is not this one."""
    return f"{(int(pin) + by) % 10**6:06d}"


def test_both_pins_of_a_parcel_are_its_customers_to_tell(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order = world.place(cara, proof=BOTH)
    id_, shown = order["id"], order["proof"]
    for stop in ("pickup", "dropoff"):
        assert shown[stop]["required"] == shown[stop]["missing"] == ["pin"]
        assert len(shown[stop]["pin"]) == 6
        assert shown[stop]["pin"].isdigit()
    assert shown == world.get(f"/v1/orders/{id_}", cara).body["proof"]
    active = world.get("/v1/customer/active-order", cara).body
    assert active["order"]["proof"] == shown
    take(world, "accept", id_, dan)
    take(world, "arrived", id_, dan)
    refused = take(world, "picked", id_, dan)
    assert (refused.status, refused.body["error"]) == (409, "proof_required")
    assert refused.body["details"] == {"stop": "pickup", "missing": ["pin"]}
    picked = take(world, "picked", id_, dan, shown["pickup"]["pin"])
    assert (picked.status, picked.body["status"]) == (200, "picked_up")
    assert picked.body["proof"]["pickup"] == {"required": ["pin"], "missing": []}
    done = take(world, "delivered", id_, dan, shown["dropoff"]["pin"])
    assert (done.status, done.body["status"]) == (200, "delivered")
    assert "pin" not in json.dumps(
        world.get(f"/v1/orders/{id_}", cara).body["proof"]["dropoff"]["missing"]
    )
    # Asked again, without the PIN or with a wrong one, it is the same harmless repeat as ever.
    assert take(world, "delivered", id_, dan).status == 200
    assert take(world, "delivered", id_, dan, "000000").status == 200


def test_nobody_else_is_told_a_pin_anywhere(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cara, dan = world.customer(), world.courier(available=False)
    sockets = [world.connect(cara), world.connect(dan)]
    sockets.append(world.connect(cara, "feed"))
    world.courier()
    order = world.place(cara, proof=BOTH)
    pins = [order["proof"][stop]["pin"] for stop in ("pickup", "dropoff")]
    id_, told = order["id"], []
    told += [take(world, "accept", id_, dan), take(world, "arrived", id_, dan)]
    told += [take(world, "picked", id_, dan, pin) for pin in (None, another(pins[0]), pins[0])]
    told += [world.get(f"/v1/orders/{id_}", dan), world.get("/v1/courier/active-order", dan)]
    told += [world.get(f"/v1/orders/{id_}", world.admin())]
    told += [world.get(f"/v1/orders/{id_}/proof", who) for who in (cara, dan, world.admin())]
    # Not even to a courier who has the customer's own id.
    told += [world.get(f"/v1/orders/{id_}", world.someone(Role.COURIER, "cara"))]
    told += [take(world, "delivered", id_, dan, pins[1])]
    world.pass_time(30)
    everything = [answer.text for answer in told]
    everything += [text for socket in sockets for text in socket.texts]
    everything += [repr(log_of(person)) for person in ("cara", "dan")]
    everything += [str(world.order(id_)), caplog.text, repr(world.queue.__dict__)]
    everything += [repr(row.attribute_values) for model in MODELS for row in model.scan()]
    for pin in pins:
        assert not any(pin in text for text in everything)


def test_the_pin_is_shown_again_and_made_anew_for_each_order(world: World) -> None:
    cara = world.customer()
    orders = [world.place(cara, proof=BOTH)["id"] for _ in range(5)]
    pins = {pin_of(world, id_, cara, stop) for id_ in orders for stop in ("pickup", "dropoff")}
    assert len(pins) == 10
    assert pins == {
        pin_of(world, id_, cara, stop) for id_ in orders for stop in ("pickup", "dropoff")
    }


def test_five_wrong_pins_lock_a_stop_until_an_admin_lets_it_go(world: World) -> None:
    cara, dan, id_ = at_the_door(world)
    pin = pin_of(world, id_, cara)
    for left in (4, 3, 2, 1, 0):
        refused = take(world, "delivered", id_, dan, another(pin))
        assert (refused.status, refused.body["error"]) == (409, "wrong_pin")
        assert refused.body["details"] == {"stop": "dropoff", "tries_left": left}
    for said in (another(pin), pin, None):
        refused = take(world, "delivered", id_, dan, said)
        assert (refused.status, refused.body["error"]) == (409, "proof_locked")
    path = f"/v1/admin/orders/{id_}/proof/override"
    word = {"stop": "dropoff", "kind": "pin", "reason": "override"}
    for who, status in ((cara, 403), (dan, 403), (world.admin(), 200), (world.admin(), 200)):
        assert world.post(path, word, who).status == status
    shown = world.get(f"/v1/orders/{id_}", cara).body["proof"]["dropoff"]
    assert shown == {"required": ["pin"], "missing": [], "overridden": ["pin"]}
    kept = world.order(id_).proof.dropoff.overrides
    assert [(one.reason, one.by) for one in kept] == [("override", "ada")]
    history = world.get(f"/v1/orders/{id_}/history", world.admin()).body["history"]
    [noted] = [one for one in history if one["step"] == "override"]
    assert (noted["actor"], noted["reason"]) == ({"role": "admin", "id": "ada"}, "override")
    assert noted["note"] == "pin, dropoff"
    assert take(world, "delivered", id_, dan).body["status"] == "delivered"
    assert world.post(path, word, world.admin()).status == 200  # nothing is left to let go


def test_a_wrong_pin_is_counted_and_tells_nobody(world: World) -> None:
    cara, dan, id_ = at_the_door(world)
    hers, his = world.connect(cara), world.connect(dan)
    hers.take(), his.take()
    before = world.order(id_)
    take(world, "delivered", id_, dan, another(pin_of(world, id_, cara)))
    world.pass_time(30)
    after = world.order(id_)
    assert hers.take() == his.take() == []
    assert (after.version, after.status) == (before.version + 1, before.status)
    assert after.proof.dropoff.wrong_pins == 1


def test_wrong_pins_at_once_are_each_counted(make_engine_world: MakeWorld) -> None:
    world = make_engine_world(pause=time.sleep)
    cara, dan, id_ = at_the_door(world)
    pin = pin_of(world, id_, cara)

    def guess(said: str) -> Callable[[], Any]:
        step = commands.Deliver(pin=said)
        return lambda: world.waybill.courier_orders.take_step(dan.actor, int(id_), step)

    outcomes = at_once([guess(another(pin, n)) for n in range(1, 13)])
    wrong = [one for one in outcomes if isinstance(one, WrongPin)]
    assert len(wrong) == 5
    assert sorted(one.details["tries_left"] for one in wrong) == [0, 1, 2, 3, 4]
    assert sum(isinstance(one, ProofLocked) for one in outcomes) == 7
    assert world.order(id_).proof.dropoff.wrong_pins == 5
    assert world.order(id_).status is Status.IN_TRANSIT


def test_of_the_right_pin_said_many_times_at_once_one_is_the_step(engine_world: World) -> None:
    world = engine_world
    cara, dan, id_ = at_the_door(world)
    step = commands.Deliver(pin=pin_of(world, id_, cara))
    version = world.order(id_).version
    outcomes = at_once(
        [lambda: world.waybill.courier_orders.take_step(dan.actor, int(id_), step)] * 10
    )
    assert not failures(outcomes)
    assert world.order(id_).version == version + 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_the_commit_of_a_wrong_pin_never_frees_a_try(
    make_world: MakeWorld, dynamo: Engine, when: str
) -> None:
    orders = CrashingProxy(OrderTable(dynamo.connection))
    world = make_world(orders=orders)
    cara, dan, id_ = at_the_door(world)
    pin = pin_of(world, id_, cara)
    orders.crash_at(when, "commit_order")
    with pytest.raises(Crash):
        take(world, "delivered", id_, dan, another(pin))
    # Nobody was told of the guess, so it may count or not; but what was answered has counted.
    counted = world.order(id_).proof.dropoff.wrong_pins
    assert counted == (1 if when == "after" else 0)
    refused = take(world, "delivered", id_, dan, another(pin))
    assert refused.body["details"]["tries_left"] == 4 - counted
    assert take(world, "delivered", id_, dan, pin).status == 200


def test_a_meals_pickup_pin_is_its_merchants_and_may_come_on_the_way(world: World) -> None:
    kitchen = Kitchen(world)
    order_id = kitchen.place(proof=BOTH)
    kitchen.update(order_id, "confirmed", "preparing", "ready_for_pickup")
    view = f"/v1/orders/{order_id}"
    hers = world.get(view, kitchen.customer).body["proof"]
    theirs = world.get(view, kitchen.owner).body["proof"]
    assert ("pin" in hers["pickup"], "pin" in hers["dropoff"]) == (False, True)
    assert ("pin" in theirs["pickup"], "pin" in theirs["dropoff"]) == (True, False)
    stranger = world.someone(Role.MERCHANT, "78", restaurant_ids=["788"])
    assert world.get(view, stranger).status == 404
    driver = Packets(world, a_driver(world))
    driver.emit("accept-order", {"orderId": order_id})
    said = {"orderId": order_id, "status": "out_for_delivery"}
    heard = driver.emit("update-order-status", said, 1)
    text = "Proof is required at the pickup: pin."
    assert heard == [("error", {"message": text}), ("1", {"error": text})]
    delivered = {"orderId": order_id, "status": "delivered"}
    [(name, data)] = driver.emit(
        "update-order-status", {**delivered, "pin": hers["dropoff"]["pin"]}
    )
    assert (name, data["message"]) == ("error", text)
    heard = driver.emit("update-order-status", {**said, "pin": theirs["pickup"]["pin"]})
    assert [(n, d["order"]["status"]) for n, d in heard] == [("order-updated", "out_for_delivery")]
    plain = Plain(world, a_driver(world))
    [(name, data)] = plain.emit("update-order-status", {**delivered, "pin": "1234"})
    assert (name, data["message"]) == ("error", "This is not the PIN of the drop-off.")
    heard = plain.emit("update-order-status", {**delivered, "pin": hers["dropoff"]["pin"]})
    assert heard[-1][1]["order"]["status"] == "delivered"


def test_a_released_meal_is_proven_anew_by_the_next_courier_and_with_another_pin(
    world: World,
) -> None:
    kitchen = Kitchen(world)
    meal = kitchen.place(proof=BOTH)
    kitchen.update(meal, "confirmed", "preparing", "ready_for_pickup")
    first, second = kitchen.drivers("456", "457")
    order_id = str(meal)
    dan, eve = (world.someone(Role.COURIER, id_) for id_ in ("456", "457"))
    pin = pin_of(world, order_id, kitchen.owner, "pickup")
    door = pin_of(world, order_id, kitchen.customer)
    first.emit("accept-order", {"orderId": meal})
    assert take(world, "picked", order_id, dan, pin).body["proof"]["pickup"]["missing"] == []
    why = {"order_id": order_id, "reason": "vehicle"}
    assert world.post("/v1/courier/orders/release", why, dan).status == 200
    second.emit("accept-order", {"orderId": meal})
    fresh = pin_of(world, order_id, kitchen.owner, "pickup")
    assert fresh != pin
    refused = take(world, "delivered", order_id, eve, door)
    assert refused.body["details"] == {"stop": "pickup", "missing": ["pin"]}
    refused = take(world, "picked", order_id, eve, pin)
    assert (refused.status, refused.body["error"]) == (409, "wrong_pin")
    assert take(world, "picked", order_id, eve, fresh).status == 200
    assert pin_of(world, order_id, kitchen.customer) == door
    assert take(world, "delivered", order_id, eve, door).status == 200


def test_a_ride_begins_and_ends_by_pins(world: World) -> None:
    rider = a_rider(world)
    person = world.someone(Role.COURIER, "dora")
    register(world, person, vehicle="Toyota Camry", vehicle_type="standard")
    driver = enter(world, person)
    driver.did("go_online")
    locate(driver, DEPOT)
    answer = world.post("/v1/riders/rides", {**WISH, "proof": BOTH}, rider.person)
    ride_id, shown = answer.body["ride_id"], answer.body["proof"]
    assert shown == world.get(f"/v1/rides/{ride_id}", rider.person).body["proof"]
    driver.did("accept_ride", ride_id=ride_id)
    locate(driver, DEPOT)
    refused = driver.ask("start_ride", ride_id=ride_id)
    assert (refused["code"], refused["status"]) == ("PROOF_REQUIRED", "error")
    assert refused["message"] == "Proof is required at the pickup: pin."
    refused = driver.ask("start_ride", ride_id=ride_id, pin="1234")
    assert refused["code"] == "WRONG_PIN"
    assert "proof" in world.get(f"/v1/rides/{ride_id}", person).body
    assert shown["pickup"]["pin"] not in world.get(f"/v1/rides/{ride_id}", person).text
    driver.did("start_ride", ride_id=ride_id, pin=shown["pickup"]["pin"])
    assert driver.ask("complete_ride", ride_id=ride_id)["code"] == "PROOF_REQUIRED"
    done = driver.did("complete_ride", ride_id=ride_id, pin=shown["dropoff"]["pin"])
    assert "pin" not in json.dumps(done)
    trip = world.order(ride_id).trip
    assert trip is not None
    assert trip.fare_minor > 0


def test_a_hail_takes_the_same_steps(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    order = hail(world, cara, proof={"pickup": "pin"})
    id_, pin = str(order["id"]), order["proof"]["pickup"]["pin"]
    assert world.post(f"/v1/driver/orders/{id_}/accept", by=dan).status == 200
    take(world, "arrived", id_, dan)
    assert take(world, "picked", id_, dan).body["error"] == "proof_required"
    assert take(world, "picked", id_, dan, pin).status == 200
    assert take(world, "delivered", id_, dan).status == 200


@pytest.mark.parametrize("asked", [None, {}, {"pickup": "none"}, {"dropoff": []}, {"pickup": None}])
def test_an_order_that_asks_for_nothing_shows_nothing(world: World, asked: Any) -> None:
    cara, dan = world.customer(), world.courier()
    order = world.place(cara, proof=asked)
    assert "proof" not in order
    assert take(world, "accept", order["id"], dan, "1234").status == 200
    assert world.order(order["id"]).proof.salt == ""


@pytest.mark.parametrize(
    "asked",
    [
        *("pin", ["pin"], 1, True, {"door": "pin"}, {"pickup": 1}, {"pickup": {}}),
        *({"pickup": "PIN"}, {"pickup": ["pin", "none"]}, {"pickup": ["pin", None]}),
        *({"dropoff": ["pin"] * 99}, {"dropoff": [["pin"]]}, {"dropoff": "barcode"}),
        *({"dropoff": True}, {"dropoff": [{}]}, {"": "pin"}, {"x" * 9999: "pin"}),
    ],
)
def test_other_wishes_are_refused_and_place_nothing(world: World, asked: Any) -> None:
    body = {"pickup_address": "a", "dropoff_address": "b", "receiver_phone": "+911234567890"}
    refused = world.post("/v1/orders", {**body, "proof": asked}, world.customer())
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")
    assert len(refused.text) < 500
    assert list(OrderRow.scan()) == []


@pytest.mark.parametrize(
    "said", [123456, 1.5, True, [], {}, "", "123", "1234567", "12a4", "１２３４", "12 34", "-1234"]
)
def test_what_is_no_pin_is_refused_and_not_counted(world: World, said: Any) -> None:
    _, dan, id_ = at_the_door(world)
    refused = take(world, "delivered", id_, dan, said)
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")
    assert world.order(id_).proof.dropoff.wrong_pins == 0


def test_a_stranger_tries_no_pin(world: World) -> None:
    cara, _, id_ = at_the_door(world)
    eve = world.courier("eve")
    assert take(world, "delivered", id_, eve, pin_of(world, id_, cara)).status == 403
    assert world.order(id_).proof.dropoff.wrong_pins == 0


def test_an_override_leaves_an_open_offer_open_in_the_history(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    id_ = world.place(cara, proof=BOTH)["id"]
    word = {"stop": "pickup", "kind": "pin", "reason": "lost"}
    assert world.post(f"/v1/admin/orders/{id_}/proof/override", word, world.admin()).status == 200
    take(world, "accept", id_, dan)
    history = world.get(f"/v1/orders/{id_}/history", world.admin()).body["history"]
    assert [one["step"] for one in history] == ["place", "offer", "override", "accept"]
    assert [one.get("offer", {}).get("answer") for one in history] == [
        None,
        "accepted",
        None,
        "accepted",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        *({"stop": "door"}, {"stop": None}, {"kind": "barcode"}, {"kind": 1}, {"kind": None}),
        *({"reason": "because"}, {"reason": None}, {"reason": ["lost"]}, {"stop": {}}),
    ],
)
def test_an_override_says_what_and_why(world: World, changed: dict[str, Any]) -> None:
    _, _, id_ = at_the_door(world)
    word = {"stop": "dropoff", "kind": "pin", "reason": "lost", **changed}
    refused = world.post(f"/v1/admin/orders/{id_}/proof/override", word, world.admin())
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")
    (field,) = changed
    assert refused.body["details"]["field"] == field
    known = {"stop": "dropoff", "kind": "pin", "reason": "lost"}[field]
    assert known in refused.body["details"]["allowed"]
    assert world.order(id_).proof.dropoff.overrides == ()


def test_an_override_of_what_is_not_asked_or_not_there_is_refused(world: World) -> None:
    cara, _, id_ = at_the_door(world)
    ada, word = world.admin(), {"stop": "pickup", "kind": "pin", "reason": "lost"}
    assert world.post(f"/v1/admin/orders/{id_}/proof/override", word, ada).status == 409
    assert world.post("/v1/admin/orders/123/proof/override", word, ada).status == 404
    other = world.place(cara, proof=BOTH)["id"]
    world.post(f"/v1/orders/{other}/cancel", by=cara)
    assert world.post(f"/v1/admin/orders/{other}/proof/override", word, ada).status == 409


def test_without_any_secret_no_order_asks_for_a_pin(make_world: MakeWorld) -> None:
    world = make_world(settings={"jwt_secret": "", "payment_webhook_secret": ""})
    asked = OrderOptions(proof=ProofRules((ProofKind.PIN,)))
    with pytest.raises(InvalidInput):  # no token could be made either: the service is asked itself
        world.waybill.proof.start_proof(asked)


@pytest.mark.parametrize("kind", ["photo", "signature", ["pin", "photo"]])
def test_without_a_bucket_no_order_asks_for_a_file(world: World, kind: Any) -> None:
    body = {"pickup_address": "a", "dropoff_address": "b", "receiver_phone": "+911234567890"}
    refused = world.post("/v1/orders", {**body, "proof": {"dropoff": kind}}, world.customer())
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")
    assert "PROOF_BUCKET" in refused.body["message"]
    assert list(OrderRow.scan()) == []
