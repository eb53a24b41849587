"""Proof at a stop, as every contract takes and shows it. The names are ours and the same in all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chalicelib.contracts.base import omit_none
from chalicelib.contracts.moments import format_iso
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.proof import (
    CONTENT_TYPES,
    FILE_KINDS,
    NO_PROOF,
    OVERRIDE_REASONS,
    ProofFile,
    ProofKind,
    ProofRules,
    Stop,
)
from chalicelib.domain.orders.proof_checks import list_missing
from chalicelib.errors import InvalidInput

NONE = "none"
_STOPS = tuple(stop.value for stop in Stop)
_KINDS = tuple(kind.value for kind in ProofKind)
PIN = r"\d{4,6}"
_PIN = re.compile(PIN, re.ASCII)


def read_proof_rules(value: Any) -> ProofRules:
    """Read {pickup?, dropoff?}: at each stop one kind, a list of kinds, or "none". Raises
    InvalidInput."""
    if value is None:
        return NO_PROOF
    if not isinstance(value, dict):
        raise InvalidInput("proof must be an object.", field="proof")
    if unknown := [name for name in value if name not in _STOPS]:
        raise InvalidInput(
            f"proof has {' and '.join(_STOPS)}, not {unknown[0][:40]!r}.", field="proof"
        )
    return ProofRules(**{stop: _read_kinds(value.get(stop), f"proof.{stop}") for stop in _STOPS})


def _read_kinds(value: Any, name: str) -> tuple[ProofKind, ...]:
    if value is None or value == NONE or value == [NONE]:
        return ()
    listed = value if isinstance(value, list) else [value]
    if len(listed) > len(_KINDS) or not all(one in _KINDS for one in listed):
        raise InvalidInput(
            f"{name} must be {NONE} or any of {', '.join(_KINDS)}.",
            field=name,
            allowed=[NONE, *_KINDS],
        )
    return tuple(dict.fromkeys(ProofKind(one) for one in listed))


def read_pin(data: Mapping[str, Any]) -> str | None:
    """Read the PIN that a courier was told; None where they say none. Raises InvalidInput."""
    value = data.get("pin")
    if value is None:
        return None
    # A number would have lost its zeros in front.
    if not isinstance(value, str) or not _PIN.fullmatch(value.strip()):
        raise InvalidInput("pin must be a text of 4 to 6 digits.", field="pin")
    return value.strip()


def read_stop(data: Mapping[str, Any]) -> Stop:
    """Read which stop is meant. Raises InvalidInput."""
    return Stop(_read_choice(data, "stop", _STOPS))


def read_kind(data: Mapping[str, Any]) -> ProofKind:
    """Read which kind of proof is meant. Raises InvalidInput."""
    return ProofKind(_read_choice(data, "kind", _KINDS))


def read_file_kind(data: Mapping[str, Any]) -> ProofKind:
    """Read which kind of file is meant. Raises InvalidInput."""
    return ProofKind(_read_choice(data, "kind", tuple(sorted(kind.value for kind in FILE_KINDS))))


def read_content_type(data: Mapping[str, Any]) -> str:
    """Read the media type of a file that is to be uploaded. Raises InvalidInput."""
    return _read_choice(data, "content_type", CONTENT_TYPES)


def read_override_reason(data: Mapping[str, Any]) -> str:
    """Read why an admin lets proof go. Raises InvalidInput."""
    return _read_choice(data, "reason", OVERRIDE_REASONS)


def _read_choice(data: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = data.get(name)
    if not isinstance(value, str) or value.strip() not in allowed:
        raise InvalidInput(
            f"{name} must be one of {', '.join(allowed)}.", field=name, allowed=list(allowed)
        )
    return value.strip()


def render_proof(order: Order) -> dict[str, Any] | None:
    """Render what is asked for at each stop, and what is missing; None where nothing is asked.

    PINs are not shown here: who may know them is not the same for all who see an order.
    """
    if order.options.proof == NO_PROOF:
        return None
    return {
        stop.value: _render_stop(order, stop)
        for stop in Stop
        if order.options.proof.get_kinds(stop)
    }


def _render_stop(order: Order, stop: Stop) -> dict[str, Any]:
    known, missing = order.proof.get_stop(stop), list_missing(order, stop)
    return omit_none(
        required=[kind.value for kind in order.options.proof.get_kinds(stop)],
        missing=[kind.value for kind in missing],
        overridden=[one.kind.value for one in known.overrides] or None,
        tries_left=known.tries_left if ProofKind.PIN in missing else None,
    )


def add_pins(body: dict[str, Any], pins: Mapping[Stop, str]) -> dict[str, Any]:
    """Add the PINs to an order's body that are its reader's to know."""
    if not pins:
        return body
    shown = dict(body["proof"])
    for stop, pin in pins.items():
        shown[stop.value] = {**shown[stop.value], "pin": pin}
    return {**body, "proof": shown}


def render_file(file: ProofFile, url: str) -> dict[str, Any]:
    """Render a confirmed file, with the URL by which it is read."""
    return {
        "kind": file.kind.value,
        "url": url,
        "content_type": file.content_type,
        "size_bytes": file.size_bytes,
        "uploaded_at": format_iso(file.uploaded_at),
    }
