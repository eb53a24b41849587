"""What messaging must know of webhook endpoints. An endpoint is one more recipient of an outbox: it
has a mailbox, with a log and a lease as a person's.

It differs in two ways. No event for it is in an outbox: its events are derived from those for
others (rule 2 of mailboxes.py holds: from what is stored). And nobody lists it as a recipient: the
registry says which endpoints subscribe. A process keeps that for a while, and may not know of the
newest. So a commit delivers to those that it knows, and the relay wakeup looks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from chalicelib.domain.events import Entry, Event, Outbox

# A registry counts as one of after a moment only where it was read so much later: the moment may be
# of another's clock. Sooner than that it is read anew, which is true by any clock.
REGISTRY_LAG = timedelta(seconds=63)
# Whoever commits waits for its deliveries, side by side: endpoints beyond these are the wakeup's.
MAX_ENDPOINTS_AT_ONCE = 12


class EndpointDirectory(Protocol):
    """Knows which endpoints subscribe to the events of an outbox, and derives theirs."""

    def list_known(self, outbox: Outbox) -> tuple[str, ...]:
        """List the mailboxes of the endpoints that this process knows to hear of an outbox's
        aggregate, whatever they have asked for. Never raises."""

    def list_subscribed(self, outbox: Outbox) -> tuple[str, ...]:
        """List the mailboxes of the endpoints that this process knows to have an event among the
        entries of an outbox. Never raises."""

    def find_subscribed(self, outbox: Outbox, as_of: datetime) -> tuple[str, ...]:
        """List the same of all endpoints that there were at a time. Raises Unavailable."""

    def may_be_unknown(self, stream: str, sent_at: datetime, as_of: datetime) -> bool:
        """Tell whether, as of a time, there is an endpoint that may hear of a stream, and that a
        process may not have known of at `sent_at`. Raises Unavailable."""

    def derive_events(self, mailbox: str, outbox: Outbox, entry: Entry) -> Sequence[Event]:
        """Derive an endpoint's events from an entry. Raises Unavailable."""


class NoEndpoints:
    """Implements EndpointDirectory where there are none."""

    def list_known(self, outbox: Outbox) -> tuple[str, ...]:
        """List none."""
        return ()

    def list_subscribed(self, outbox: Outbox) -> tuple[str, ...]:
        """List none."""
        return ()

    def find_subscribed(self, outbox: Outbox, as_of: datetime) -> tuple[str, ...]:
        """List none."""
        return ()

    def may_be_unknown(self, stream: str, sent_at: datetime, as_of: datetime) -> bool:
        """Know that there is none."""
        return False

    def derive_events(self, mailbox: str, outbox: Outbox, entry: Entry) -> Sequence[Event]:
        """Derive none."""
        return ()
