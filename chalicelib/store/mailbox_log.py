"""The events table: the log of each mailbox, but for its newest events, which its head keeps.

A row is a *run*: several events in a row, under the place of the last one. Two holders of a lease
may save overlapping runs, if one died before its head was written; an event is the same in both, as
its place depends on stored data only. So whoever reads takes each place once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import chain, islice
from zlib import crc32
from zlib import error as ZlibError

import msgspec

from chalicelib.domain.events import CRITICAL, LOGGED_FOR, Event
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import save_once
from chalicelib.store.tables import EventRow

log = logging.getLogger(__name__)

CRITICAL_SHARDS = 2  # they are few

_PAGE = 100
_GRACE = timedelta(hours=1)  # rows outlive their events, so that expiry never makes a gap


def save_run(person_id: str, run: tuple[Event, ...]) -> None:
    """Make a run of events a row, unless it is one already."""
    last = run[-1]
    row = EventRow(
        person_id=person_id,
        seq=last.seq,
        doc=pack(run),
        expires=int((max(event.at for event in run) + LOGGED_FOR + _GRACE).timestamp()),
    )
    if last.type in CRITICAL:
        row.critical_day = _make_critical_key(last.at, crc32(person_id.encode()) % CRITICAL_SHARDS)
        row.critical_at = to_epoch_ms(last.at)
    save_once(row, EventRow.seq.does_not_exist())


def list_events_from(mailbox: Mailbox, first_seq: int, limit: int) -> list[Event]:
    """List the events from `first_seq` on, in order, at most `limit`, strongly consistent. The
    events that the head at hand has are not read again: mostly these are all."""
    # A row has an event at least: who wants one need not pay for a hundred rows.
    page = min(_PAGE, limit)
    return list(islice(iterate_events_from(mailbox, first_seq, page), limit))


def iterate_events_from(mailbox: Mailbox, first_seq: int, page: int) -> Iterator[Event]:
    """Yield the events from `first_seq` on, in order, strongly consistent. Rows are read a page at
    a time, and only as far as the caller goes on."""
    tail = mailbox.tail
    is_in_tail = bool(tail) and first_seq >= tail[0].seq
    rows = EventRow.query(
        mailbox.person_id, EventRow.seq >= first_seq, consistent_read=True, page_size=page
    )
    runs = () if is_in_tail else chain.from_iterable(map(_decode_run, rows))
    return _drop_repeated(chain(runs, tail), first_seq)


def iterate_newest_first(mailbox: Mailbox, before: int, page: int) -> Iterator[Event]:
    """Yield the events before a place, the newest first, strongly consistent. Rows are read a page
    at a time, and only as far as the caller goes on."""
    runs = (
        event
        for row in _query_backwards(mailbox, before, page)
        for event in _list_newest_first(row)
    )
    for event in chain(reversed(mailbox.tail), runs):
        if event.seq < before:
            yield event
            before = event.seq


def list_critical_events(day: date, since: datetime, limit: int) -> list[Event]:
    """List the critical events of one day from a time on, in no particular order."""
    keys = [
        (str(hit.person_id), int(hit.seq))
        for shard in range(CRITICAL_SHARDS)
        for hit in EventRow.by_critical.query(
            _make_critical_key(day, shard),
            EventRow.critical_at >= to_epoch_ms(since),
            scan_index_forward=False,
            limit=limit,
        )
    ]
    rows = EventRow.batch_get(keys) if keys else ()
    return [run[-1] for run in map(_decode_run, rows) if run]


def _query_backwards(mailbox: Mailbox, before: int, page: int) -> Iterator[EventRow]:
    first_in_tail = mailbox.tail[0].seq if mailbox.tail else mailbox.next_seq
    if before < first_in_tail:
        # `before` may be in the middle of a run, which has its last event's place: at it or above.
        yield from EventRow.query(
            mailbox.person_id, EventRow.seq >= before, consistent_read=True, limit=1
        )
    yield from EventRow.query(
        mailbox.person_id,
        EventRow.seq < before,
        consistent_read=True,
        scan_index_forward=False,
        page_size=page,
    )


def _list_newest_first(row: EventRow) -> Iterator[Event]:
    return reversed(_decode_run(row))


def _drop_repeated(events: Iterable[Event], first_seq: int) -> Iterator[Event]:
    """Yield each event from a place on once: runs may overlap."""
    for event in events:
        if event.seq >= first_seq:
            yield event
            first_seq = event.seq + 1


def _decode_run(row: EventRow) -> tuple[Event, ...]:
    """Decode the events of a row. One that can't be decoded is parked, and counts as empty: the
    events after it are worth delivering."""
    try:
        return unpack(row.doc, tuple[Event, ...])
    except (msgspec.MsgspecError, ZlibError, KeyError):
        log.exception("parked: a run of events up to %d can't be decoded", row.seq)
        return ()


def _make_critical_key(day: date, shard: int) -> str:
    return f"{day:%Y-%m-%d}#{shard}"
