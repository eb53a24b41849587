"""Why an order was cancelled, declined, handed back or failed: one vocabulary for each actor.

Clients that know the vocabulary send a code. Clients of the five contracts send a text of their own
or nothing at all: a text that is no code counts as `other`, and is kept as the note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

import msgspec

from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput

MAX_NOTE = 200  # characters
OTHER = "other"


class CustomerReason(str, Enum):
    """Why a customer calls an order off."""

    CHANGED_MIND = "changed_mind"
    TOO_LONG = "too_long"
    WRONG_ADDRESS = "wrong_address"
    PRICE = "price"
    OTHER = OTHER


class CourierReason(str, Enum):
    """Why a courier declines an order, hands it back or calls it off."""

    VEHICLE = "vehicle"
    ACCIDENT = "accident"
    TOO_FAR = "too_far"
    NOT_READY = "not_ready"
    NO_ACCESS = "no_access"
    UNSAFE = "unsafe"
    OTHER = OTHER


class MerchantReason(str, Enum):
    """Why a merchant refuses an order."""

    CLOSED = "closed"
    OUT_OF_STOCK = "out_of_stock"
    TOO_BUSY = "too_busy"
    OTHER = OTHER


class AdminReason(str, Enum):
    """Why an admin steps in, beside all reasons that the others may have."""

    FRAUD = "fraud"
    LOST = "lost"
    OVERRIDE = "override"


class FailureReason(str, Enum):
    """Why a thing could not be handed over, beside a courier's reasons."""

    RECIPIENT_ABSENT = "recipient_absent"
    REFUSED = "refused"
    WRONG_ADDRESS = "wrong_address"
    DAMAGED = "damaged"


class HandReason(str, Enum):
    """Why a dispatcher takes an order into their hands, or pauses a courier, beside all reasons
    that the others may have."""

    LATE = "late"  # the courier is
    UNREACHABLE = "unreachable"
    BREAK = "break"


def _list_codes(*enums: Iterable[Enum]) -> tuple[str, ...]:
    """List the codes of several vocabularies, once each; `other` is the last."""
    codes = dict.fromkeys(str(one.value) for enum in enums for one in enum)
    return (*(code for code in codes if code != OTHER), OTHER)


ALLOWED_REASONS: Mapping[Role, tuple[str, ...]] = {
    Role.CUSTOMER: _list_codes(CustomerReason),
    Role.COURIER: _list_codes(CourierReason),
    Role.MERCHANT: _list_codes(MerchantReason),
    Role.ADMIN: _list_codes(CustomerReason, CourierReason, MerchantReason, AdminReason),
}
# Of a hand (hands.py).
HAND_REASONS = _list_codes(
    HandReason, AdminReason, CourierReason, FailureReason, CustomerReason, MerchantReason
)
FAILURE_REASONS = _list_codes(CourierReason, FailureReason)


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why something was done with an order: a code, and in words what the code leaves open."""

    code: str
    note: str | None = None

    @property
    def text(self) -> str:
        """The reason as a text, as contracts of one text for it say it: the client's own words
        where there is no code for them."""
        return self.note if self.code == OTHER and self.note else self.code

    @property
    def short_note(self) -> str | None:
        """The note as it is shown: a text that stands for a code may be longer than a note."""
        return self.note[:MAX_NOTE] if self.note else None


def interpret_reason(role: Role | None, text: str | None, note: str | None = None) -> Reason | None:
    """Make a reason of what a client of any contract sends; None where it sends neither.

    A text that is no code of the role's is `other`, and is kept as the note.
    """
    allowed = ALLOWED_REASONS.get(role, ()) if role else ()
    if text in allowed:
        return Reason(str(text), note)
    words = " - ".join(part for part in (text, note) if part)
    return Reason(OTHER, words) if words else None


def interpret_hand_reason(text: str | None, note: str | None) -> Reason | None:
    """Make a reason of what a dispatcher gives; None where they give none. A text that is no code
    is `other`, and is kept as the note."""
    if text in HAND_REASONS:
        return Reason(str(text), note)
    words = " - ".join(part for part in (text, note) if part)
    return Reason(OTHER, words) if words else None


def choose_reason(allowed: tuple[str, ...], code: str | None, note: str | None = None) -> Reason:
    """Make a reason of a code that must be one of `allowed`.

    Raises InvalidInput, whose details list them.
    """
    if code not in allowed:
        listed = ", ".join(allowed)
        raise InvalidInput(f"reason must be one of {listed}.", field="reason", allowed=allowed)
    return Reason(str(code), note)
