"""A webhook endpoint: an address outside that is told of events, by whom it is owned, and how it
fares."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from chalicelib.domain.events import Entry, Outbox
from chalicelib.domain.messaging.mailboxes import ENDPOINT_PREFIX

ALL_EVENTS = "*"  # every type but courier.position, which must be asked for by name
MAX_ENDPOINTS = 20  # an owner's
ROTATION_OVERLAP_H = 24  # how long a secret that was replaced still signs, too


class EndpointStatus(str, Enum):
    """Whether an endpoint is sent to."""

    ENABLED = "enabled"
    DISABLED = "disabled"  # its log goes on, so that what it missed can be replayed


class EndpointSecret(msgspec.Struct, frozen=True, omit_defaults=True):
    """A secret that signs: `whsec_` and base64 of 32 bytes. `ends_at` is None for the newest."""

    value: str
    ends_at: datetime | None = None


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """An endpoint as its row keeps it. It is its own outbox: its owner is told when it is disabled.

    `merchant_ids` are the restaurants whose orders it hears of; None is everybody's (an admin's).
    `merchant_id` is what its owner named, None where they named none. `failing_since` is when the
    first attempt failed since the last that went well.
    """

    id: str
    owner_id: str
    url: str
    events: tuple[str, ...]
    merchant_ids: tuple[str, ...] | None
    secrets: tuple[EndpointSecret, ...]
    created_at: datetime
    description: str | None = None
    merchant_id: str | None = None
    status: EndpointStatus = EndpointStatus.ENABLED
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    slow_until: datetime | None = None
    version: int = 0
    entries: tuple[Entry, ...] = ()

    @property
    def outbox(self) -> Outbox:
        """The newest entries: what its owner is told."""
        return Outbox(endpoint_stream(self.id), None, self.entries)


def endpoint_stream(endpoint_id: str) -> str:
    """Name the stream of an endpoint's own events."""
    return f"{ENDPOINT_PREFIX}{endpoint_id}"


def endpoint_mailbox(endpoint_id: str) -> str:
    """Name the mailbox of an endpoint, as a person's is named by their id."""
    return f"{ENDPOINT_PREFIX}{endpoint_id}"


def parse_endpoint_id(mailbox_id: str) -> str | None:
    """Read which endpoint's mailbox this is; None for everybody else's."""
    return (
        mailbox_id.removeprefix(ENDPOINT_PREFIX) if mailbox_id.startswith(ENDPOINT_PREFIX) else None
    )
