"""The registry of endpoints: as much of all of them as a commit needs to know whom to tell."""

from __future__ import annotations

from datetime import datetime

import msgspec

from chalicelib.domain.webhooks.endpoint import ALL_EVENTS, endpoint_mailbox


class RegisteredEndpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """An endpoint in the registry: what it hears of, and since when."""

    id: str
    events: tuple[str, ...]
    created_at: datetime
    merchant_ids: tuple[str, ...] | None = None

    def hears_of(self, merchant_id: str | None) -> bool:
        """Tell whether it hears of the orders of a merchant, None for orders that have none."""
        return self.merchant_ids is None or merchant_id in self.merchant_ids

    def wants(self, type_: str) -> bool:
        """Tell whether it has asked for a canonical type of event."""
        return type_ in self.events or (ALL_EVENTS in self.events and type_ != COURIER_POSITION)


COURIER_POSITION = "courier.position"


class EndpointRegistry(msgspec.Struct, frozen=True, omit_defaults=True):
    """All endpoints, enabled or not, as one row keeps them. `version` counts its writes."""

    endpoints: tuple[RegisteredEndpoint, ...] = ()
    version: int = 0

    def list_mailboxes(self, merchant_id: str | None) -> tuple[str, ...]:
        """List the mailboxes of the endpoints that hear of a merchant's orders."""
        return tuple(endpoint_mailbox(e.id) for e in self.endpoints if e.hears_of(merchant_id))
