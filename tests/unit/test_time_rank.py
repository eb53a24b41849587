"""Whom to ask next by time: speed, how long ago they were asked, how they answered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.domain.details import Offer
from chalicelib.domain.orders.acceptance import (
    NO_ANSWERS,
    REMEMBERED,
    add_answer,
    count_answers,
    find_answer,
)
from chalicelib.domain.orders.changes import Change
from chalicelib.domain.orders.dispatch_policy import rank_by_time
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.time_rank import TimeRank
from chalicelib.domain.people import Courier
from chalicelib.settings import DEFAULT_SPEEDS
from tests.builders import DEPOT, NOW, a_courier, a_fix, an_order, north_of

RANK = TimeRank(DEFAULT_SPEEDS)


def answered(*taken: bool) -> int:
    answers = NO_ANSWERS
    for one in taken:
        answers = add_answer(answers, one)
    return answers


def away(metres: float, vehicle_type: str | None = None, **changes: object) -> Courier:
    place = a_fix(north_of(DEPOT, metres))
    return a_courier("far", fix=place, vehicle_type=vehicle_type, **changes)


NEAR = replace(away(1500), id="near")


@pytest.mark.parametrize(
    ("near", "far", "first"),
    [
        (NEAR, away(2000), "near"),
        (replace(NEAR, vehicle_type="bicycle"), away(2000, "motorbike"), "far"),
        (replace(NEAR, vehicle_type="bicycle"), away(2000, " Motorbike "), "far"),
        (replace(NEAR, vehicle_type="hovercraft"), away(1600, "car"), "near"),
        (NEAR, away(2000, asked_at=NOW - timedelta(minutes=19)), "near"),
        (NEAR, away(1600, asked_at=NOW - timedelta(minutes=19)), "far"),
        (NEAR, away(4000, asked_at=NOW - timedelta(days=9)), "near"),
        (replace(NEAR, asked_at=NOW + timedelta(hours=1)), away(1600), "near"),
        (replace(NEAR, answers=answered(False)), away(1600), "far"),
        (replace(NEAR, answers=answered(False)), away(2500), "near"),
        (replace(NEAR, answers=answered(*[False] * 20)), away(2500), "far"),
        (replace(NEAR, answers=answered(*[True] * 20)), away(1600), "near"),
        (replace(NEAR, connected=False), away(4900, "bicycle"), "far"),
    ],
)
def test_whoever_costs_the_fewest_minutes_comes_first(
    near: Courier, far: Courier, first: str
) -> None:
    assert rank_by_time([far, near], DEPOT, RANK, NOW)[0].id == first
    assert rank_by_time([near, far], DEPOT, RANK, NOW)[0].id == first


def test_nobody_beyond_costs_less_than_the_least() -> None:
    best = away(3000, "motorbike", asked_at=NOW - timedelta(hours=1))
    assert RANK.price_courier(best, DEPOT, NOW) == pytest.approx(
        RANK.estimate_least_price(3000), abs=0.1
    )


def test_twenty_answers_are_remembered_the_newest() -> None:
    assert count_answers(NO_ANSWERS) == (0, 0)
    assert count_answers(answered(False, True, False)) == (3, 2)
    assert count_answers(answered(*[False] * 30, *[True] * 15)) == (REMEMBERED, 5)
    assert count_answers(answered(*[False] * 30, *[True] * 25)) == (REMEMBERED, 0)


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("decline", False),
        ("expire", False),
        ("offer", False),
        ("give_up", False),
        ("cancel", None),
        ("accept", None),
        ("assign", None),
    ],
)
def test_an_offer_that_was_withdrawn_is_no_answer(step: str, answer: bool | None) -> None:
    offer = Offer(1, "dan", NOW, None)
    offered = an_order(status=Status.OFFERED, courier_id="dan", offer=offer)
    after = replace(offered, courier_id=None, offer=None, changes=(Change(0, step, "searching"),))
    assert find_answer(offered, after, "dan") is answer
    assert find_answer(offered, after, "eve") is None


def test_what_was_taken_and_given_back_is_a_no() -> None:
    taken = an_order(status=Status.ACCEPTED, courier_id="dan")
    assert find_answer(taken, replace(taken, courier_id=None, releases=1), "dan") is False
    assert find_answer(taken, replace(taken, status=Status.CANCELLED), "dan") is True
