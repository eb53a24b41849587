"""A payout: money set aside by a courier to be transferred: requested, approved, completed."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

import msgspec
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Entry, Event, Outbox, draft_event
from chalicelib.domain.outbox import seal
from chalicelib.errors import Conflict

TRANSFER_WITHIN = timedelta(days=1)
TRANSFER_TIME = "18:00:00"  # banks run their batches in the evening
_STREAM_PREFIX = "payout#"


class PayoutStatus(str, Enum):
    """How far a payout is."""

    REQUESTED = "requested"
    APPROVED = "approved"
    COMPLETED = "completed"


class Payout(msgspec.Struct, frozen=True, omit_defaults=True):
    """An amount that a courier has set aside.

    `version` counts its writes; `entries` are the events of the last of them. `token` is drawn by
    the request for the payout: a request whose write got no answer knows its own by it.
    """

    id: str
    courier_id: str
    amount_minor: int
    bank_account: str
    requested_at: datetime
    status: PayoutStatus = PayoutStatus.REQUESTED
    version: int = 1
    transaction_id: str | None = None
    entries: tuple[Entry, ...] = msgspec.field(default=(), name="outbox")
    token: str = ""

    @property
    def outbox(self) -> Outbox:
        """The events of the payout's last versions."""
        return Outbox(name_payout_stream(self.id), None, self.entries, self)


def name_payout_stream(payout_id: str) -> str:
    """Name the stream of a payout's events."""
    return f"{_STREAM_PREFIX}{payout_id}"


def parse_payout_stream(stream: str) -> str:
    """Read which payout's stream this is."""
    return stream.removeprefix(_STREAM_PREFIX)


def approve_payout(payout: Payout, now: datetime) -> Payout:
    """Return a payout approved; one that is approved already, or completed, as it is."""
    if payout.status is not PayoutStatus.REQUESTED:
        return payout
    event = _draft_payout_event(
        payout,
        events.PAYOUT_APPROVED,
        now,
        transfer_date=f"{now + TRANSFER_WITHIN:%Y-%m-%d}",
        transfer_time=TRANSFER_TIME,
    )
    return seal(replace(payout, status=PayoutStatus.APPROVED), [event], now)


def complete_payout(payout: Payout, transaction_id: str, now: datetime) -> Payout:
    """Return a payout completed by a transaction; the same transaction again changes nothing.

    Raises Conflict for another transaction, as money would have been sent twice, and for a payout
    that nobody approved.
    """
    if payout.status is PayoutStatus.COMPLETED:
        if payout.transaction_id != transaction_id:
            raise Conflict("This payout was completed by another transaction.")
        return payout
    if payout.status is not PayoutStatus.APPROVED:
        raise Conflict("This payout has not been approved.")
    completed = replace(payout, status=PayoutStatus.COMPLETED, transaction_id=transaction_id)
    event = _draft_payout_event(payout, events.PAYOUT_COMPLETED, now, transaction_id=transaction_id)
    return seal(completed, [event], now)


def mask_account(account: str) -> str:
    """Mask an account or a phone number for others to see: its last four characters stay."""
    return f"****{account[-4:]}"


def _draft_payout_event(payout: Payout, type_: str, now: datetime, **more: str) -> Event:
    """Draft an event to the courier whose payout it is."""
    data = {
        "payout_id": payout.id,
        "amount_minor": payout.amount_minor,
        "account": mask_account(payout.bank_account),
        **more,
    }
    return draft_event(type_, payout.courier_id, name_payout_stream(payout.id), now, data=data)
