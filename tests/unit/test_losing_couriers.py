"""Every way in which an order loses its courier: what that courier did, said and uploaded is no
longer the order's, and what is the order's own stays."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from chalicelib.domain.details import Trip
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.lifecycle import advance_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.orders.proof import (
    OrderProof,
    ProofFile,
    ProofKind,
    ProofOverride,
    ProofRules,
    Stop,
    StopProof,
    make_upload_key,
)
from chalicelib.domain.orders.proof_checks import list_missing
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.people import SYSTEM, Actor, Role
from tests.builders import NOW, a_contact, a_job, an_order

DAN, ADA = Actor("dan", Role.COURIER), Actor("ada", Role.ADMIN)
LATER = NOW + timedelta(seconds=30)
WHY = Reason("vehicle")
# What a courier does with an order, by its name in the timeline.
THEIRS = ("accepted", "at_pickup", "in_transit", "departed", "reached", "no_show_available")
PHOTO = ProofFile(ProofKind.PHOTO, "kept/1/x", "e", 9, "image/png", NOW)
LET_GO = ProofOverride(ProofKind.SIGNATURE, "override", "ada", NOW)
GIVEN = OrderProof(
    "salt",
    pickup=StopProof(wrong_pins=2, pin_at=NOW, files=(PHOTO,), overrides=(LET_GO,), proven_at=NOW),
    dropoff=StopProof(wrong_pins=3, files=(PHOTO,), overrides=(LET_GO,)),
)
KINDS = (ProofKind.PIN, ProofKind.PHOTO, ProofKind.SIGNATURE)


class Loss(NamedTuple):
    """A way to lose a courier: a flow, the status it begins in, a command and who gives it."""

    flow: str
    status: Status
    command: Command
    by: Actor


RELEASE = commands.Release(WHY, LATER)
REASSIGN = commands.AssignCourier("eve", LATER, courier=a_contact("eve"))
BEFORE_PICKUP = (Status.ACCEPTED, Status.AT_PICKUP)
LOSSES = (
    *(Loss(flow, Status.OFFERED, commands.Decline(), DAN) for flow in ("delivery", "hail")),
    *(Loss(flow, Status.OFFERED, commands.ExpireOffer(1), SYSTEM) for flow in ("delivery", "hail")),
    *(Loss("delivery", status, REASSIGN, ADA) for status in (Status.OFFERED, *BEFORE_PICKUP)),
    *(Loss(f, status, RELEASE, DAN) for f in ("delivery", "hail") for status in BEFORE_PICKUP),
    *(Loss("ride", status, commands.HandBack(LATER), DAN) for status in BEFORE_PICKUP),
    *(Loss("food", status, RELEASE, DAN) for status in (Status.READY, Status.IN_TRANSIT)),
    *(Loss("food", status, REASSIGN, ADA) for status in (Status.READY, Status.IN_TRANSIT)),
)


def describe(loss: Loss) -> str:
    return f"{loss.flow}, {loss.status.value}: {loss.command.verb}"


def with_traces(loss: Loss) -> Order:
    """An order that has all traces that its courier can leave, and more than any can."""
    merchant = {"merchant_id": "789"} if loss.flow == "food" else {}
    left = {name: NOW for name in THEIRS if name != "reached" or loss.command is REASSIGN}
    return replace(
        an_order(loss.status, details=a_job(flow=loss.flow, **merchant)),
        timeline={"placed": NOW, "searching": NOW, **left},
        options=OrderOptions(proof=ProofRules(KINDS, KINDS)),
        proof=GIVEN,
        no_show_at=NOW,
        trip=Trip(5.0),
    )


def lose(loss: Loss) -> Order:
    now = LATER if isinstance(loss.command, commands.ExpireOffer) else NOW + timedelta(seconds=5)
    order, _ = advance_order(with_traces(loss), loss.command, loss.by, now)
    assert order.courier_id != "dan"
    return order


@pytest.mark.parametrize("loss", LOSSES, ids=describe)
def test_nothing_is_left_of_what_the_former_courier_did(loss: Loss) -> None:
    order = lose(loss)
    assert not set(THEIRS) & set(order.timeline)
    assert {"placed", "searching"} <= set(order.timeline)
    assert (order.no_show_at, order.trip) == (None, None)
    assert order.courier is None or order.courier.id == order.courier_id
    for stop in Stop:
        assert list_missing(order, stop) == (ProofKind.PIN, ProofKind.PHOTO)
        known = order.proof.get_stop(stop)
        assert (known.files, known.pin_at, known.proven_at) == ((), None, None)
        assert known.overrides == (LET_GO,)  # an admin's word is no courier's


@pytest.mark.parametrize("loss", LOSSES, ids=describe)
def test_a_pin_that_was_said_is_another_for_the_next_and_guesses_at_one_still_count(
    loss: Loss,
) -> None:
    proof = lose(loss).proof
    assert (proof.pickup.pins_said, proof.pickup.wrong_pins) == (1, 0)
    assert (proof.dropoff.pins_said, proof.dropoff.wrong_pins) == (0, 3)
    assert proof.salt == "salt"


@pytest.mark.parametrize("loss", LOSSES, ids=describe)
def test_what_they_uploaded_is_looked_for_no_longer_should_they_come_back(loss: Loss) -> None:
    before, after = with_traces(loss), lose(loss)
    keys = {
        make_upload_key(order.id, Stop.PICKUP, ProofKind.PHOTO, "dan", order.proof.couriers_lost)
        for order in (before, after)
    }
    had_it = loss.status is not Status.OFFERED  # who is only asked can't upload
    assert len(keys) == (2 if had_it else 1)


def test_who_asks_for_no_proof_has_none_kept() -> None:
    for loss in LOSSES:
        plain = replace(with_traces(loss), options=OrderOptions(), proof=OrderProof())
        now = LATER if isinstance(loss.command, commands.ExpireOffer) else NOW
        order, _ = advance_order(plain, loss.command, loss.by, now)
        assert order.proof == OrderProof(), describe(loss)
