"""What can be asked about events: one, a person's, the critical ones, and how many there were."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import islice

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import list_subscriber_rooms
from chalicelib.domain.messaging.event_stats import DeliveryStats, EventCount, EventPage
from chalicelib.errors import NotFound
from chalicelib.services.ports import Clock, ConnectionStore, CounterStore, MailboxStore

MAX_EVENTS_READ = 2000  # events of one person that one request looks at
_PAGE = 200
_READ_TRIES, _READ_PAUSE_S = 10, 0.05

EventFilter = Callable[[Event], bool]


class EventHistory:
    """Answers questions about events."""

    def __init__(
        self,
        log: MailboxStore,
        connections: ConnectionStore,
        counters: CounterStore,
        pool: ThreadPoolExecutor,
        clock: Clock,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._log = log
        self._connections = connections
        self._counters = counters
        self._pool = pool
        self._clock = clock

    def get_event(self, person_id: str, seq: int) -> Event:
        """One event of a person's log. Raises NotFound.

        One that is just being told is noted in a moment: a client may ask faster than that.
        """
        for _ in range(_READ_TRIES):
            box = self._log.get_mailbox(person_id)
            found = self._log.list_events_from(box, seq, 1)
            if found and found[0].seq == seq:
                return found[0]
            if seq < box.next_seq or not box.is_leased(self._clock()):
                break
            self._sleep(_READ_PAUSE_S)
        raise NotFound("There is no such event.")

    def get_page(
        self,
        person_id: str,
        wanted: EventFilter,
        limit: int,
        skip: int = 0,
        before: int | None = None,
    ) -> EventPage:
        """A person's events that are `wanted`, the newest first: `limit` of them after `skip`,
        all from before the place `before`."""
        found: list[Event] = []
        last = None
        for event in islice(self._iterate_newest_first(person_id, before), MAX_EVENTS_READ):
            last = event
            if not wanted(event):
                continue
            if skip:
                skip -= 1
                continue
            if len(found) == limit:
                return EventPage(found, found[-1].seq if found else None)
            found.append(event)
        more = (
            last is not None
            and last.seq > 1
            and self._log.list_events_before(person_id, last.seq, 1)
        )
        return EventPage(found, last.seq if last and more else None)

    def list_critical_events(self, hours: int, limit: int) -> list[Event]:
        """The critical events of the last hours, newest first."""
        now = self._clock()
        since = now - timedelta(hours=hours)
        days = [since.date() + timedelta(n) for n in range((now.date() - since.date()).days + 1)]
        found = self._pool.map(lambda day: self._log.list_critical_events(day, since, limit), days)
        events = [event for of_day in found for event in of_day]
        return sorted(events, key=lambda event: event.at, reverse=True)[:limit]

    def list_counts(self, day: date) -> list[EventCount]:
        """How many events of each type a day had."""
        return self._counters.list_counts(day)

    def compute_stats(self) -> DeliveryStats:
        """Who listens now; queued are events of yesterday and today that no subscriber heard."""
        now = self._clock()
        rooms = self._pool.map(
            lambda r: self._connections.list_subscribers(r, now), list_subscriber_rooms()
        )
        listeners = [listener for room in rooms for listener in room]
        today = now.date()
        recent = self.list_counts(today) + self.list_counts(today - timedelta(days=1))
        return DeliveryStats(
            connections=len(listeners),
            people=len({listener.person_id for listener in listeners}),
            subscriptions=sum(len(listener.subscriptions or ()) for listener in listeners),
            queued=sum(max(0, count.logged - count.delivered) for count in recent),
        )

    def _iterate_newest_first(self, person_id: str, before: int | None) -> Iterator[Event]:
        while page := self._log.list_events_before(person_id, before, _PAGE):
            yield from page
            before = page[-1].seq
