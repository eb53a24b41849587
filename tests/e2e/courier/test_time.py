"""Offers that nobody answers (spec 000, Notes), with an offer time of 3 s."""

from __future__ import annotations

import time

from tests.e2e.courier.conftest import HASTY_TTL_S, LATE_S
from tests.e2e.courier.town import Town, assigned, offer, status, to_courier


def test_an_offer_lapses_neither_before_its_time_nor_long_after(hasty_town: Town) -> None:
    """S0-33 to S0-35, S0-08 to S0-10 and resolution e: the whole way of an unanswered order."""
    town = hasty_town
    ana, ben, cem = town.customer("ana"), town.on_duty("ben"), town.on_duty("cem", away_m=900)
    (of_ana,), (of_ben,), (of_cem,) = (who.open_admitted() for who in (ana, ben, cem))

    asked_from = time.monotonic()
    order = town.order(ana)
    asked_to = time.monotonic()
    assert of_ben.next() == offer(town, order)
    assert of_ben.next() == to_courier("order.assignment_timed_out", order)
    lapsed_at = time.monotonic()
    assert lapsed_at - asked_from >= HASTY_TTL_S
    assert lapsed_at - asked_to <= HASTY_TTL_S + LATE_S
    assert of_ben.next() == to_courier("order.reassigned_away", order)
    assert of_cem.next() == offer(town, order)

    late = ben.step("accept", order["id"])
    assert (late.status, late.json["error"]) == (409, "offer_gone")
    assert of_cem.next() == to_courier("order.assignment_timed_out", order)
    assert of_cem.next() == to_courier("order.no_nearby_driver", order)
    assert of_ana.take(3) == [
        assigned(town, order),
        assigned(town, order),
        status(order["id"], "no_nearby_driver"),
    ]


def test_an_acceptance_within_the_time_stands(hasty_town: Town) -> None:
    """S0-36: the timer of an accepted offer changes nothing."""
    town = hasty_town
    ana, eve, ben = town.customer("ana"), town.customer("eve"), town.on_duty("ben")
    (of_ana,), (of_eve,) = ana.open_admitted(), eve.open_admitted()
    order = town.order(ana)
    assert ben.step("accept", order["id"]).status == 200

    town.on_duty("cem")
    lapsing = town.order(eve)  # its timer runs out after that of the first
    assert of_eve.take(2)[1] == status(lapsing["id"], "no_nearby_driver")

    assert ben.step("arrived", order["id"]).status == 200
    assert of_ana.take(3) == [
        assigned(town, order),
        status(order["id"], "accepted"),
        status(order["id"], "arrived"),
    ]


def test_a_returning_courier_hears_of_a_current_offer_once(hasty_town: Town) -> None:
    """Resolution p: once a connection."""
    town = hasty_town
    ben = town.on_duty()
    order = town.order(town.customer())
    first, second = ben.open(), ben.open()
    for ears in (first, second):
        assert ears.take(3) == [
            offer(town, order),
            to_courier("order.assignment_timed_out", order),
            to_courier("order.no_nearby_driver", order),
        ]


def test_a_returning_courier_never_hears_of_a_lapsed_offer(hasty_town: Town) -> None:
    """Resolution p: only that it has lapsed."""
    town = hasty_town
    ana, ben = town.customer(), town.on_duty()
    order = town.order(ana)
    assert order["courier_id"] == ben.id
    (of_ana,) = ana.open_admitted()
    heard = of_ana.take_until(status(order["id"], "no_nearby_driver"))
    assert heard[0] == assigned(town, order)

    (ears,) = ben.open_admitted()
    assert ears.take(2) == [
        to_courier("order.assignment_timed_out", order),
        to_courier("order.no_nearby_driver", order),
    ]
