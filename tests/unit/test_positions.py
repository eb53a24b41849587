"""Positions as texts, and the cursors of those whose clients hold them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import count
from random import Random
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.contracts.renderer import ContractRenderer
from chalicelib.domain.events import LOGGED_FOR, Event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.cursors import POSITIONED, DeliveryResult
from chalicelib.domain.messaging.mailboxes import Mailbox, MailboxSubscriber
from chalicelib.domain.messaging.positions import (
    NOW,
    LogPlace,
    encode_offset,
    encode_position,
    find_seq,
    make_epoch,
    parse_position,
    read_position,
)
from chalicelib.errors import InvalidInput, NotKept
from chalicelib.services.messaging.event_stream import MAX_EVENTS, EventStream
from chalicelib.services.messaging.kept_log import KeptLog, split_runs
from chalicelib.store.mailboxes import MailboxTable
from tests.fakes import Clock

if TYPE_CHECKING:
    from chalicelib.contracts.base import Contract

AT = datetime(2031, 5, 6, 7, 8, 9, tzinfo=timezone.utc)
EPOCHS = st.text("0123456789abcdef", min_size=1, max_size=12)
PLACES = st.builds(LogPlace, EPOCHS, st.integers(0, 10**20 - 1))


@given(st.lists(PLACES, min_size=1, max_size=51))
def test_a_position_reads_as_it_was_written(places: list[LogPlace]) -> None:
    text = encode_position(places)
    assert list(parse_position(text)) == places
    assert read_position(text) == text
    assert parse_position(encode_offset(places[0])) == (places[0],)
    for epoch, _ in places:
        assert find_seq(text, epoch) == min(place.seq for place in places if place.epoch == epoch)
    assert find_seq(text, "none") is None


@given(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1))
def test_offsets_sort_as_places(one: int, other: int) -> None:
    epoch = make_epoch(AT)
    texts = encode_offset(LogPlace(epoch, one)), encode_offset(LogPlace(epoch, other))
    assert (texts[0] < texts[1]) == (one < other)


@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_whatever_is_sent_is_a_position_or_refused(sent: object) -> None:
    try:
        found = read_position(sent)
    except InvalidInput:
        return
    assert found == sent
    assert sent is None or sent == NOW or parse_position(sent)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "a.", ".1", "a.1~", "~a.1", "a.1~b", "a.1.2", "a.+1", "a.\u0661", "a.1\n"),
        *("é.1", "a." + "1" * 21, "a" * 33 + ".1", "~".join(["a.1"] * 65)),
    ],
)
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_position(text)


def test_two_logs_of_one_second_have_two_epochs() -> None:
    assert len({make_epoch(AT) for _ in range(5)}) > 1
    assert make_epoch(AT) < make_epoch(AT + timedelta(seconds=1))


# Cursors


def a_subscriber(name: str, others: str | None = "") -> Subscriber:
    return Subscriber(name, "cara", "customer", other_logs=others)


PHONE, TABLET, STOCK = a_subscriber("phone"), a_subscriber("tablet"), a_subscriber("stock", None)


def a_mailbox(*subscribers: Subscriber, end: int = 10, shared: int = 0) -> Mailbox:
    ends_at = AT + timedelta(hours=1)
    return Mailbox(
        "cara",
        epoch="e1",
        next_seq=end + 1,
        delivered_to=7,
        cursor_by_type={POSITIONED: shared} if shared else {},
        subscribers=tuple(MailboxSubscriber(one, ends_at) for one in subscribers),
    )


def admit(box: Mailbox, subscriber: Subscriber, at: int) -> Mailbox:
    return box.admit_subscriber(subscriber, {POSITIONED: at}, AT)


@pytest.mark.parametrize("shared", [0, 4, 10])
@pytest.mark.parametrize("at", [0, 3, 4, 9, 10])
def test_each_begins_just_where_it_was_told_up_to(shared: int, at: int) -> None:
    """And moves nobody else, nor the person's own place."""
    box = a_mailbox(PHONE, TABLET, STOCK, shared=shared)
    admitted = admit(box, TABLET, at)
    assert admitted.get_lowest_cursor(TABLET) == at
    assert admitted.get_lowest_cursor(PHONE) == box.get_lowest_cursor(PHONE) == shared
    assert admitted.get_lowest_cursor(STOCK) == 7


def test_no_position_is_beyond_the_log() -> None:
    assert admit(a_mailbox(PHONE), PHONE, 99).get_lowest_cursor(PHONE) == 10


