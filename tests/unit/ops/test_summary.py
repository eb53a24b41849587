"""Summaries: what is counted of an order by its history, and by its times alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.ops.summary import summarize_order
from chalicelib.domain.orders.changes import Asked, Change
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.offer_tally import tally_offers
from chalicelib.domain.orders.reasons import Reason
from tests.builders import NOW, a_job, an_order


def history(*steps: Any) -> list[Change]:
    """Changes of (seconds, step, status after it), who then has the order, and who takes the step,
    if that matters."""
    asking = ("offer", "assign", "open")
    return [
        Change(
            int(at_s * 1000),
            step,
            to,
            courier_id=more[0] if more else None,
            by=more[1] if len(more) > 1 else "s",
            asked=(Asked("dan"),) if step in asking else (),
        )
        for at_s, step, to, *more in steps
    ]


PLACED = (0, "place", "searching")
OFFERED = (1, "offer", "offered", "dan")

# What a history comes to: offers, accepted, declined, ignored; first offer, taken, in seconds.
TALLIES: dict[str, tuple[list[Change], tuple[int, int, int, int], float | None, float | None]] = {
    "accepted": (
        history(PLACED, OFFERED, (3, "accept", "accepted", "dan")), (1, 1, 0, 0), 1, 3
    ),
    "declined, ignored, given up": (
        history(
            PLACED,
            OFFERED,
            (2, "decline", "searching"),
            (2, "offer", "offered", "eve"),
            (17, "expire", "searching"),
            (17, "give_up", "unserved"),
        ),
        (2, 0, 1, 1),
        1,
        None,
    ),
    "an open offer is not finished": (history(PLACED, OFFERED), (1, 0, 0, 0), 1, None),
    "called off while it is offered": (
        history(PLACED, OFFERED, (5, "cancel", "cancelled", "dan")), (1, 0, 0, 0), 1, None
    ),
    "taken by hand from who is asked, which is no answer": (
        history(
            PLACED,
            OFFERED,
            (4, "release", "searching", None, "aada"),
            (4, "offer", "offered", "eve"),
            (5, "decline", "searching", None, "d"),
        ),
        (2, 0, 1, 0),
        1,
        None,
    ),
    "a meal that is taken by hand from the courier to whom it was given": (
        history(
            (0, "place", "pending"),
            (600, "make_ready", "ready"),
            (610, "assign", "ready", "dan"),
            (620, "release", "ready", None, "mmia"),
        ),
        (3, 0, 0, 0),
        0,
        None,
    ),
    "given to another by hand, and given back": (
        history(
            PLACED,
            OFFERED,
            (4, "assign", "offered", "eve"),
            (5, "accept", "accepted", "eve"),
            (9, "release", "searching"),
            (9, "offer", "offered", "fay"),
            (10, "accept", "accepted", "fay"),
        ),
        (3, 2, 0, 0),
        1,
        5,
    ),
    "a broadcast is one offer, however many looks add to it": (
        history(
            PLACED,
            (0, "open", "searching"),
            (10, "open", "searching"),
            (11, "search_anew", "searching"),
            (12, "accept", "accepted", "dan"),
        ),
        (1, 1, 0, 0),
        0,
        12,
    ),
    "a ride that is handed back is called out again": (
        history(
            PLACED,
            (0, "open", "searching"),
            (5, "accept", "accepted", "dan"),
            (8, "hand_back", "searching"),
            (8, "open", "searching"),
            (300, "give_up", "unserved"),
        ),
        (2, 1, 0, 1),
        0,
        5,
    ),
    "a meal is open to its pool once it is ready": (
        history(
            (0, "place", "pending"),
            (60, "confirm", "confirmed"),
            (70, "prepare", "preparing"),
            (600, "make_ready", "ready"),
            (640, "accept", "in_transit", "dan"),
        ),
        (1, 1, 0, 0),
        0,
        40,
    ),
    "a meal that is given to a courier, who gives it back": (
        history(
            (0, "place", "pending"),
            (600, "make_ready", "ready"),
            (610, "assign", "ready", "dan"),
            (620, "release", "ready", None, "d"),
            (7800, "give_up", "unserved"),
        ),
        (3, 0, 1, 1),
        0,
        None,
    ),
    "a meal that is given to a courier, who sets off": (
        history(
            (0, "place", "pending"),
            (600, "make_ready", "ready"),
            (610, "assign", "ready", "dan"),
            (615, "override", "ready", "dan"),
            (620, "pick_up", "in_transit", "dan"),
        ),
        (2, 1, 0, 0),
        0,
        20,
    ),
    "what was scheduled is wanted from its activation on": (
        history(
            (0, "place", "scheduled"),
            (3600, "activate", "searching"),
            (3602, "offer", "offered", "dan"),
            (3605, "accept", "accepted", "dan"),
        ),
        (1, 1, 0, 0),
        2,
        5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TALLIES)
def test_a_history_says_what_became_of_each_offer(name: str) -> None:
    changes, counts, first_s, taken_s = TALLIES[name]
    tally = tally_offers(changes)
    assert (tally.offers, tally.accepted, tally.declined, tally.ignored) == counts
    order = an_order(Status.DONE, timeline={"placed": NOW, "done": NOW})
    summary = summarize_order(order, changes, 5, NOW)
    assert summary.first_offer_ms == (None if first_s is None else first_s * 1000)
    assert summary.assign_ms == (None if taken_s is None else taken_s * 1000)


def test_nobody_knows_the_first_offer_where_the_beginning_is_not_at_hand() -> None:
    summary = summarize_order(an_order(Status.ACCEPTED), TALLIES["accepted"][0][1:], 5, NOW)
    assert (summary.offers, summary.first_offer_ms, summary.assign_ms) == (1, None, None)


def test_without_a_history_the_order_says_what_it_can() -> None:
    done = summarize_order(an_order(Status.DONE, offers_made=3), (), 5, NOW)
    assert (done.offers, done.accepted, done.first_offer_ms) == (3, 1, None)
    unserved = summarize_order(an_order(Status.UNSERVED), (), 5, NOW)
    assert (unserved.offers, unserved.accepted) == (0, 0)


def minutes(**names: float) -> dict[str, Any]:
    return {"placed": NOW, **{name: NOW + timedelta(minutes=at) for name, at in names.items()}}


@pytest.mark.parametrize(
    ("status", "timeline", "waits"),
    [
        (Status.DONE, minutes(at_pickup=1, in_transit=3, reached=9, done=10), (120, 60)),
        (Status.DONE, minutes(in_transit=3, done=10), (None, None)),
        (Status.NO_SHOW, minutes(at_pickup=1, no_show=6), (300, None)),
        (
            Status.RETURNED,
            minutes(at_pickup=1, in_transit=2, reached=3, returning=8, returned=20),
            (60, 300),
        ),
        (Status.LEFT, minutes(at_pickup=1, in_transit=2, reached=3, left=4), (60, 60)),
        (Status.IN_TRANSIT, minutes(at_pickup=1, in_transit=2, reached=3), (60, None)),
        (Status.AT_PICKUP, minutes(at_pickup=1), (None, None)),
    ],
)
def test_waits_are_from_the_arrival_to_what_ended_it(
    status: Status, timeline: dict[str, Any], waits: tuple[int | None, int | None]
) -> None:
    summary = summarize_order(an_order(status, timeline=timeline), (), 5, NOW)
    assert (summary.pickup_wait_s, summary.door_wait_s) == waits


def test_a_summary_says_when_how_and_why_an_order_ended() -> None:
    timeline = minutes(activated=5, cancelled=7)
    order = an_order(
        Status.CANCELLED,
        details=a_job(merchant_id="r1"),
        timeline=timeline,
        reason=Reason("closed"),
    )
    summary = summarize_order(order, (), 5, NOW)
    assert summary.started_ms == int(NOW.timestamp() * 1000) + 300_000
    assert summary.ended_ms == summary.started_ms + 120_000
    assert (summary.end, summary.reason, summary.merchant_id) == (Status.CANCELLED, "closed", "r1")
    open_ = summarize_order(an_order(reason=Reason("vehicle")), (), 5, NOW)
    assert (open_.end, open_.ended_ms, open_.reason) == (None, None, None)
