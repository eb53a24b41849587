"""Webhook endpoints, each a row, and the registry of them all, one row of the same table.

The registry says as much of each endpoint as a commit must know to tell whom to tell. It is written
in the transaction that creates, changes or deletes an endpoint, so that both always agree.
"""

from __future__ import annotations

from uuid import uuid4

from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from chalicelib.domain.request_keys import RequestKey
from chalicelib.domain.webhooks.endpoint import Endpoint
from chalicelib.domain.webhooks.registry import EndpointRegistry
from chalicelib.errors import NotFound, TooManyEndpoints
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import save_if, transaction
from chalicelib.store.keys import make_key_put
from chalicelib.store.tables import WebhookRow

REGISTRY_ID = "registry"  # ids of endpoints are digits
MAX_REGISTRY_BYTES = 300_000  # a row has 400 KB; 3,000 endpoints at least, as they are


class EndpointTable:
    """Reads and writes the webhooks table."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_endpoint(self, endpoint_id: str) -> Endpoint:
        """Read an endpoint, strongly consistent. Raises NotFound."""
        row = _find_row(endpoint_id) if endpoint_id != REGISTRY_ID else None
        if row is None:
            raise NotFound("There is no such webhook endpoint.")
        return unpack(row.doc, Endpoint)

    def list_endpoints(self, owner_id: str) -> list[Endpoint]:
        """List an owner's endpoints, the oldest first, strongly consistent."""
        ids = self.get_registry().list_owned(owner_id)
        rows = WebhookRow.batch_get(list(ids), consistent_read=True) if ids else ()
        endpoints = [unpack(row.doc, Endpoint) for row in rows]
        return sorted(endpoints, key=lambda one: (one.created_at, one.id))

    def get_registry(self) -> EndpointRegistry:
        """Read the registry, strongly consistent; an empty one while there is no endpoint."""
        row = _find_row(REGISTRY_ID)
        return unpack(row.doc, EndpointRegistry) if row else EndpointRegistry()

    def save_endpoint(
        self,
        endpoint: Endpoint,
        registry: EndpointRegistry | None = None,
        key: RequestKey | None = None,
    ) -> None:
        """Write an endpoint and, in the same transaction, the registry and a request's key where
        they are given: each on the condition that its version is one more than the stored one's.
        Raises Stale, TooManyEndpoints."""
        row = _make_row(endpoint.id, endpoint)
        if registry is None:
            save_if(row, is_unchanged(row))
            return
        registry_row = make_registry_row(registry)
        with transaction(self._connection) as write:
            write.save(row, condition=is_unchanged(row))
            write.save(registry_row, condition=is_unchanged(registry_row))
            if key:
                make_key_put(key, endpoint.id, endpoint.created_at, row.commit).add_to(write)

    def delete_endpoint(self, endpoint: Endpoint, registry: EndpointRegistry) -> None:
        """Delete an endpoint, if it is as it was read, and write the registry without it, in one
        transaction. Raises Stale; also where this was done, its answer got lost, and the SDK has
        sent it again: whoever tries again finds no endpoint."""
        registry_row = make_registry_row(registry)
        is_read: Condition = WebhookRow.version == endpoint.version
        with transaction(self._connection) as write:
            write.delete(WebhookRow(endpoint.id), condition=is_read)
            write.save(registry_row, condition=is_unchanged(registry_row))


def _find_row(endpoint_id: str) -> WebhookRow | None:
    try:
        return WebhookRow.get(endpoint_id, consistent_read=True)
    except DoesNotExist:
        return None


def _make_row(id_: str, value: Endpoint | EndpointRegistry) -> WebhookRow:
    return WebhookRow(id_, doc=pack(value), version=value.version, commit=uuid4().hex)


def make_registry_row(registry: EndpointRegistry) -> WebhookRow:
    """Make the registry's row. Raises TooManyEndpoints where DynamoDB would refuse it: some room is
    left, so that endpoints can always be deleted."""
    row = _make_row(REGISTRY_ID, registry)
    if len(row.doc) > MAX_REGISTRY_BYTES:
        raise TooManyEndpoints("There are as many webhook endpoints as there can be.")
    return row


def is_unchanged(row: WebhookRow) -> Condition:
    """Make the condition to write a row on: the one in the table is of the version before, or the
    SDK has written this very row already."""
    is_before: Condition = (
        WebhookRow.version == row.version - 1
        if row.version > 1
        else WebhookRow.endpoint_id.does_not_exist()
    )
    either: Condition = is_before | (WebhookRow.commit == row.commit)
    return either
