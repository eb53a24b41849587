"""Whether a step has the proof that it needs, judged in the same decision as the step.

`require_proof` lets a step pass or raises; `keep_proof` notes what was given. A wrong PIN is no
step, but a change of the order all the same: `count_wrong_pin` makes it, and who commits that is
as much bound to the order's version as who takes a step, so that parallel guesses all count.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.proof import (
    NO_PROOF,
    Evidence,
    ProofKind,
    ProofOverride,
    Stop,
)
from chalicelib.errors import Conflict, ProofLocked, ProofRequired, WrongPin

_STOPS: Mapping[type, Stop] = {
    commands.PickUp: Stop.PICKUP,
    commands.Deliver: Stop.DROPOFF,
    commands.LeaveBehind: Stop.DROPOFF,
}
_AT: Mapping[Stop, str] = {Stop.PICKUP: "the pickup", Stop.DROPOFF: "the drop-off"}


def find_stop(command: Command) -> Stop | None:
    """Find the stop whose proof a command needs; None for a step that needs none."""
    return _STOPS.get(type(command))


def list_missing(order: Order, stop: Stop) -> tuple[ProofKind, ...]:
    """List the kinds that are asked for at a stop and were not given yet."""
    known = order.proof.get_stop(stop)
    return tuple(kind for kind in order.options.proof.get_kinds(stop) if not known.has_kind(kind))


def list_needed(order: Order, command: Command) -> tuple[ProofKind, ...]:
    """List the kinds that a command has to bring. What is left at the drop-off of an order that
    asks for proof there is shown by a photo: nobody is there to say a PIN, or to sign."""
    stop = find_stop(command)
    if stop is None:
        return ()
    if not isinstance(command, commands.LeaveBehind):
        return list_missing(order, stop)
    has_photo = order.proof.get_stop(stop).has_kind(ProofKind.PHOTO)
    return (ProofKind.PHOTO,) if is_left_with_photo(order) and not has_photo else ()


def is_left_with_photo(order: Order) -> bool:
    """Say whether an order that is left at its drop-off wants a photo of that."""
    return bool(order.options.proof.get_kinds(Stop.DROPOFF))


def owes_proof(order: Order, command: Command) -> bool:
    """Say whether a command, though its step is taken, brings proof that was not asked for then.

    Who takes a meal from the pool is on the way with it at once (spec 002): the proof of its pickup
    comes after, by the step that is otherwise a repeat.
    """
    stop = find_stop(command)
    is_here = stop is not None and not order.is_terminal
    return is_here and stop is not None and bool(list_missing(order, stop))


def require_proof(order: Order, command: Command) -> None:
    """Let a step pass whose proof is complete with its evidence.

    Raises WrongPin for a wrong PIN, which is to be counted, whatever else is missing: else it could
    be guessed for nothing; ProofLocked once too many were wrong; ProofRequired, with what is
    missing.
    """
    stop = find_stop(command)
    if stop is None or order.options.proof == NO_PROOF:
        return
    evidence = _get_evidence(command)
    missing = list_needed(order, command)
    if ProofKind.PIN in missing:
        _check_pin(order, stop, evidence)
    given = {file.kind for file in evidence.files}
    if evidence.is_pin_right:
        given.add(ProofKind.PIN)
    _refuse_missing(stop, tuple(kind for kind in missing if kind not in given))
    if stop is Stop.DROPOFF:
        # No hand-over without a pickup: see owes_proof.
        _refuse_missing(Stop.PICKUP, list_missing(order, Stop.PICKUP))


def keep_proof(order: Order, command: Command, now: datetime) -> Order:
    """Keep at the order what a step was proven by. What was confirmed is never replaced."""
    stop = find_stop(command)
    if stop is None or not order.options.proof.get_kinds(stop):
        return order
    known, evidence, missing = (
        order.proof.get_stop(stop),
        _get_evidence(command),
        list_needed(order, command),
    )
    known = replace(
        known,
        pin_at=now if ProofKind.PIN in missing else known.pin_at,
        files=(*known.files, *(file for file in evidence.files if file.kind in missing)),
        proven_at=known.proven_at or now,
    )
    return replace(order, proof=order.proof.replace_stop(stop, known))


def count_wrong_pin(order: Order, command: Command, now: datetime) -> Order:
    """Count a wrong PIN at its stop. Nobody hears of it."""
    stop = find_stop(command)
    assert stop is not None, "only a step at a stop has a PIN"
    known = order.proof.get_stop(stop)
    known = replace(known, wrong_pins=known.wrong_pins + 1)
    return replace(order, proof=order.proof.replace_stop(stop, known), updated_at=now)


def override_proof(order: Order, stop: Stop, override: ProofOverride) -> Order:
    """Let one kind of proof go, on an admin's word. One that is not missing is no change.

    Raises Conflict where it was never asked for, or the order is over.
    """
    check_asked(order, stop, override.kind)
    if override.kind not in list_missing(order, stop):
        return order
    if order.is_terminal:
        raise Conflict("This order is over.")
    known = order.proof.get_stop(stop)
    known = replace(known, overrides=(*known.overrides, override))
    return replace(order, proof=order.proof.replace_stop(stop, known), updated_at=override.at)


def check_asked(order: Order, stop: Stop, kind: ProofKind) -> None:
    """Check that an order asks for one kind of proof at a stop. Raises Conflict."""
    if kind not in order.options.proof.get_kinds(stop):
        raise Conflict(f"No {kind.value} is asked for at {_AT[stop]} of this order.")


def _get_evidence(command: Command) -> Evidence:
    assert isinstance(command, commands.PickUp | commands.Deliver | commands.LeaveBehind), (
        "find_stop has found one"
    )
    return command.evidence


def _check_pin(order: Order, stop: Stop, evidence: Evidence) -> None:
    left = order.proof.get_stop(stop).tries_left
    if not left:
        raise ProofLocked(
            f"Too many wrong PINs at {_AT[stop]}: an admin has to let it go.", stop=stop.value
        )
    if evidence.is_pin_right is False:
        raise WrongPin(f"This is not the PIN of {_AT[stop]}.", stop=stop.value, tries_left=left - 1)


def _refuse_missing(stop: Stop, missing: tuple[ProofKind, ...]) -> None:
    if missing:
        names = [kind.value for kind in missing]
        raise ProofRequired(
            f"Proof is required at {_AT[stop]}: {', '.join(names)}.",
            stop=stop.value,
            missing=names,
        )
