"""Replays of long logs, a page a wakeup; and pages of attempts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.domain.messaging.wakeups import ReplayDue, Wakeup
from chalicelib.domain.webhooks.deliveries import make_page
from chalicelib.domain.webhooks.delivery import Attempt, Delivery, SendDue
from chalicelib.domain.webhooks.endpoint import Endpoint
from chalicelib.services.webhooks.replaying import PAGE, Replays
from tests.builders import NOW
from tests.unit.webhooks.endpoints import make_endpoint

EVENTS = 100_000
FIRST = 20_001  # those before have expired
SECOND = timedelta(seconds=1)


class Log:
    """A long log, an event a second; the queues remember. `late` are out of order."""

    def __init__(self) -> None:
        self.late: dict[int, datetime] = {}
        self.reads = 0
        self.sent: list[int] = []
        self.wakeups: list[Wakeup] = []

    def time_of(self, seq: int) -> datetime:
        return self.late.get(seq, NOW + seq * SECOND)

    def get_endpoint(self, endpoint_id: str) -> Endpoint:
        return make_endpoint(endpoint_id)

    def get_mailbox(self, mailbox_id: str) -> Mailbox:
        return Mailbox(mailbox_id, next_seq=EVENTS + 1)

    def list_events_from(self, box: Mailbox, first_seq: int, limit: int) -> list[Event]:
        self.reads += 1
        first = max(FIRST, first_seq)
        return [
            Event("order.placed", box.person_id, "order#1", 1, 0, self.time_of(seq), seq=seq)
            for seq in range(first, min(first + limit, EVENTS + 1))
        ]

    def send_sends(self, sends: Iterable[tuple[SendDue, timedelta]]) -> None:
        for send, _ in sends:
            assert send.resent
            self.sent.append(send.seq)

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        self.wakeups += [wakeup for wakeup, _ in wakeups]


def replay(log: Any, since: datetime) -> list[int]:
    """Replay a log; return how many events each page sent."""
    replays = Replays(log, log, log, log)
    replays.start_replay(make_endpoint("1"), since)
    (wakeup,) = log.wakeups
    pages = []
    while wakeup:
        assert isinstance(wakeup, ReplayDue)
        before = len(log.sent)
        wakeup = replays.replay_page(wakeup)
        pages.append(len(log.sent) - before)
    return pages


def test_a_long_log_is_replayed_whole_and_in_order_by_pages() -> None:
    log = Log()
    pages = replay(log, NOW)
    assert log.sent == list(range(FIRST, EVENTS + 1))
    assert max(pages) == PAGE


@pytest.mark.parametrize("last", [0, 1, 10, 5000])
def test_the_end_of_a_long_log_is_found_and_not_read_up_to(last: int) -> None:
    log = Log()
    replay(log, log.time_of(EVENTS - last))
    assert log.sent == list(range(EVENTS - last, EVENTS + 1))
    assert log.reads < 17 + 2 + (3600 + last) / PAGE + 1


def test_what_is_late_is_found_too() -> None:
    log = Log()
    since = log.time_of(90_000)
    # One of a minute later that came 50 minutes before it, and one that came a day after its time.
    log.late[87_000] = since + 60 * SECOND
    log.late[95_000] = since - timedelta(days=1)
    replay(log, since)
    assert log.sent == [87_000, *(n for n in range(90_000, EVENTS + 1) if n != 95_000)]


def test_a_time_to_come_replays_nothing() -> None:
    log = Log()
    replay(log, NOW + timedelta(days=400))
    assert log.sent == []


def deliveries(*attempts: int) -> list[Delivery]:
    """Deliveries with so many attempts each, one a second, the newest first."""
    return [
        Delivery(
            "1",
            len(attempts) - n,
            attempts=tuple(Attempt(NOW + k * SECOND, 5, 500) for k in range(count)),
        )
        for n, count in enumerate(attempts)
    ]


def test_attempts_are_paged_over_deliveries_and_those_made_meanwhile_move_nothing() -> None:
    shown = []
    position = None
    for counts in ((3, 0, 1, 2), (5, 1, 1, 2), (5, 1, 1, 2), (6, 1, 1, 3)):
        page = make_page(
            [d for d in deliveries(*counts) if position is None or d.seq <= position.seq],
            2,
            position,
        )
        shown += [(one.delivery.seq, (one.attempt.at - NOW) // SECOND) for one in page.attempts]
        position = page.position
        if position is None:
            break
    assert shown == [(4, 2), (4, 1), (4, 0), (3, 0), (2, 0), (1, 1), (1, 0)]
    assert position is None
    assert make_page([], 2, None).attempts == ()
