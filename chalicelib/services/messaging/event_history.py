"""Looking events up: one, a person's, the critical ones, and how many there were."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import islice

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import list_subscriber_rooms
from chalicelib.domain.messaging.event_stats import DayCounts, DeliveryStats, EventPage
from chalicelib.errors import NotFound
from chalicelib.services.ports import Clock, ConnectionStore, CounterStore, MailboxStore

MAX_EVENTS_READ = 2000  # events of one person that one request reads
_PAGE = 200
_READ_TRIES, _READ_PAUSE_S = 10, 0.05

EventFilter = Callable[[Event], bool]


class EventHistory:
    """Answers questions about events."""

    def __init__(
        self,
        mailboxes: MailboxStore,
        connections: ConnectionStore,
        counters: CounterStore,
        pool: ThreadPoolExecutor,
        clock: Clock,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._mailboxes = mailboxes
        self._connections = connections
        self._counters = counters
        self._pool = pool
        self._clock = clock

    def get_event(self, person_id: str, seq: int) -> Event:
        """Return one event of a person's log. Raises NotFound.

        An event is posted before it is written, when the lease ends: a client may ask for it in
        between. So while the mailbox is leased this waits a moment, and looks again.
        """
        for _ in range(_READ_TRIES):
            box = self._mailboxes.get_mailbox(person_id)
            found = self._mailboxes.list_events_from(box, seq, 1)
            if found and found[0].seq == seq:
                return found[0]
            if seq < box.next_seq or not box.is_leased(self._clock()):
                break
            self._sleep(_READ_PAUSE_S)
        raise NotFound("There is no such event.")

    def get_page(
        self,
        person_id: str,
        is_wanted: EventFilter,
        limit: int,
        skip: int = 0,
        before: int | None = None,
    ) -> EventPage:
        """Return a page of a person's events that are wanted, the newest first: `limit` of them
        after `skip`, all from before the place `before`.

        No more than MAX_EVENTS_READ are looked at; a page that ends there may be short, or empty,
        and leads on all the same.
        """
        page: list[Event] = []
        last = None
        for event in islice(self._iterate_newest_first(person_id, before), MAX_EVENTS_READ):
            last = event
            if not is_wanted(event):
                continue
            if skip:
                skip -= 1
                continue
            if len(page) == limit:
                return EventPage(page, page[-1].seq if page else None)
            page.append(event)
        return EventPage(page, last.seq if last and self._has_older(person_id, last) else None)

    def list_critical_events(self, hours: int, limit: int) -> list[Event]:
        """List everybody's critical events of the last hours, the newest first."""
        now = self._clock()
        since = now - timedelta(hours=hours)
        days = [since.date() + timedelta(n) for n in range((now.date() - since.date()).days + 1)]
        by_day = self._pool.map(
            lambda day: self._mailboxes.list_critical_events(day, since, limit), days
        )
        events = [event for of_day in by_day for event in of_day]
        return sorted(events, key=lambda event: event.at, reverse=True)[:limit]

    def list_counts(self, day: date) -> DayCounts:
        """List how many events of each type a day had, and how often each reason was given."""
        return self._counters.list_counts(day)

    def compute_stats(self) -> DeliveryStats:
        """Count who is subscribed now. Queued are events of yesterday and today that no subscriber
        has been delivered."""
        now = self._clock()
        by_room = self._pool.map(
            lambda room: self._connections.list_subscribers(room, now), list_subscriber_rooms()
        )
        subscribers = [subscriber for of_room in by_room for subscriber in of_room]
        today = now.date()
        days = (today, today - timedelta(days=1))
        recent = [count for day in days for count in self.list_counts(day).events]
        return DeliveryStats(
            connections=len(subscribers),
            people=len({subscriber.person_id for subscriber in subscribers}),
            subscriptions=sum(len(subscriber.subscriptions or ()) for subscriber in subscribers),
            queued=sum(max(0, count.logged - count.delivered) for count in recent),
        )

    def _has_older(self, person_id: str, event: Event) -> bool:
        if event.seq <= 1:
            return False
        return bool(self._mailboxes.list_events_before(person_id, event.seq, 1))

    def _iterate_newest_first(self, person_id: str, before: int | None) -> Iterator[Event]:
        while page := self._mailboxes.list_events_before(person_id, before, _PAGE):
            yield from page
            before = page[-1].seq
