"""How wallets, payouts and payments number what they tell, as orders do (see lifecycle.seal)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain.events import Entry, Event

OUTBOX_VERSIONS = 3  # how many versions' events an aggregate carries


def draft_event(type_: str, to: str, stream: str, now: datetime, **data: Any) -> Event:
    """An event that is numbered when its aggregate is written."""
    return Event(type=type_, to=to, stream=stream, version=0, ordinal=0, at=now, data=data)


def append_entry(
    outbox: tuple[Entry, ...], version: int, at: datetime, drafts: tuple[Event, ...]
) -> tuple[Entry, ...]:
    """The outbox with the events of one more version."""
    told = tuple(replace(event, version=version, ordinal=n) for n, event in enumerate(drafts))
    return (*outbox, Entry(version, at, told))[-OUTBOX_VERSIONS:]
