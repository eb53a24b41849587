"""Proof at a stop, as the domain judges it: whatever the evidence, in whichever flow."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from chalicelib.domain.orders import commands
from chalicelib.domain.orders.lifecycle import advance_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.orders.proof import (
    MAX_PIN_TRIES,
    Evidence,
    FoundFile,
    OrderProof,
    ProofFile,
    ProofKind,
    ProofOverride,
    ProofRules,
    Stop,
    StopProof,
    is_acceptable,
    list_order_prefixes,
    make_kept_key,
    make_pin,
    make_pin_secret,
    make_upload_key,
)
from chalicelib.domain.orders.proof_checks import (
    count_wrong_pin,
    list_missing,
    override_proof,
)
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import Conflict, ProofLocked, ProofRequired, WrongPin
from chalicelib.store.compression import pack, unpack
from tests.builders import NOW, a_job, an_order

DAN = Actor("dan", Role.COURIER)
ALL = tuple(ProofKind)
KEY = make_pin_secret("k" * 32)


def a_file(kind: ProofKind, **changes: Any) -> ProofFile:
    given = {"key": "k", "etag": "e", "size_bytes": 9, "content_type": "image/png"}
    return ProofFile(kind=kind, **{**given, "uploaded_at": NOW, **changes})


def an_asking_order(
    pickup: tuple[ProofKind, ...] = (), dropoff: tuple[ProofKind, ...] = (), **changes: Any
) -> Order:
    options = OrderOptions(proof=ProofRules(pickup, dropoff))
    given: dict[str, Any] = {"options": options, "proof": OrderProof(salt="s"), **changes}
    return an_order(given.pop("status", Status.IN_TRANSIT), **given)


def deliver(pin: bool | None = None, *files: ProofKind) -> commands.Deliver:
    return commands.Deliver(evidence=Evidence(pin, tuple(map(a_file, files))))


def pick_up(pin: bool | None = None, *files: ProofKind) -> commands.PickUp:
    return commands.PickUp(evidence=Evidence(pin, tuple(map(a_file, files))))


@pytest.mark.parametrize("given", list(product([False, True], repeat=3)))
def test_a_step_passes_with_all_kinds_and_else_names_what_is_missing(
    given: tuple[bool, ...],
) -> None:
    order = an_asking_order(dropoff=ALL)
    brought = [kind for kind, is_there in zip(ALL, given, strict=True) if is_there]
    files = [kind for kind in brought if kind is not ProofKind.PIN]
    step = deliver(True if ProofKind.PIN in brought else None, *files)
    if all(given):
        after, events = advance_order(order, step, DAN, NOW)
        assert after.status is Status.DONE
        assert events
        known = after.proof.dropoff
        assert known.pin_at == known.proven_at == NOW
        assert [file.kind for file in known.files] == [ProofKind.PHOTO, ProofKind.SIGNATURE]
        assert not list_missing(after, Stop.DROPOFF)
        return
    with pytest.raises(ProofRequired) as refused:
        advance_order(order, step, DAN, NOW)
    missing = [kind.value for kind in ALL if kind not in brought]
    assert refused.value.details == {"stop": "dropoff", "missing": missing}


def test_a_wrong_pin_is_told_before_anything_else_that_is_missing() -> None:
    """Else it could be guessed without being counted, by leaving the photo out."""
    order = an_asking_order(dropoff=ALL)
    with pytest.raises(WrongPin) as refused:
        advance_order(order, deliver(False), DAN, NOW)
    assert refused.value.details == {"stop": "dropoff", "tries_left": MAX_PIN_TRIES - 1}


def test_after_five_wrong_pins_the_right_one_is_refused() -> None:
    order = an_asking_order(dropoff=(ProofKind.PIN,))
    for left in reversed(range(MAX_PIN_TRIES)):
        with pytest.raises(WrongPin) as refused:
            advance_order(order, deliver(False), DAN, NOW)
        assert refused.value.details["tries_left"] == left
        order = count_wrong_pin(order, deliver(False), NOW)
    for step in (deliver(True), deliver(False), deliver()):
        with pytest.raises(ProofLocked):
            advance_order(order, step, DAN, NOW)


def test_each_stop_has_tries_of_its_own() -> None:
    order = an_asking_order((ProofKind.PIN,), (ProofKind.PIN,), status=Status.AT_PICKUP)
    for _ in range(MAX_PIN_TRIES):
        order = count_wrong_pin(order, pick_up(False), NOW)
    assert order.proof.pickup.tries_left == 0
    assert order.proof.dropoff.tries_left == MAX_PIN_TRIES


def test_an_override_opens_what_is_locked_and_counts_as_given() -> None:
    order = an_asking_order(dropoff=ALL)
    for _ in range(MAX_PIN_TRIES):
        order = count_wrong_pin(order, deliver(False), NOW)
    order = override_proof(order, Stop.DROPOFF, ProofOverride(ProofKind.PIN, "lost", "ada", NOW))
    with pytest.raises(ProofRequired) as refused:
        advance_order(order, deliver(), DAN, NOW)
    assert refused.value.details["missing"] == ["photo", "signature"]
    step = deliver(None, ProofKind.PHOTO, ProofKind.SIGNATURE)
    after, _ = advance_order(order, step, DAN, NOW)
    assert after.status is Status.DONE
    assert after.proof.dropoff.pin_at is None


def test_an_override_of_what_is_not_missing_changes_nothing() -> None:
    order = an_asking_order(dropoff=(ProofKind.PIN,))
    override = ProofOverride(ProofKind.PIN, "lost", "ada", NOW)
    once = override_proof(order, Stop.DROPOFF, override)
    assert override_proof(once, Stop.DROPOFF, override) is once
    with pytest.raises(Conflict):
        override_proof(order, Stop.PICKUP, override)
    with pytest.raises(Conflict):
        override_proof(
            an_asking_order(dropoff=ALL, status=Status.CANCELLED), Stop.DROPOFF, override
        )


def test_a_step_that_is_repeated_needs_no_proof_again() -> None:
    order = an_asking_order((ProofKind.PIN,), status=Status.AT_PICKUP)
    order, _ = advance_order(order, pick_up(True), DAN, NOW)
    assert advance_order(order, commands.PickUp(), DAN, NOW) == (order, ())
    assert advance_order(order, pick_up(False), DAN, NOW) == (order, ())


def test_what_was_confirmed_is_not_replaced() -> None:
    order = an_asking_order(dropoff=ALL)
    kept = StopProof(files=(a_file(ProofKind.PHOTO, etag="first"),))
    order = an_asking_order(dropoff=ALL, proof=OrderProof("s", dropoff=kept))
    step = deliver(True, ProofKind.PHOTO, ProofKind.SIGNATURE)
    after, _ = advance_order(order, step, DAN, NOW)
    files = after.proof.dropoff.files
    assert [(file.kind, file.etag) for file in files] == [
        (ProofKind.PHOTO, "first"),
        (ProofKind.SIGNATURE, "e"),
    ]


def test_an_order_that_asks_for_nothing_passes_and_keeps_nothing() -> None:
    order = an_order(Status.IN_TRANSIT)
    after, _ = advance_order(order, deliver(False, ProofKind.PHOTO), DAN, NOW)
    assert after.status is Status.DONE
    assert after.proof == OrderProof()
    assert b"proof" not in pack(after)
    assert unpack(pack(after), Order).proof == OrderProof()


def test_the_proof_of_a_meals_pickup_may_come_once_it_is_on_the_way() -> None:
    """Who takes a meal from the pool is on the way with it at once (spec 002)."""
    order = an_asking_order((ProofKind.PIN,), details=a_job(flow="food", merchant_id="789"))
    with pytest.raises(ProofRequired):
        advance_order(order, commands.PickUp(), DAN, NOW)
    with pytest.raises(ProofRequired) as refused:
        advance_order(order, commands.Deliver(), DAN, NOW)
    assert refused.value.details == {"stop": "pickup", "missing": ["pin"]}
    order, events = advance_order(order, pick_up(True), DAN, NOW)
    assert order.status is Status.IN_TRANSIT
    assert events
    assert advance_order(order, pick_up(True), DAN, NOW) == (order, ())
    order, _ = advance_order(order, commands.Deliver(), DAN, NOW)
    assert order.status is Status.DONE


def test_pins_are_six_digits_and_differ_by_stop_order_salt_and_secret() -> None:
    pin = make_pin(KEY, 1, Stop.PICKUP, "a")
    assert pin == make_pin(KEY, 1, Stop.PICKUP, "a")
    others = [
        make_pin(KEY, 1, Stop.DROPOFF, "a"),
        make_pin(KEY, 2, Stop.PICKUP, "a"),
        make_pin(KEY, 1, Stop.PICKUP, "b"),
        make_pin(make_pin_secret("o" * 32), 1, Stop.PICKUP, "a"),
    ]
    assert pin not in others
    many = [make_pin(KEY, id_, Stop.PICKUP, "a") for id_ in range(2000)]
    assert all(len(one) == 6 and one.isdigit() for one in many)
    assert any(one.startswith("0") for one in many)
    assert len(set(many)) > 1900


def test_a_files_keys_are_of_one_order_stop_kind_and_courier() -> None:
    key = make_upload_key(12, Stop.PICKUP, ProofKind.PHOTO, "dan")
    kept = make_kept_key(key, "e1")
    assert kept == make_kept_key(key, "e1") != make_kept_key(key, "e2")
    assert (key.startswith(list_order_prefixes(12)), key.startswith(list_order_prefixes(1))) == (
        True,
        False,
    )
    assert kept.startswith(list_order_prefixes(12)[1])
    assert "dan" not in key + kept
    others = {
        make_upload_key(13, Stop.PICKUP, ProofKind.PHOTO, "dan"),
        make_upload_key(12, Stop.DROPOFF, ProofKind.PHOTO, "dan"),
        make_upload_key(12, Stop.PICKUP, ProofKind.SIGNATURE, "dan"),
        make_upload_key(12, Stop.PICKUP, ProofKind.PHOTO, "eve"),
    }
    assert len({key, *others}) == 5


@pytest.mark.parametrize(
    ("size", "type_", "is_fine"),
    [
        (1, "image/jpeg", True),
        (5 * 1024 * 1024, "image/webp", True),
        (5 * 1024 * 1024 + 1, "image/png", False),
        (0, "image/png", False),
        (10, "text/html", False),
        (10, "image/svg+xml", False),
        (10, "binary/octet-stream", False),
    ],
)
def test_only_small_pictures_count(size: int, type_: str, is_fine: bool) -> None:
    assert is_acceptable(FoundFile("e", size, type_, NOW)) is is_fine
