"""A webhook endpoint: an address outside that is told of events, by whom it is owned, and how it
fares."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta
from enum import Enum

import msgspec
from msgspec.structs import replace

from chalicelib.domain.events import Entry, Outbox
from chalicelib.domain.messaging.mailboxes import ENDPOINT_PREFIX
from chalicelib.errors import Conflict

ALL_EVENTS = "*"  # every type but courier.position, which must be asked for by name
MAX_ENDPOINTS = 20  # an owner's
ROTATION_OVERLAP_H = 24  # how long a secret that was replaced still signs, too
# Each of them adds a signature to every request: five are a header of 250 bytes.
MAX_SECRETS = 5
BY_OWNER = "by_owner"  # a disabled_reason

_SECRET_PREFIX, _SECRET_BYTES = "whsec_", 32


class EndpointStatus(str, Enum):
    """Whether an endpoint is sent to."""

    ENABLED = "enabled"
    DISABLED = "disabled"  # its log goes on, so that what it missed can be replayed


class EndpointSecret(msgspec.Struct, frozen=True, omit_defaults=True):
    """A secret that signs: `whsec_` and base64 of 32 bytes. `ends_at` is None for the newest."""

    value: str
    ends_at: datetime | None = None

    def __repr__(self) -> str:
        """Leave the secret out: an endpoint may come into a log or a traceback."""
        return f"EndpointSecret(ends_at={self.ends_at!r})"


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """An endpoint as its row keeps it. It is its own outbox: its owner is told when it is disabled.

    `merchant_ids` are the restaurants whose orders it hears of; None is everybody's (an admin's).
    `merchant_id` is what its owner named, None where they named none. `secrets` are the newest
    first; `rotated_at` is when the last one was replaced. `failing_since` is when the first attempt
    failed since the last that went well.
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
    rotated_at: datetime | None = None

    @property
    def secret(self) -> str:
        """The newest secret."""
        return self.secrets[0].value

    def list_signing_secrets(self, now: datetime) -> tuple[str, ...]:
        """List the secrets that sign at a time, the newest first."""
        return tuple(one.value for one in self.secrets if not one.ends_at or one.ends_at > now)

    @property
    def outbox(self) -> Outbox:
        """The newest entries: what its owner is told."""
        return Outbox(name_endpoint_stream(self.id), None, self.entries)


def name_endpoint_stream(endpoint_id: str) -> str:
    """Name the stream of an endpoint's own events."""
    return f"{ENDPOINT_PREFIX}{endpoint_id}"


def name_endpoint_mailbox(endpoint_id: str) -> str:
    """Name the mailbox of an endpoint, as a person's is named by their id."""
    return f"{ENDPOINT_PREFIX}{endpoint_id}"


def parse_endpoint_id(mailbox_id: str) -> str | None:
    """Read which endpoint's mailbox this is; None for everybody else's."""
    return (
        mailbox_id.removeprefix(ENDPOINT_PREFIX) if mailbox_id.startswith(ENDPOINT_PREFIX) else None
    )


def make_secret() -> str:
    """Make a new secret, as Standard Webhooks write one."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def rotate_secret(endpoint: Endpoint, secret: str, now: datetime) -> Endpoint:
    """Put a new secret in the place of the newest, which still signs for ROTATION_OVERLAP_H.

    None that still signs is dropped to make room: it may be the one that the receiver knows. Raises
    Conflict where MAX_SECRETS sign already.
    """
    live = [one for one in endpoint.secrets if not one.ends_at or one.ends_at > now]
    if len(live) >= MAX_SECRETS:
        raise Conflict(
            f"An endpoint has at most {MAX_SECRETS} secrets at once, and each is valid for"
            f" {ROTATION_OVERLAP_H} hours after it was replaced: try again later."
        )
    ends_at = now + timedelta(hours=ROTATION_OVERLAP_H)
    older = tuple(one if one.ends_at else replace(one, ends_at=ends_at) for one in live)
    return replace(endpoint, secrets=(EndpointSecret(secret), *older), rotated_at=now)


def enable_endpoint(endpoint: Endpoint) -> Endpoint:
    """Send to an endpoint again, as if it had never failed. What it missed is not sent."""
    return replace(
        endpoint,
        status=EndpointStatus.ENABLED,
        disabled_reason=None,
        failing_since=None,
        slow_until=None,
    )


def disable_endpoint(endpoint: Endpoint, reason: str) -> Endpoint:
    """Send to an endpoint no more, until it is enabled. One that is disabled keeps its reason."""
    if endpoint.status is EndpointStatus.DISABLED:
        return endpoint
    return replace(endpoint, status=EndpointStatus.DISABLED, disabled_reason=reason)
