"""Sending: one event to one endpoint, tried again until it has arrived or is given up.

A message of the webhook queue says which event to send. It is worked off in four steps:

 1. look      Read the endpoint and the delivery. An event that has arrived is not sent again; one
              whose time has not come, or whose endpoint must be spared, is put off.
 2. post      Render the event as the log has it, sign, post: 15 s at most. Whatever comes of it is
              an answer, never a failure of the message.
 3. schedule  If it failed, put the next attempt on the queue; beyond what the queue can delay, it
              is a reminder, which the sweep lists.
 4. note      Write the delivery: one write.

What must hold:

 Rule 1. The next attempt is scheduled before this one is noted. Who dies between leaves one message
         too many, which finds in the delivery's version that it is not the next; never one too few.
 Rule 2. Who dies between 2 and 4 has posted, and nobody knows: the message comes again and so does
         the event, under the same id. A receiver drops what it knows by its webhook-id.
 Rule 3. An event is one message for each endpoint, and a message never sends to another endpoint.
         So what has arrived at one is not repeated there because another one failed.
 Rule 4. No endpoint waits for another. One has a few attempts at once in a process, and a slow one
         a single attempt in all of them; what is beyond is put off, which is no attempt.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.wakeups import LONGEST_DELAY
from chalicelib.domain.webhooks.delivery import (
    Answer,
    Attempt,
    Delivery,
    DeliveryStatus,
    SendDue,
    make_webhook_id,
)
from chalicelib.domain.webhooks.endpoint import Endpoint, EndpointStatus, name_endpoint_mailbox
from chalicelib.domain.webhooks.health import measure_failing
from chalicelib.domain.webhooks.schedule import (
    GONE,
    THROTTLING,
    compute_pause,
    parse_retry_after,
)
from chalicelib.domain.webhooks.signing import sign_webhook
from chalicelib.errors import NotFound, Stale
from chalicelib.services.ports import (
    Clock,
    DeliveryStore,
    EndpointStore,
    MailboxStore,
    WebhookPoster,
    WebhookQueue,
)
from chalicelib.services.webhooks.endpoint_health import EndpointHealth
from chalicelib.services.webhooks.in_flight import InFlight

log = logging.getLogger(__name__)

MAX_KEPT_ATTEMPTS = 20  # in a delivery: the row has room for 20 answers of 1 KB
_BUSY_PAUSE = timedelta(seconds=2)
_NOTE_TRIES = 5
_LOOKS, _LOOK_PAUSE_S = 10, 0.05  # for an event that is being written

RenderBody = Callable[[Event], bytes]
"""Renders the body of an event of an endpoint's log: the same bytes each time."""


