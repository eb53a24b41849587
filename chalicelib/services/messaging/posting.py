"""Posting the events of a log to those who listen, side by side: each gets as far as it can."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Listener
from chalicelib.domain.messaging.mailboxes import Mailbox, Reached
from chalicelib.errors import FrameTooLarge, Gone, PostFailed
from chalicelib.services.ports import Clock, Gateway, Words

log = logging.getLogger(__name__)

Forget = Callable[[str, str, str], None]
"""Drops a connection that is gone, by its id, whose it was, and the mailbox where it was found."""

Skip = Callable[[str, Event], bool]
"""Whether an event has become pointless for the connection of that id."""

Faults = tuple[type[Exception], ...]
"""What the engine raises when it does not answer: worth another try, whatever was asked."""


class Posted(NamedTuple):
    """How far the listeners got that are still there, and the engine's fault that stopped one."""

    reached: list[Reached]
    fault: Exception | None


class Posting:
    """Posts to the listeners of a mailbox. Whatever goes wrong with one of them, or with one event,
    keeps no other from being told."""

    def __init__(
        self,
        gateway: Gateway,
        words: Words,
        forget: Forget,
        faults: Faults,
        pool: ThreadPoolExecutor,
        clock: Clock,
    ) -> None:
        self._gateway = gateway
        self._words = words
        self._forget = forget
        self._faults = faults
        self._pool = pool
        self._clock = clock

    def post(
        self,
        box: Mailbox,
        listeners: Sequence[Listener],
        events: Sequence[Event],
        skip: Skip,
        until: datetime,
    ) -> Posted:
        """Post to each listener those of `events` (in order) that `box` owes it, less what `skip`
        says. No post begins after `until`."""

        def post_to(listener: Listener) -> _Turn:
            turn = _Turn(box, listener)
            self._post_to(turn, events, skip, until)
            return turn

        if len(listeners) == 1:  # as nearly always: without a thread
            turns = [post_to(listeners[0])]
        else:
            turns = list(self._pool.map(post_to, listeners))
        fault = next((turn.fault for turn in turns if turn.fault), None)
        return Posted([turn.reached for turn in turns if not turn.gone], fault)

    def _post_to(self, turn: _Turn, events: Sequence[Event], skip: Skip, until: datetime) -> None:
        for event in events:
            if not turn.box.owes(turn.listener, event):
                turn.upto = event.seq
                continue
            if self._clock() > until:
                return
            if not self._post_event(turn, event, skip, until):
                return
            if turn.suspect is None:
                turn.upto = event.seq
        if turn.suspect is None:
            turn.upto = turn.box.last_seq
        else:
            turn.failed = True  # nothing came after it that could prove it

    def _post_event(self, turn: _Turn, event: Event, skip: Skip, until: datetime) -> bool:
        """Post one event to one listener. Returns whether the next one may follow."""
        listener = turn.listener
        try:
            if skip(listener.connection_id, event):
                return True
            for frame in self._words(listener, event):
                if self._clock() > until:
                    return False
                self._gateway.post(listener.connection_id, frame)
            turn.posted.append(event)
            self._leave_out_suspect(turn)
        except Gone:
            return self._drop(turn)
        except PostFailed:
            if not self._may_be_at_fault(turn):
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

    def _drop(self, turn: _Turn) -> bool:
        listener = turn.listener
        self._forget(listener.connection_id, listener.person_id, turn.box.person_id)
        turn.gone = True
        return False

    def _may_be_at_fault(self, turn: _Turn) -> bool:
        """Whether the event that can't be posted, and not posting itself, may be what fails: it has
        ended one connection after the other, and @connections knows this one and says so."""
        if turn.posted or turn.suspect or not turn.box.is_hopeless(turn.listener, self._clock()):
            return False
        try:
            return self._gateway.last_active(turn.listener.connection_id) is not None
        except Gone:
            return False  # found out by the next post

    @staticmethod
    def _leave_out_suspect(turn: _Turn) -> None:
        """An event that ended one connection after the other, while the next event goes through on
        this one, is itself at fault: it is left out. (Were posting down, the next would fail.)"""
        if turn.suspect:
            contract = turn.listener.contract
            log.error("parked: event %s can't be posted, contract %s", turn.suspect.type, contract)
            turn.suspect = None


class _Turn:
    """What came of posting to one listener so far."""

    def __init__(self, box: Mailbox, listener: Listener) -> None:
        self.box = box
        self.listener = listener
        self.upto = box.told_to(listener)
        self.posted: list[Event] = []
        self.suspect: Event | None = None  # the event that may be what can't be posted
        self.tried_again = False
        self.failed = False
        self.gone = False
        self.fault: Exception | None = None

    @property
    def reached(self) -> Reached:
        return Reached(self.listener, self.upto, tuple(self.posted), self.failed)
