"""Many at once, over HTTP: P-08, S0-41, S0-05."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from tests.e2e.courier.town import Answer, Someone, Town, assigned, status

T = TypeVar("T")


def at_once(things: Sequence[T], do: Callable[[T], Answer]) -> list[Answer]:
    """Do it with each, all side by side."""
    with ThreadPoolExecutor(len(things)) as pool:
        return list(pool.map(do, things))


def test_twenty_orders_and_eight_couriers(town: Town) -> None:
    """S0-41: eight are assigned, each to another courier, and twelve find nobody."""
    couriers = [town.on_duty(f"c{n}", away_m=100 + n) for n in range(8)]
    customers = [town.customer(f"u{n}") for n in range(20)]
    answers = at_once(customers, lambda who: who.post("orders", town.parcel()))
    orders = [answer.json for answer in answers]
    assert Counter(o["status"] for o in orders) == {"assigned": 8, "no_nearby_driver": 12}
    assert {o["courier_id"] for o in orders if o["status"] == "assigned"} == {
        c.id for c in couriers
    }
    for courier in couriers:
        mine = courier.get("courier/active-order").json["order"]
        assert mine["id"] in {o["id"] for o in orders if o.get("courier_id") == courier.id}


def test_two_hundred_accept_at_once_and_one_wins(town: Town) -> None:
    """P-08, S0-39, S0-40: the assignee's repeats are answered alike, with one event."""
    ben, ana = town.on_duty("ben"), town.customer("ana")
    strangers = [town.courier(f"x{n}") for n in range(100)]
    (ears,) = ana.open_admitted()
    order = town.order(ana)
    everybody = [who for pair in zip([ben] * 100, strangers, strict=True) for who in pair]

    answers = at_once(everybody, lambda who: who.step("accept", order["id"]))

    assert Counter(a.status for a in answers) == {200: 100, 403: 100}
    assert {a.status for a in answers[::2]} == {200}
    ben.step("arrived", order["id"])
    assert ears.take(3) == [
        assigned(town, order),
        status(order["id"], "accepted"),
        status(order["id"], "arrived"),
    ]


def test_accept_decline_and_cancel_at_once_leave_one_truth(town: Town) -> None:
    """S0-36, S0-38: whatever wins, the frames, the order and the courier agree."""
    for n in range(5):
        ben, ana = town.on_duty(f"ben{n}"), town.customer(f"ana{n}")
        (ears,) = ana.open_admitted()
        order = town.order(ana)
        at_once(["accept", "decline", "cancel"], partial(_do, ben, ana, order["id"]))
        final = ana.get(f"orders/{order['id']}").json
        busy = ben.get("courier/active-order").json["active"]
        assert busy is (final["status"] == "accepted")
        assert final["status"] in {"accepted", "no_nearby_driver", "cancelled"}
        assert ears.next() == assigned(town, order)
        if final["status"] == "accepted":
            assert ears.next() == status(order["id"], "accepted")
        ben.post("courier/availability", {"available": False})


def _do(ben: Someone, ana: Someone, order_id: str, what: str) -> Answer:
    if what == "cancel":
        return ana.post(f"orders/{order_id}/cancel")
    return ben.step(what, order_id)


def test_the_frames_of_one_customers_orders_come_in_the_order_of_each(town: Town) -> None:
    """S0-05, P-05: 48 steps, ten orders at a time, on one socket."""
    ana = town.customer()
    (ears,) = ana.open_admitted()
    couriers = [town.on_duty(f"c{n}") for n in range(12)]
    orders = [a.json for a in at_once([ana] * 12, lambda who: who.post("orders", town.parcel()))]
    by_courier = {o["courier_id"]: o["id"] for o in orders}
    assert len(by_courier) == 12

    def deliver(courier: Someone) -> Answer:
        for step in ("accept", "arrived", "picked", "delivered"):
            answer = courier.step(step, by_courier[courier.id])
            assert answer.status == 200
        return answer

    at_once(couriers, deliver)
    heard: dict[str, list[str]] = {}
    for frame in ears.take(12 * 5):
        heard.setdefault(frame["data"]["order_id"], []).append(frame["data"]["status"])
    words = ["assigned", "accepted", "arrived", "picked_up", "delivered"]
    assert heard == dict.fromkeys(by_courier.values(), words)
