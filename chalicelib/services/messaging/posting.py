"""Posting the events of a log to its subscribers, side by side: each gets as far as it can."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.cursors import DeliveryResult
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.errors import FrameTooLarge, Gone, PostFailed, Stale
from chalicelib.services.ports import Clock, FrameSender, RenderEvent

log = logging.getLogger(__name__)

RemoveConnection = Callable[[str, str, str], None]
"""Removes a connection that is gone: its id, its person's, and the mailbox where it was found."""

SkipEvent = Callable[[str, Event], bool]
"""Tells whether an event has become pointless for the connection of that id."""

EngineFaults = tuple[type[Exception], ...]
"""What the engine raises when it does not answer: worth another try, whatever was asked."""


def skip_nothing(connection_id: str, event: Event) -> bool:
    """Deliver every event to every connection."""
    return False


class PostingResult(NamedTuple):
    """How far the subscribers got that are still there, and the engine's fault that stopped one."""

    results: list[DeliveryResult]
    fault: Exception | None


class EventPoster:
    """Posts to the subscribers of a mailbox. Whatever goes wrong with one of them, or with one
    event, keeps no other subscriber from being posted to."""

    def __init__(
        self,
        sender: FrameSender,
        render_event: RenderEvent,
        remove_connection: RemoveConnection,
        faults: EngineFaults,
        pool: ThreadPoolExecutor,
        clock: Clock,
    ) -> None:
        self._sender = sender
        self._render_event = render_event
        self._remove_connection = remove_connection
        self._faults = faults
        self._pool = pool
        self._clock = clock

    def post_events(
        self,
        box: Mailbox,
        subscribers: Sequence[Subscriber],
        events: Sequence[Event],
        skip: SkipEvent,
        until: datetime,
    ) -> PostingResult:
        """Post to each subscriber those of `events` (in order) that are undelivered to it in
        `box`, less what `skip` names. No post begins after `until`."""

        def post_to(subscriber: Subscriber) -> _Progress:
            progress = _Progress(box, subscriber)
            self._post_to_subscriber(progress, events, skip, until)
            return progress

        if len(subscribers) == 1:  # as nearly always: without a thread
            all_progress = [post_to(subscribers[0])]
        else:
            all_progress = list(self._pool.map(post_to, subscribers))
        fault = next((one.fault for one in all_progress if one.fault), None)
        return PostingResult([one.result for one in all_progress if not one.is_gone], fault)

    def _post_to_subscriber(
        self, progress: _Progress, events: Sequence[Event], skip: SkipEvent, until: datetime
    ) -> None:
        """Post one event after the other, until one can't be posted or there is no time. The
        cursor moves past an event only when it is posted or left out: whoever continues, now or
        after a crash, begins with the first event that was not (rule 5 of mailboxes.py)."""
        for event in events:
            if not progress.box.is_undelivered(progress.subscriber, event):
                progress.cursor = event.seq
                continue
            if self._clock() > until:
                return
            if not self._post_event(progress, event, skip, until):
                return
            if progress.suspect is None:
                progress.cursor = event.seq
        if progress.suspect is None:
            progress.cursor = progress.box.last_seq
        else:
            progress.failed = True  # no event came after the suspect that could prove it

    def _post_event(
        self, progress: _Progress, event: Event, skip: SkipEvent, until: datetime
    ) -> bool:
        """Post one event to one subscriber. Returns whether the next one may follow."""
        subscriber = progress.subscriber
        try:
            if skip(subscriber.connection_id, event):
                return True
            positions = progress.box.make_positions(subscriber, event)
            frames = self._render_event(subscriber, event, positions)
        except self._faults as fault:
            progress.fault = fault
            return False
        except Exception:
            # A contract that can't render this event now may after a deployment; but nobody else,
            # and nothing that comes after, can wait for that.
            log.exception("parked: event %s, contract %s", event.type, subscriber.contract)
            return True
        return self._post_frames(progress, event, frames, skip, until)

    def _post_frames(
        self,
        progress: _Progress,
        event: Event,
        frames: Sequence[str],
        skip: SkipEvent,
        until: datetime,
    ) -> bool:
        """Post an event's frames to one subscriber. Returns whether the next one may follow."""
        subscriber = progress.subscriber
        try:
            for frame in frames:
                if self._clock() > until:
                    return False
                self._sender.post_frame(subscriber.connection_id, frame)
        except Gone:
            return self._remove_subscriber(progress)
        except FrameTooLarge:
            log.error("frame too large: event %s, contract %s", event.type, subscriber.contract)
            return True
        except self._faults as fault:
            progress.fault = fault
            return False
        except Exception as error:
            # Whatever it is, as missing credentials: the frame is good, and is tried again. To go
            # on without it would tell of a position that has not been reached.
            if not isinstance(error, PostFailed):
                log.exception("a post failed as nobody expected")
            return self._stop_or_suspect(progress, event, skip, until)
        progress.posted.append(event)
        self._park_suspect(progress)
        return True

    def _remove_subscriber(self, progress: _Progress) -> bool:
        """Remove a subscriber who is gone. Where that can't be done now it is done at the next
        post; how far the others got must be noted all the same, or they would be told again."""
        subscriber = progress.subscriber
        progress.is_gone = True
        try:
            self._remove_connection(
                subscriber.connection_id, subscriber.person_id, progress.box.person_id
            )
        except Stale:
            pass  # others are writing there
        except self._faults as fault:
            progress.fault = fault
        return False

    def _stop_or_suspect(
        self, progress: _Progress, event: Event, skip: SkipEvent, until: datetime
    ) -> bool:
        """Stop here, as a rule: the event is tried again later. Only where the event itself may be
        what fails, post it once more now, and if that fails, too, go on without it: it is suspect
        until the next event either goes through or fails as well."""
        if not self._is_event_suspect(progress):
            progress.failed = True
            return False
        if not progress.was_tried_again:
            progress.was_tried_again = True
            return self._post_event(progress, event, skip, until)
        progress.suspect = event
        return True

    def _is_event_suspect(self, progress: _Progress) -> bool:
        """Tell whether the event that can't be posted, and not posting itself, may be what fails:
        it has stopped one connection after the other, and @connections knows this one and says
        so."""
        box, subscriber = progress.box, progress.subscriber
        if progress.posted or progress.suspect:
            return False
        if not box.is_stuck_at_event(subscriber, self._clock()):
            return False
        try:
            return self._sender.get_last_active(subscriber.connection_id) is not None
        except Gone:
            return False  # found out by the next post

    @staticmethod
    def _park_suspect(progress: _Progress) -> None:
        """Leave a suspect out for good, now that the event after it went through on the same
        connection. (Were posting down, that one would have failed, too.)"""
        if progress.suspect:
            type_, contract = progress.suspect.type, progress.subscriber.contract
            log.error("parked: event %s can't be posted, contract %s", type_, contract)
            progress.suspect = None


class _Progress:
    """How far posting to one subscriber has got."""

    def __init__(self, box: Mailbox, subscriber: Subscriber) -> None:
        self.box = box
        self.subscriber = subscriber
        self.cursor = box.get_lowest_cursor(subscriber)
        self.posted: list[Event] = []
        self.suspect: Event | None = None  # the event that may be what can't be posted
        self.was_tried_again = False
        self.failed = False
        self.is_gone = False
        self.fault: Exception | None = None

    @property
    def result(self) -> DeliveryResult:
        return DeliveryResult(self.subscriber, self.cursor, tuple(self.posted), self.failed)
