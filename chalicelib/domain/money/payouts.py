"""A payout: money set aside by a courier to be transferred: requested, approved, completed."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

import msgspec
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.domain.outbox import append_entry, draft_event
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
    """`version` counts commits; `outbox` holds the events of the last of them. `token` is of the
    request for it, which knows it by that."""

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
        """What has lately been told of this payout."""
        return Outbox(payout_stream(self.id), None, self.entries)


def payout_stream(payout_id: str) -> str:
    """The stream name of a payout's events."""
    return f"{_STREAM_PREFIX}{payout_id}"


def approve_payout(payout: Payout, now: datetime) -> Payout:
    """Approve it; one that is approved already, or even completed, stays as it is."""
    if payout.status is not PayoutStatus.REQUESTED:
        return payout
    told = _draft_payout_event(
        payout,
        events.PAYOUT_APPROVED,
        now,
        transfer_date=f"{now + TRANSFER_WITHIN:%Y-%m-%d}",
        transfer_time=TRANSFER_TIME,
    )
    return _with_event(replace(payout, status=PayoutStatus.APPROVED), told, now)


def complete_payout(payout: Payout, transaction_id: str, now: datetime) -> Payout:
    """Note the transfer; again with the same transaction changes nothing. Raises Conflict."""
    if payout.status is PayoutStatus.COMPLETED:
        if payout.transaction_id != transaction_id:
            raise Conflict("This payout was completed by another transaction.")
        return payout
    if payout.status is not PayoutStatus.APPROVED:
        raise Conflict("This payout has not been approved.")
    done = replace(payout, status=PayoutStatus.COMPLETED, transaction_id=transaction_id)
    told = _draft_payout_event(payout, events.PAYOUT_COMPLETED, now, transaction_id=transaction_id)
    return _with_event(done, told, now)


def mask_account(account: str) -> str:
    """An account or a phone number as others may see it: its last four characters."""
    return f"****{account[-4:]}"


def _draft_payout_event(payout: Payout, type_: str, now: datetime, **more: str) -> Event:
    return draft_event(
        type_,
        payout.courier_id,
        payout_stream(payout.id),
        now,
        payout_id=payout.id,
        amount_minor=payout.amount_minor,
        account=mask_account(payout.bank_account),
        **more,
    )


def _with_event(payout: Payout, told: Event, now: datetime) -> Payout:
    version = payout.version + 1
    outbox = append_entry(payout.entries, version, now, (told,))
    return replace(payout, version=version, entries=outbox)
