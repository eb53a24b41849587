"""Spec 000 as people see it: stock clients, real sockets."""

from __future__ import annotations

import json

from tests.e2e.courier.town import Town, assigned, offer, sample, status, to_courier

DAN = {
    "name": "Dan",
    "phone": "+919876543210",
    "profile_picture": "https://pictures.example/dan.png",
}


def test_a_delivery_from_the_order_to_the_door(town: Town) -> None:
    """S0-04, S0-07, S0-11 to S0-14, S0-16, S0-17, S0-19 to S0-24: frame by frame the samples."""
    dan, cara = town.on_duty("dan"), town.customer("cara")
    assert dan.put("me", DAN).status == 200
    (ears_of_dan,), (ears_of_cara,) = dan.open_admitted(), cara.open_admitted()

    order = town.order(cara)
    assert (order["status"], order["courier_id"]) == ("assigned", dan.id)
    for step, word in (
        ("accept", "accepted"),
        ("arrived", "arrived"),
        ("picked", "picked_up"),
        ("delivered", "delivered"),
    ):
        answer = dan.step(step, order["id"])
        assert (answer.status, answer.json["status"]) == (200, word)

    here = {"order_id": order["id"], **town.coordinates}
    assert ears_of_dan.next() == sample("order_assigned", customer_id=cara.id, **here)
    assert ears_of_cara.take(5) == [
        sample("status_assigned", **here),
        *(
            sample(f"status_{word}", order_id=order["id"])
            for word in ("accepted", "arrived", "picked_up", "delivered")
        ),
    ]
    assert cara.get("customer/active-order").json == {"active": False}
    assert dan.get("courier/active-order").json == {"active": False}


def test_a_declined_order_goes_to_the_next_courier_at_once(town: Town) -> None:
    """S0-44, S0-20: declined, then assigned again; never to the one who declined."""
    ben, ana = town.on_duty("ben"), town.customer("ana")
    (ears,) = ana.open_admitted()
    order = town.order(ana)
    cem = town.on_duty("cem", away_m=900)
    (ears_of_cem,) = cem.open_admitted()

    assert ben.step("decline", order["id"]).status == 200

    assert ears_of_cem.next() == offer(town, order)
    assert ears.take(3) == [
        assigned(town, order),
        status(order["id"], "declined"),
        assigned(town, order),
    ]
    assert cem.step("decline", order["id"]).json["status"] == "no_nearby_driver"
    assert ears.take(2) == [
        status(order["id"], "declined"),
        status(order["id"], "no_nearby_driver"),
    ]


def test_without_any_courier_the_customer_is_told_so_at_once(town: Town) -> None:
    """S0-16, S0-17."""
    ana = town.customer()
    (ears,) = ana.open_admitted()
    order = town.order(ana)
    assert order["status"] == "no_nearby_driver"
    assert ears.next() == status(order["id"], "no_nearby_driver")
    assert ana.get("customer/active-order").json == {"active": False}


def test_an_order_without_coordinates_is_worded_without_them(town: Town) -> None:
    """S0-12: absent optionals are omitted, never null. Without a pickup point anybody is near."""
    ana = town.customer()
    (ears,) = ana.open_admitted()
    town.on_duty()
    bare = dict.fromkeys(("pickup_lat", "pickup_lng", "dropoff_lat", "dropoff_lng"))
    order = town.order(ana, **bare)
    assert ears.next() == status(order["id"], "assigned", **town.parcel(**bare))
    assert ana.post(f"orders/{order['id']}/cancel").status == 200


def test_both_spellings_of_active_order_answer_the_same_bytes(town: Town) -> None:
    """S0-25 to S0-29."""
    ben, ana = town.on_duty("ben", name="Ben", phone="+491"), town.customer("ana")
    for someone, side in ((ana, "customer"), (ben, "courier")):
        idle = [someone.get(f"{side}/{path}") for path in ("active-order", "activeOrder")]
        assert [a.body for a in idle] == [b'{"active":false}'] * 2
    ben.put("me", {"name": "Ben", "phone": "+491"})
    order = town.order(ana)
    ben.step("accept", order["id"])

    first, second = (ana.get(f"customer/{p}") for p in ("active-order", "activeOrder"))
    assert first.body == second.body
    assert first.json["active"] is True
    assert first.json["order"]["id"] == order["id"]
    assert first.json["assigned_driver"] == {"id": ben.id, "name": "Ben", "phone": "+491"}

    first, second = (ben.get(f"courier/{p}") for p in ("active-order", "activeOrder"))
    assert first.body == second.body
    assert set(first.json) == {"active", "order"}


def test_nobody_hears_of_another_customers_order(town: Town) -> None:
    """S0-15, S0-07: the chosen courier and the owner hear of it, and nobody else."""
    ben, ana, eve = town.on_duty("ben"), town.customer("ana"), town.customer("eve")
    dan = town.courier("dan")
    (of_eve,), (of_dan,) = eve.open_admitted(), dan.open_admitted()
    order = town.order(ana)
    ben.step("accept", order["id"])

    own = town.order(eve)
    assert of_eve.next() == status(own["id"], "no_nearby_driver")
    of_dan.say(json.dumps({"event": "?"}))
    assert of_dan.next()["event"] == "error"
    assert eve.get(f"orders/{order['id']}").status == 404


def test_an_admins_assignment_takes_the_order_from_who_had_it(town: Town) -> None:
    """S0-09."""
    ben, ana, cem = town.on_duty("ben"), town.customer("ana"), town.on_duty("cem", away_m=4000)
    admin = town.person("admin", "ada")
    (of_ben,), (of_cem,) = ben.open_admitted(), cem.open_admitted()
    order = town.order(ana)
    assert of_ben.next() == offer(town, order)
    answer = admin.post(f"admin/orders/{order['id']}/assign", {"courier_id": cem.id})
    assert (answer.status, answer.json["courier_id"]) == (200, cem.id)
    assert of_ben.next() == to_courier("order.reassigned_away", order)
    assert of_cem.next() == offer(town, order)


def test_nonsense_on_a_socket_is_answered_and_the_socket_stays(town: Town) -> None:
    """Resolution h of spec 000: {event:"error"}, and the socket stays open."""
    ben = town.on_duty("ben")
    (ears,) = ben.open_admitted()
    for nonsense in ("", "{", "[]", "7", '{"event": 7}', '{"event":"x","data":[]}', '"\\ud800"'):
        ears.say(nonsense)
        frame = ears.next()
        assert set(frame) == {"event", "data"}
        assert frame["event"] == "error"
        assert set(frame["data"]) == {"message"}
    order = town.order(town.customer())
    assert ears.next() == offer(town, order)
