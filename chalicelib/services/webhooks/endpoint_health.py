"""What attempts say of an endpoint, written into its row where it has changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from chalicelib.domain.events import Entry
from chalicelib.domain.webhooks import health
from chalicelib.domain.webhooks.delivery import Answer
from chalicelib.domain.webhooks.endpoint import Endpoint
from chalicelib.errors import NotFound, Stale
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.ports import Clock, EndpointStore

log = logging.getLogger(__name__)

_TRIES = 5

ReportFailing = Callable[[float, float], None]
"""Says for how many seconds an endpoint has failed, at an epoch time."""


class EndpointHealth:
    """Writes endpoints as they fare."""

    def __init__(
        self,
        endpoints: EndpointStore,
        outbox_writer: OutboxWriter,
        report_failing: ReportFailing,
        clock: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._outbox_writer = outbox_writer
        self._report_failing = report_failing
        self._clock = clock

    def take_turn(self, endpoint: Endpoint) -> Endpoint:
        """Take the turn of sending to an endpoint that is slow; of another, nobody need. Raises
        Stale where somebody else has taken it."""
        if endpoint.slow_until is None:
            return endpoint
        taken = health.take_turn(endpoint, self._clock())
        self._endpoints.save_endpoint(taken)
        return taken

    def spare_endpoint(self, endpoint: Endpoint) -> None:
        """Note that an endpoint hangs before its attempts have ended."""
        if endpoint.slow_until is None:
            with suppress(Stale):  # another has noted something: it will be seen by the next
                self._endpoints.save_endpoint(health.take_turn(endpoint, self._clock()))

    def note_answer(self, endpoint: Endpoint, answer: Answer) -> None:
        """Write what an answer says of its endpoint, and tell the owner if it is disabled by that.
        Where others write at the same time again and again, the next answer will do."""
        now = self._clock()
        if not answer.is_accepted and endpoint.failing_since:
            failing = now - endpoint.failing_since
            self._report_failing(failing.total_seconds(), now.timestamp())
        for _ in range(_TRIES):
            after = health.apply_answer(endpoint, answer, now)
            if after is endpoint:
                return
            try:
                self._commit(endpoint, after)
                return
            except Stale:
                try:
                    endpoint = self._endpoints.get_endpoint(endpoint.id)
                except NotFound:
                    return
        log.info("endpoint %s is written by many at once", endpoint.id)

    def _commit(self, before: Endpoint, after: Endpoint) -> None:
        if after.entries == before.entries:  # nobody is told of anything
            self._endpoints.save_endpoint(after)
            return

        def write(entries: tuple[Entry, ...]) -> None:
            self._endpoints.save_endpoint(replace(after, entries=entries))

        self._outbox_writer.commit_outbox(before.outbox, after.outbox, write)
        log.warning("endpoint %s is disabled: %s", after.id, after.disabled_reason)
