"""Reads and shows why something was done with an order: {reason, note?}, the same in all contracts.

Clients of the five contracts know no codes: what they send is taken as it comes (read_reason).
Requests of our own take a code only (read_chosen_reason).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts.base import omit_none, read_optional_text
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.reasons import (
    FAILURE_REASONS,
    MAX_NOTE,
    FailureReason,
    Reason,
    choose_reason,
    interpret_reason,
)
from chalicelib.domain.orders.waiting import Failure
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput

# `then` of a failed delivery: what its courier does with the thing.
FAILURE_STEPS: Mapping[
    str, type[commands.TakeBack] | type[commands.LeaveBehind] | type[commands.Discard]
] = {
    "return": commands.TakeBack,
    "leave": commands.LeaveBehind,
    "discard": commands.Discard,
}


def read_reason(data: Mapping[str, Any], role: Role | None) -> Reason | None:
    """Read {reason?, note?} as a reason of an actor of this role; a text that is none of the
    role's codes is kept as the note of `other`. None where neither is given. Raises InvalidInput.
    """
    text = read_optional_text(data.get("reason"), "reason")
    return interpret_reason(role, text, _read_note(data))


def read_chosen_reason(data: Mapping[str, Any], allowed: tuple[str, ...]) -> Reason:
    """Read {reason, note?} whose reason must be one of `allowed`. Raises InvalidInput, whose
    details list them."""
    value = data.get("reason")
    code = value.strip() if isinstance(value, str) else None
    return choose_reason(allowed, code, _read_note(data))


def read_failure(data: Mapping[str, Any], reason: Reason) -> Failure:
    """Read `then`, what becomes of a thing that can't be handed over, as the step that says so.
    Raises InvalidInput, whose details list what there is."""
    then = data.get("then")
    if not isinstance(then, str) or then not in FAILURE_STEPS:
        allowed = tuple(FAILURE_STEPS)
        raise InvalidInput(
            f"then must be one of {', '.join(allowed)}.", field="then", allowed=allowed
        )
    return FAILURE_STEPS[then](reason)


def read_no_show(data: Mapping[str, Any]) -> Failure:
    """Read {reason?, note?, then?} of a no-show as the step that it is after the pickup. Without a
    reason the recipient was absent; without `then` the thing is brought back. Raises InvalidInput.
    """
    code = data.get("reason")
    reason = read_chosen_reason(
        {**data, "reason": FailureReason.RECIPIENT_ABSENT.value if code is None else code},
        FAILURE_REASONS,
    )
    then = "return" if data.get("then") is None else data["then"]
    return replace(read_failure({"then": then}, reason), is_no_show=True)


def _read_note(data: Mapping[str, Any]) -> str | None:
    return read_optional_text(data.get("note"), "note", MAX_NOTE)


def render_reason(order: Order) -> dict[str, Any]:
    """Render the last reason that was given about an order; nothing where none was."""
    reason = order.reason
    return omit_none(reason=reason.code, note=reason.short_note) if reason else {}
