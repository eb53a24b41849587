"""How an aggregate carries its own outbox, so that state and events are one write.

An order, a wallet, a payout or a payment holds the events of its last versions as `entries`. No
event is lost then, and none tells of a change that was not written. (version, ordinal) says which
fact an event is: it is decided here, before the write, and stays the same however often the write
is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from msgspec.structs import replace

from chalicelib.domain.events import Entry, Event

# How many versions' events an aggregate carries. An entry has to be in the mailboxes before it
# leaves, and whoever writes must make sure of that; with more entries the row costs more to write.
OUTBOX_VERSIONS = 3


class Aggregate(Protocol):
    """State that carries its own outbox. `version` counts its writes, from 1."""

    @property
    def version(self) -> int: ...
    @property
    def entries(self) -> tuple[Entry, ...]: ...


AnyAggregate = TypeVar("AnyAggregate", bound=Aggregate)


def seal(aggregate: AnyAggregate, drafts: Sequence[Event], now: datetime) -> AnyAggregate:
    """Return an aggregate as it is to be written: one version on, with the drafts numbered in its
    outbox."""
    version = aggregate.version + 1
    entries = append_entry(aggregate.entries, version, now, drafts)
    struct: Any = aggregate  # no type says both: a protocol, and one of msgspec's structs
    return cast(AnyAggregate, replace(struct, version=version, entries=entries))


def append_entry(
    entries: tuple[Entry, ...], version: int, at: datetime, drafts: Sequence[Event]
) -> tuple[Entry, ...]:
    """Append the events of one version; the oldest entries leave. A version that tells nothing has
    no entry."""
    if not drafts:
        return entries
    events = tuple(replace(draft, version=version, ordinal=n) for n, draft in enumerate(drafts))
    return (*entries, Entry(version, at, events))[-OUTBOX_VERSIONS:]