class WebhookSender:
    """Sends events to endpoints. `dice` gives a number from 0 to 1. `report_arrival` hears, with
    the event's time, of each that was accepted, but for those that were sent once more by hand."""

    def __init__(
        self,
        endpoints: EndpointStore,
        deliveries: DeliveryStore,
        mailboxes: MailboxStore,
        queue: WebhookQueue,
        poster: WebhookPoster,
        render_body: RenderBody,
        endpoint_health: EndpointHealth,
        clock: Clock,
        dice: Callable[[], float] = random.random,
        sleep: Callable[[float], object] = time.sleep,
        report_arrival: Callable[[datetime], object] = lambda at: None,
    ) -> None:
        self._report_arrival = report_arrival
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._mailboxes = mailboxes
        self._queue = queue
        self._poster = poster
        self._render_body = render_body
        self._health = endpoint_health
        self._clock = clock
        self._dice = dice
        self._sleep = sleep
        self._in_flight = InFlight()

    def send_event(self, send: SendDue) -> None:
        """Work off one message. Raises what the engine raises; the message must come again then."""
        endpoint = self._find_endpoint(send.endpoint_id)
        if endpoint is None or endpoint.status is EndpointStatus.DISABLED:
            self._give_up(send)
        elif wait := self._compute_wait(endpoint):
            self._put_off(send, wait)
        elif delivery := self._find_due_delivery(send):
            self._send_in_turn(endpoint, delivery, send)

    # 1. look

    def _find_endpoint(self, endpoint_id: str) -> Endpoint | None:
        try:
            return self._endpoints.get_endpoint(endpoint_id)
        except NotFound:  # deleted meanwhile
            return None

    def _compute_wait(self, endpoint: Endpoint) -> timedelta | None:
        """Compute how long a slow endpoint is not sent to; None where it may be now."""
        left = (endpoint.slow_until or self._clock()) - self._clock()
        return left + self._draw_wait(endpoint) if left > timedelta(0) else None

    def _find_due_delivery(self, send: SendDue) -> Delivery | None:
        """Read the delivery that is to be attempted now, a new one at first; None where there is
        nothing to do."""
        found = self._deliveries.find_delivery(send.endpoint_id, send.seq)
        delivery = found or Delivery(send.endpoint_id, send.seq)
        if send.resent:
            return replace(delivery, round_from=delivery.version)
        # Another message for the next attempt was sent before this one was noted (rule 1).
        if delivery.status is not DeliveryStatus.WAITING or send.attempt < delivery.version:
            return None
        early = (delivery.next_at or self._clock()) - self._clock()
        if early > timedelta(0):
            self._schedule(send, self._clock() + early)
            return None
        return delivery

    def _find_event(self, send: SendDue) -> Event | None:
        """Read an event from the endpoint's log; None where there is nothing to send now.

        A message is on the queue before the head that has its event is written: while the mailbox
        is leased this waits a moment, looks again, and puts the message off in the end. Where the
        holder died nothing is awaited: its successor sends messages of its own (rule 5 of
        mailboxes.py).
        """
        mailbox = name_endpoint_mailbox(send.endpoint_id)
        for _ in range(_LOOKS):
            box = self._mailboxes.get_mailbox(mailbox)
            found = self._mailboxes.list_events_from(box, send.seq, 1)
            if found and found[0].seq == send.seq:
                return found[0]
            if send.seq < box.next_seq:
                log.warning("event %d of endpoint %s is too old", send.seq, send.endpoint_id)
                self._give_up(send)  # the log ended first: pauses of a day each add up to nine
                return None
            if not box.is_leased(self._clock()):
                log.warning("event %d of endpoint %s is not there", send.seq, send.endpoint_id)
                return None
            self._sleep(_LOOK_PAUSE_S)
        self._put_off(send, self._draw_pause())
        return None

    # 2. post

    def _send_in_turn(self, endpoint: Endpoint, delivery: Delivery, send: SendDue) -> None:
        """Attempt a delivery, unless too many attempts for this endpoint are under way: then the
        message comes again."""
        with self._in_flight.enter(endpoint.id) as is_entered:
            if not is_entered:
                if self._in_flight.is_hanging(endpoint.id):
                    self._health.spare_endpoint(endpoint)  # other processes, too, put off theirs
                self._put_off(send, self._draw_wait(endpoint))
                return
            event = self._find_event(send)
            if event is None:
                return
            try:
                endpoint = self._health.take_turn(endpoint)
            except Stale:  # another has it
                self._put_off(send, self._draw_wait(endpoint))
                return
            answer = self._post_event(endpoint, event)
            self._schedule_and_note(endpoint, delivery, send, answer)
            if answer.is_accepted and not send.resent:
                self._report_arrival(event.at)

    def _post_event(self, endpoint: Endpoint, event: Event) -> Answer:
        now, body = self._clock(), self._render_body(event)
        webhook_id = make_webhook_id(endpoint.id, event.seq)
        secrets = endpoint.list_signing_secrets(now)
        headers = {
            "content-type": "application/json",
            "user-agent": "Waybill-Webhooks/1",
            **sign_webhook(secrets, webhook_id, body, now),
        }
        return self._poster.post(endpoint.url, body, headers)

    # 3. schedule, 4. note

    def _schedule_and_note(
        self, endpoint: Endpoint, delivery: Delivery, send: SendDue, answer: Answer
    ) -> None:
        """Do what follows from an answer."""
        now = self._clock()
        pause = None if answer.is_accepted else self._compute_pause(delivery, answer, now)
        if pause is not None:
            self._schedule(make_next_send(delivery), now + pause)
        self._note(note_attempt(delivery, answer, now, pause))
        if not answer.is_accepted:
            log.info(
                "event %d has not arrived at endpoint %s: %s",
                send.seq,
                endpoint.id,
                answer.status or answer.error,
            )
        self._health.note_answer(endpoint, answer)

    def _compute_pause(self, delivery: Delivery, answer: Answer, now: datetime) -> timedelta | None:
        """Compute the pause until the next attempt after one that failed; None for none."""
        if answer.status == GONE:
            return None
        asked = None
        if answer.status in THROTTLING:
            asked = parse_retry_after(answer.retry_after, now)
        attempts = delivery.version - delivery.round_from + 1
        return compute_pause(attempts, asked, self._dice)

    def _note(self, after: Delivery) -> None:
        """Write a delivery after an attempt. Where another sender has noted one meanwhile, an
        arrival is noted all the same, and a failure is not: that other one is scheduled."""
        for _ in range(_NOTE_TRIES):
            try:
                self._deliveries.save_delivery(after)
                return
            except Stale:
                found = self._deliveries.find_delivery(after.endpoint_id, after.seq)
                if found is None or after.status is not DeliveryStatus.DELIVERED:
                    return
                if found.status is DeliveryStatus.DELIVERED:
                    return
                after = replace(after, version=found.version + 1)

    def _give_up(self, send: SendDue) -> None:
        """End a delivery whose endpoint is not sent to any more, or whose event is gone."""
        delivery = self._deliveries.find_delivery(send.endpoint_id, send.seq)
        if delivery and delivery.status is DeliveryStatus.WAITING:
            ended = replace(delivery, status=DeliveryStatus.FAILED, next_at=None)
            with suppress(Stale):  # another message does the same, or notes an attempt
                self._deliveries.save_delivery(replace(ended, version=delivery.version + 1))

    # The queue

    def _schedule(self, send: SendDue, at: datetime) -> None:
        """Have an event sent at a time: by the queue, or by a reminder beyond its longest delay."""
        pause = at - self._clock()
        if pause <= LONGEST_DELAY:
            self._put_off(send, pause)
        else:
            self._deliveries.put_reminder(send, at)

    def _put_off(self, send: SendDue, pause: timedelta) -> None:
        self._queue.send_sends([(send, min(pause, LONGEST_DELAY))])

    def _draw_wait(self, endpoint: Endpoint) -> timedelta:
        """Draw how long an event waits beside others for an endpoint. They come again over a time
        that is as long as the endpoint has failed: what waits for one that is down for days must
        not keep the queue and its senders busy with nothing but waiting."""
        return self._draw_pause() + self._dice() * measure_failing(endpoint, self._clock())

    def _draw_pause(self) -> timedelta:
        """Draw a short pause, so that those who wait for the same do not come at once."""
        return _BUSY_PAUSE * (0.5 + self._dice())


def make_next_send(delivery: Delivery) -> SendDue:
    """Make the message of the attempt after the one that is being made."""
    return SendDue(delivery.endpoint_id, delivery.seq, attempt=delivery.version + 1)


def note_attempt(
    before: Delivery, answer: Answer, now: datetime, pause: timedelta | None
) -> Delivery:
    """Return a delivery with one more attempt; `pause` until the next, None where none follows."""
    attempt = Attempt(
        at=now - timedelta(milliseconds=answer.ms),
        ms=answer.ms,
        status=answer.status,
        answer=answer.text,
        error=answer.error,
    )
    status = DeliveryStatus.WAITING if pause is not None else DeliveryStatus.FAILED
    return replace(
        before,
        status=DeliveryStatus.DELIVERED if answer.is_accepted else status,
        attempts=(*before.attempts, attempt)[-MAX_KEPT_ATTEMPTS:],
        next_at=None if pause is None else now + pause,
        version=before.version + 1,
    )
