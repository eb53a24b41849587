"""What an owner sees of the deliveries to their endpoint: each attempt."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.domain.people import Actor
from chalicelib.domain.webhooks.deliveries import AttemptPage, AttemptPosition, make_page
from chalicelib.domain.webhooks.delivery import Delivery
from chalicelib.services.ports import DeliveryStore
from chalicelib.services.webhooks.endpoints import WebhookEndpoints

_DELIVERIES_READ = 20  # at once: each may have its ten attempts, a kilobyte each


class AttemptHistory:
    """Lists attempts."""

    def __init__(self, endpoints: WebhookEndpoints, deliveries: DeliveryStore) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries

    def list_attempts(
        self, actor: Actor, endpoint_id: str, limit: int, after: AttemptPosition | None = None
    ) -> AttemptPage:
        """List a page of the attempts to deliver to an endpoint, those of the newest event first.
        Raises NotFound."""
        endpoint = self._endpoints.get_endpoint(actor, endpoint_id)
        return make_page(self._iterate_deliveries(endpoint.id, after), limit, after)

    def _iterate_deliveries(
        self, endpoint_id: str, after: AttemptPosition | None
    ) -> Iterator[Delivery]:
        before = after.seq + 1 if after else None
        while page := self._deliveries.list_deliveries(endpoint_id, _DELIVERIES_READ, before):
            yield from page
            before = page[-1].seq