def test_one_that_has_not_arrived_yet_is_not_taken_to_be_behind() -> None:
    box = a_mailbox(PHONE, TABLET)
    arrivals = tuple(f'arrival#{one}@{{"+":10}}' for one in ("tablet", "phone"))
    both = admit(admit(replace(box, pending=arrivals), TABLET, 10), PHONE, 10)
    assert both.lags == {}
    assert both.get_lowest_cursor(PHONE) == both.get_lowest_cursor(TABLET) == 10


def test_what_a_device_left_behind_is_nobody_elses_place() -> None:
    box = admit(a_mailbox(PHONE, TABLET, shared=10), PHONE, 2)
    gone = a_mailbox(TABLET, shared=10)
    left = replace(gone, lags=box.lags)
    assert admit(left, TABLET, 10).lags == {}
    stock = a_subscriber("stock 2", None)
    assert "phone" not in left.admit_subscriber(stock, {"*": 7}, AT).lags


def test_a_delivery_to_devices_moves_their_cursor_and_not_the_persons() -> None:
    box = admit(a_mailbox(PHONE, STOCK), PHONE, 3)
    moved = box.apply_results([DeliveryResult(PHONE, 10)], AT)
    assert moved.delivered_to == 7
    assert moved.get_lowest_cursor(PHONE) == 10
    assert moved.lags == {}
    failed = box.apply_results([DeliveryResult(PHONE, 5, failed=True)], AT)
    assert failed.get_lowest_cursor(PHONE) == 5
    assert failed.is_backing_off(PHONE, AT)


# What is kept


def an_event(seq: int, at: datetime = AT) -> Event:
    return Event("order_placed", "cara", f"order#{seq}", 1, 0, at, seq=seq)


class Log(MailboxTable):
    """One mailbox in memory."""

    def __init__(self, events: list[Event], end: int) -> None:
        self.box = Mailbox("cara", epoch="e1", next_seq=end + 1, stored_tail=tuple(events))

    def get_mailbox(self, person_id: str) -> Mailbox:
        return self.box

    def get_eventually(self, person_id: str) -> Mailbox:
        return self.box


OLD, END = AT - LOGGED_FOR, 250


@pytest.fixture
def stream() -> EventStream:
    """Places 1 to 9 have expired; of the rest all is there, one of them out of time."""
    events = [an_event(n, OLD if n < 10 or n == 12 else AT) for n in range(1, END + 1)]
    clock = Clock()
    clock.now = AT
    log = Log(events, END)
    return EventStream(log, KeptLog(log, clock), clock, clock.advance)


def is_any(event: Event) -> bool:
    return True


def test_a_page_is_bounded_and_leads_on(stream: EventStream) -> None:
    seqs: list[int] = []
    offset, pages = "-1", 0
    while True:
        page = stream.read_page("cara", offset, is_any, timedelta(0))
        seqs += [event.seq for event in page.events]
        offset, pages = encode_offset(page.end), pages + 1
        if page.is_up_to_date:
            break
        assert len(page.events) == MAX_EVENTS
    assert (seqs, pages) == (list(range(10, END + 1)), 3)


@pytest.mark.parametrize(("seq", "is_kept"), [(0, False), (8, False), (9, True), (END, True)])
def test_what_lies_before_what_is_kept_is_gone(
    stream: EventStream, seq: int, is_kept: bool
) -> None:
    offset = encode_offset(LogPlace("e1", seq))
    if is_kept:
        found = stream.read_page("cara", offset, is_any, timedelta(0)).events
        assert [event.seq for event in found][:1] == ([seq + 1] if seq < END else [])
    else:
        with pytest.raises(NotKept):
            stream.read_page("cara", offset, is_any, timedelta(0))


def test_what_nobody_wants_is_passed_over_and_waited_beyond(stream: EventStream) -> None:
    page = stream.read_page("cara", "-1", lambda event: False, timedelta(seconds=25))
    assert (page.events, page.end, page.is_up_to_date) == ([], LogPlace("e1", END), True)


@pytest.mark.parametrize("missing", [[20], [20, 21], [END], [END - 1, END]])
def test_no_place_that_is_missing_is_passed_over(missing: list[int]) -> None:
    """Its row had expired before those ahead of it."""
    clock = Clock()
    clock.now = AT
    log = Log([an_event(n) for n in range(1, END + 1) if n not in missing], END)
    stream = EventStream(log, KeptLog(log, clock), clock, clock.advance)
    page = stream.read_page("cara", f"e1.{missing[0] - 3}", is_any, timedelta(0))
    assert [event.seq for event in page.events] == [missing[0] - 2, missing[0] - 1]
    assert not page.is_up_to_date
    with pytest.raises(NotKept):
        stream.read_page("cara", encode_offset(page.end), is_any, timedelta(0))
    runs = list(split_runs([event for event in log.box.tail if event.seq < END]))
    assert sum(map(len, runs)) == len({e.seq for run in runs for e in run})
    assert all(run[-1].seq - run[0].seq == len(run) - 1 for run in runs)


