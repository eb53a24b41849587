"""The registry of endpoints: as much of all of them as a commit needs to know whom to tell."""

from __future__ import annotations

from datetime import datetime

import msgspec

from chalicelib.domain.webhooks.endpoint import (
    ALL_EVENTS,
    MAX_ENDPOINTS,
    Endpoint,
    name_endpoint_mailbox,
)
from chalicelib.domain.webhooks.event_types import COURIER_POSITION
from chalicelib.errors import TooManyEndpoints


class RegisteredEndpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """An endpoint in the registry: whose it is, what it hears of, and since when."""

    id: str
    events: tuple[str, ...]
    created_at: datetime
    merchant_ids: tuple[str, ...] | None = None
    owner_id: str = ""

    def hears_of(self, merchant_id: str | None) -> bool:
        """Tell whether it hears of the orders of a merchant, None for orders that have none."""
        return self.merchant_ids is None or merchant_id in self.merchant_ids

    def wants(self, type_: str) -> bool:
        """Tell whether it has asked for a canonical type of event."""
        return type_ in self.events or (ALL_EVENTS in self.events and type_ != COURIER_POSITION)


class EndpointRegistry(msgspec.Struct, frozen=True, omit_defaults=True):
    """All endpoints, enabled or not, as one row keeps them. `version` counts its writes."""

    endpoints: tuple[RegisteredEndpoint, ...] = ()
    version: int = 0

    def list_mailboxes(self, merchant_id: str | None) -> tuple[str, ...]:
        """List the mailboxes of the endpoints that hear of a merchant's orders."""
        return tuple(name_endpoint_mailbox(e.id) for e in self.endpoints if e.hears_of(merchant_id))

    def list_owned(self, owner_id: str) -> tuple[str, ...]:
        """List the ids of an owner's endpoints."""
        return tuple(e.id for e in self.endpoints if e.owner_id == owner_id)


def register_endpoint(registry: EndpointRegistry, endpoint: Endpoint) -> EndpointRegistry:
    """Return the registry as it is to be written with an endpoint in it, new or changed; the same
    object where it says so already. Raises TooManyEndpoints.

    Whoever creates an endpoint writes the registry in the same transaction, on the condition that
    nobody else has: so the count holds for those who create at once, too.
    """
    entry = RegisteredEndpoint(
        endpoint.id, endpoint.events, endpoint.created_at, endpoint.merchant_ids, endpoint.owner_id
    )
    known = {one.id: one for one in registry.endpoints}
    if known.get(entry.id) == entry:
        return registry
    if entry.id not in known and len(registry.list_owned(entry.owner_id)) >= MAX_ENDPOINTS:
        raise TooManyEndpoints(f"You have {MAX_ENDPOINTS} webhook endpoints; delete one first.")
    known[entry.id] = entry
    return EndpointRegistry(tuple(known.values()), registry.version + 1)


def unregister_endpoint(registry: EndpointRegistry, endpoint_id: str) -> EndpointRegistry:
    """Return the registry as it is to be written without an endpoint."""
    left = tuple(one for one in registry.endpoints if one.id != endpoint_id)
    return EndpointRegistry(left, registry.version + 1)
