"""Posting the events of a log to those who listen, side by side: each gets as far as it can."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.mailboxes import DeliveryResult, Mailbox
from chalicelib.errors import FrameTooLarge, Gone, PostFailed
from chalicelib.services.ports import Clock, FrameSender, RenderEvent

log = logging.getLogger(__name__)

RemoveConnection = Callable[[str, str, str], None]
"""Drops a connection that is gone, by its id, whose it was, and the mailbox where it was found."""

SkipEvent = Callable[[str, Event], bool]
"""Whether an event has become pointless for the connection of that id."""

EngineFaults = tuple[type[Exception], ...]
"""What the engine raises when it does not answer: worth another try, whatever was asked."""


class PostingResult(NamedTuple):
    """How far the listeners got that are still there, and the engine's fault that stopped one."""

    results: list[DeliveryResult]
    fault: Exception | None


class EventPoster:
    """Posts to the listeners of a mailbox. Whatever goes wrong with one of them, or with one event,
    keeps no other from being told."""

    def __init__(
        self,
        gateway: FrameSender,
        words: RenderEvent,
        forget: RemoveConnection,
        faults: EngineFaults,
        pool: ThreadPoolExecutor,
        clock: Clock,
    ) -> None:
        self._gateway = gateway
        self._words = words
        self._forget = forget
        self._faults = faults
        self._pool = pool
        self._clock = clock

    def post_events(
        self,
        box: Mailbox,
        listeners: Sequence[Subscriber],
        events: Sequence[Event],
        skip: SkipEvent,
        until: datetime,
    ) -> PostingResult:
        """Post to each listener those of `events` (in order) that `box` owes it, less what `skip`
        says. No post begins after `until`."""

        def post_to(listener: Subscriber) -> _Progress:
            turn = _Progress(box, listener)
            self._post_to_subscriber(turn, events, skip, until)
            return turn

        if len(listeners) == 1:  # as nearly always: without a thread
            turns = [post_to(listeners[0])]
        else:
            turns = list(self._pool.map(post_to, listeners))
        fault = next((turn.fault for turn in turns if turn.fault), None)
        return PostingResult([turn.result for turn in turns if not turn.gone], fault)

    def _post_to_subscriber(
        self, turn: _Progress, events: Sequence[Event], skip: SkipEvent, until: datetime
    ) -> None:
        for event in events:
            if not turn.box.is_undelivered(turn.listener, event):
                turn.cursor = event.seq
                continue
            if self._clock() > until:
                return
            if not self._post_event(turn, event, skip, until):
                return
            if turn.suspect is None:
                turn.cursor = event.seq
        if turn.suspect is None:
            turn.cursor = turn.box.last_seq
        else:
            turn.failed = True  # nothing came after it that could prove it

    def _post_event(self, turn: _Progress, event: Event, skip: SkipEvent, until: datetime) -> bool:
        """Post one event to one listener. Returns whether the next one may follow."""
        listener = turn.listener
        try:
            if skip(listener.connection_id, event):
                return True
            for frame in self._words(listener, event):
                if self._clock() > until:
                    return False
                self._gateway.post_frame(listener.connection_id, frame)
            turn.posted.append(event)
            self._park_suspect(turn)
        except Gone:
            return self._remove_subscriber(turn)
        except PostFailed:
            if not self._is_event_suspect(turn):
                turn.failed = True
                return False
            if not turn.tried_again:
                turn.tried_again = True
                return self._post_event(turn, event, skip, until)
            turn.suspect = event
        except FrameTooLarge:
            log.error("frame too large: event %s, contract %s", event.type, listener.contract)
        except self._faults as fault:
            turn.fault = fault
            return False
        except Exception:
            # A contract that has no words for this event now may have some after a deployment; but
            # nobody else, and nothing that comes after, can wait for that.
            log.exception("parked: event %s, contract %s", event.type, listener.contract)
        return True

    def _remove_subscriber(self, turn: _Progress) -> bool:
        listener = turn.listener
        self._forget(listener.connection_id, listener.person_id, turn.box.person_id)
        turn.gone = True
        return False

    def _is_event_suspect(self, turn: _Progress) -> bool:
        """Whether the event that can't be posted, and not posting itself, may be what fails: it has
        ended one connection after the other, and @connections knows this one and says so."""
        if (
            turn.posted
            or turn.suspect
            or not turn.box.is_stuck_at_event(turn.listener, self._clock())
        ):
            return False
        try:
            return self._gateway.get_last_active(turn.listener.connection_id) is not None
        except Gone:
            return False  # found out by the next post

    @staticmethod
    def _park_suspect(turn: _Progress) -> None:
        """An event that ended one connection after the other, while the next event goes through on
        this one, is itself at fault: it is left out. (Were posting down, the next would fail.)"""
        if turn.suspect:
            contract = turn.listener.contract
            log.error("parked: event %s can't be posted, contract %s", turn.suspect.type, contract)
            turn.suspect = None


class _Progress:
    """What came of posting to one listener so far."""

    def __init__(self, box: Mailbox, listener: Subscriber) -> None:
        self.box = box
        self.listener = listener
        self.cursor = box.get_lowest_cursor(listener)
        self.posted: list[Event] = []
        self.suspect: Event | None = None  # the event that may be what can't be posted
        self.tried_again = False
        self.failed = False
        self.gone = False
        self.fault: Exception | None = None

    @property
    def result(self) -> DeliveryResult:
        return DeliveryResult(self.listener, self.cursor, tuple(self.posted), self.failed)