class Holders:
    """Holders of a mailbox's lease, one after the other, and the devices that come and go."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.box = a_mailbox(end=random.randrange(5))
        self.stored_end = self.box.last_seq
        self.numbers = count()
        self.starts: dict[Subscriber, int] = {}
        self.heard: dict[Subscriber, set[int]] = {}

    def arrive(self) -> None:
        """A device subscribes, having been told up to somewhere in what is stored."""
        device = a_subscriber(f"device-{next(self.numbers)}.")
        self.starts[device] = self.random.randint(0, self.stored_end)
        self.heard[device] = set()
        there = MailboxSubscriber(device, AT + timedelta(hours=1))
        arrival = f'arrival#{device.connection_id}@{{"+":{self.starts[device]}}}'
        subscribers, pending = (*self.box.subscribers, there), (*self.box.pending, arrival)
        self.box = replace(self.box, subscribers=subscribers, pending=pending)

    def hold(self) -> None:
        """Apply what is pending, append, deliver, as far as it goes, and let go."""
        applied = set()
        for _ in range(self.random.randint(1, 3)):
            for arrival in [one for one in self.box.pending if one not in applied]:
                name = arrival.removeprefix("arrival#").partition("@")[0]
                applied.add(arrival)
                device = self.box.find_subscriber(name)
                assert device
                self.box = self.box.admit_subscriber(device, {POSITIONED: self.starts[device]}, AT)
            for _ in range(self.random.randrange(4)):
                self.box = self.box.append_event(an_event(0))
            if self.random.random() < 0.8:
                self.deliver(self.random.random() < 0.3)
            if self.random.random() < 0.3:
                self.arrive()
        left = tuple(one for one in self.box.pending if one not in applied)
        self.box = replace(self.box, pending=left)
        self.stored_end = self.box.last_seq

    def deliver(self, is_flaky: bool) -> None:
        """Post to each device that is behind, as EventPoster does."""
        results = []
        for device in [one for one in self.box.list_subscribers(AT) if self.box.is_behind(one)]:
            cursor, end = self.box.get_lowest_cursor(device), self.box.last_seq
            to = self.random.randint(cursor, end) if is_flaky else end
            self.heard[device] |= set(range(cursor + 1, to + 1))
            failed = to < end and self.random.random() < 0.5
            results.append(DeliveryResult(device, to, failed=failed))
        self.box = self.box.apply_results(results, AT)


@pytest.mark.parametrize("seed", range(0, 300, 3))
def test_no_device_misses_a_place_whatever_others_do(seed: int) -> None:
    holders = Holders(Random(seed))
    for _ in range(12):
        if holders.random.random() < 0.4:
            holders.arrive()
        if holders.random.random() < 0.1 and holders.box.subscribers:
            gone = holders.random.choice(holders.box.subscribers)
            if not any(gone.subscriber.connection_id in one for one in holders.box.pending):
                rest = tuple(one for one in holders.box.subscribers if one != gone)
                holders.box = replace(holders.box, subscribers=rest)
                holders.starts.pop(gone.subscriber)
        holders.hold()
    holders.hold()
    holders.deliver(False)
    for device, start in holders.starts.items():
        missed = set(range(start + 1, holders.box.last_seq + 1)) - holders.heard[device]
        if holders.box.find_subscriber(device.connection_id) and not any(
            device.connection_id in one for one in holders.box.pending
        ):
            assert not missed
            assert min(holders.heard[device], default=start + 1) > start


class TwoFrames:
    """A contract that tells an event by two frames."""

    def render_event(self, event: Event, listener: Subscriber) -> tuple[str, ...]:
        return ('{"first":1}', '{"last":2}')

    def add_position(self, frame: str, position: str) -> str:
        return f"{frame} {position}"


def test_only_an_events_last_frame_says_that_it_was_heard() -> None:
    """A link that is cut amid the frames would lose the rest."""
    contracts = {"two": cast("Contract", TwoFrames())}
    renderer = ContractRenderer(contracts, timedelta(0))
    subscriber = replace(a_subscriber("tablet"), contract="two")
    event = Event(
        type="t",
        to="ana",
        stream="order#1",
        version=1,
        ordinal=0,
        at=datetime(2026, 3, 15, tzinfo=timezone.utc),
        seq=7,
    )
    frames = renderer.render_event(subscriber, event, ("e.6", "e.7"))
    assert frames == ('{"first":1} e.6', '{"last":2} e.7')
    assert renderer.render_event(subscriber, event) == ('{"first":1}', '{"last":2}')
