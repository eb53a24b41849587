"""Take a person out of what webhook endpoints were told: their logs say more than events do."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.mailboxes import ENDPOINT_PREFIX
from chalicelib.domain.webhooks.positions import POSITIONS

ERASED = "erased"
_IDS = ("customer_id", "courier_id")
# What a customer wrote, or whoever cancels; what only a payment of theirs says.
_WORDS = ("external_id", "metadata", "reason", "note", "upi_id")
_SECRETS = ("account", "error")


def is_told(event: Event) -> bool:
    """Tell whether an event is of an endpoint's log."""
    return event.to.startswith(ENDPOINT_PREFIX)


def read_order_id(event: Event) -> int | None:
    """Read the order whose courier's position an event tells; None for every other event."""
    kind, _, rest = event.stream.partition("#")
    return int(rest) if kind == POSITIONS and rest.isdigit() else None


def redact_told(
    data: dict[str, Any], person_id: str, pseudonym: str, *, is_theirs: bool
) -> dict[str, Any]:
    """Return the particulars of an event of an endpoint's log without a person. `is_theirs`: it is
    of an order of theirs. Of other things (a payment) the ids in them say so."""
    is_named = any(
        part.get(name) == person_id for part in (data, data.get("facts", {})) for name in _IDS
    )
    courier = data.get("courier") or {}
    redacted = _replace_person(data, person_id, pseudonym)
    if is_theirs or is_named:
        redacted = _drop_words(redacted)
    if "position" in redacted and (is_theirs or courier.get("id") == person_id):
        redacted["position"] = {"lat": 0.0, "lng": 0.0, "at": data["position"]["at"]}
    return redacted


def _replace_person(data: dict[str, Any], person_id: str, pseudonym: str) -> dict[str, Any]:
    """Put the pseudonym for an id; of a contact (whatever has their `id`) nothing else stays."""
    if data.get("id") == person_id:
        return {"id": pseudonym}
    replaced: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, dict):
            replaced[name] = _replace_person(value, person_id, pseudonym)
        else:
            replaced[name] = pseudonym if name in _IDS and value == person_id else value
    return replaced


def _drop_words(data: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was written, also in parts of it; what bodies need is there, erased."""
    kept: dict[str, Any] = {}
    for name, value in data.items():
        if name in _SECRETS:
            kept[name] = ERASED
        elif name not in _WORDS:
            kept[name] = _drop_words(value) if isinstance(value, dict) else value
    return kept
