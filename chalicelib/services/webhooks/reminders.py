"""Reminders: webhooks whose next attempt is further away than the queue can delay a message."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from chalicelib.domain.webhooks.delivery import parse_reminder_id
from chalicelib.services.ports import DeliveryStore, WebhookQueue

log = logging.getLogger(__name__)


class WebhookReminders:
    """Puts onto the webhook queue what the sweep has listed. The sweep lists reminders among the
    connections that are to be checked, as they are in one index."""

    def __init__(self, deliveries: DeliveryStore, queue: WebhookQueue) -> None:
        self._deliveries = deliveries
        self._queue = queue

    def send_reminded(self, ids: Sequence[str]) -> Sequence[str]:
        """Have the webhooks sent of which the sweep listed reminders; return the other ids, those
        of connections. What can't be sent now stays due.

        A reminder is deleted once its message is on the queue, never before: who dies between sends
        it twice, and the second message finds that there is nothing to do.
        """
        found = {id_: parse_reminder_id(id_) for id_ in ids}
        sends = [send for send in found.values() if send]
        if sends:
            try:
                self._queue.send_sends([(send, timedelta(0)) for send in sends])
                self._deliveries.delete_reminders(sends)
            except Exception:
                log.exception("webhooks stay due: the next pass of the sweep hands them on again")
        return [id_ for id_, send in found.items() if send is None]
