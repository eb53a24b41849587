"""What dispatchers do by hand: how it is asked for, and how couriers and messages are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.contracts.base import omit_none, read_optional_text
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.reasons import FAILURE_STEPS
from chalicelib.domain.courier_changes import CourierChange
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.hands import Failure
from chalicelib.domain.orders.reasons import MAX_NOTE, Reason, interpret_hand_reason
from chalicelib.domain.people import Courier
from chalicelib.errors import InvalidInput


def read_hand_reason(data: Mapping[str, Any]) -> Reason | None:
    """Read {reason?, note?}: a code of HAND_REASONS, or a text, which counts as `other` and is kept
    as the note. None where neither is given. Raises InvalidInput."""
    text = read_optional_text(data.get("reason"), "reason", MAX_NOTE)
    note = read_optional_text(data.get("note"), "note", MAX_NOTE)
    return interpret_hand_reason(text, note)


def read_then(data: Mapping[str, Any]) -> Failure | None:
    """Read `then`, what becomes of a thing that can't be handed over; None where it is absent.
    Raises InvalidInput, whose details list what there is."""
    then = data.get("then")
    if then is None:
        return None
    if not isinstance(then, str) or then not in FAILURE_STEPS:
        allowed = tuple(FAILURE_STEPS)
        raise InvalidInput(
            f"then must be one of {', '.join(allowed)}.", field="then", allowed=allowed
        )
    return FAILURE_STEPS[then]


def render_courier_row(courier: Courier, name: str | None, now: datetime) -> dict[str, Any]:
    """Render a courier as dispatchers see one. What is not known is null."""
    fix, located_at = courier.fix, courier.located_at
    idle_since = courier.idle_since if courier.order_id is None else None
    return {
        "id": courier.id,
        "name": name,
        "on_duty": courier.available,
        "paused": courier.is_paused,
        "order_id": str(courier.order_id) if courier.order_id is not None else None,
        "lat": fix.lat if fix else None,
        "lng": fix.lng if fix else None,
        "fix_at": format_iso(located_at) if located_at else None,
        "fix_age_s": max(0, int((now - located_at).total_seconds())) if located_at else None,
        "idle_since": format_iso(idle_since) if idle_since else None,
        "vehicle_type": courier.vehicle_type,
    }


def render_courier_change(change: CourierChange) -> dict[str, Any]:
    """Render {at, step, actor, reason?, note?, order_id?}."""
    return {
        "at": format_iso(change.at),
        "step": change.step,
        "actor": {"role": change.role.value, "id": change.actor_id},
        **omit_none(
            reason=change.reason,
            note=change.note,
            order_id=str(change.order_id) if change.order_id is not None else None,
        ),
    }


def render_messages(found: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Render messages about an order, the newest first: [{id, at, from, text}]."""
    return [
        {
            "id": str(message.id),
            "at": format_iso(message.at),
            "from": {"role": message.sender_role.value, "id": message.sender_id},
            "text": message.text,
        }
        for message in found
    ]
