"""The webhooks table: endpoints and their registry, written together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.domain.webhooks.endpoint import MAX_ENDPOINTS, Endpoint
from chalicelib.domain.webhooks.registry import (
    EndpointRegistry,
    register_endpoint,
    unregister_endpoint,
)
from chalicelib.errors import NotFound, Stale, TooManyEndpoints
from chalicelib.store.webhooks import REGISTRY_ID, EndpointTable
from tests.builders import NOW
from tests.faults import answers_lost
from tests.functional.conftest import Engine
from tests.unit.webhooks.endpoints import make_endpoint


def insert(table: EndpointTable, endpoint: Endpoint) -> Endpoint:
    """Write a new endpoint."""
    table.save_endpoint(endpoint, register_endpoint(table.get_registry(), endpoint))
    return endpoint


def test_an_endpoint_and_the_registry_are_written_together_or_not_at_all(dynamo: Engine) -> None:
    table = EndpointTable(dynamo.connection)
    assert table.list_endpoints("ada") == []
    one = insert(table, make_endpoint("1"))
    stale = register_endpoint(table.get_registry(), make_endpoint("2"))
    insert(table, make_endpoint("3", created_at=NOW - timedelta(days=1)))
    with pytest.raises(Stale):
        table.save_endpoint(make_endpoint("2"), stale)
    with pytest.raises(NotFound):
        table.get_endpoint("2")
    with pytest.raises(Stale):  # there is one of that id
        table.save_endpoint(make_endpoint("1", owner_id="bob"), _next_registry(table))
    assert [e.id for e in table.list_endpoints("ada")] == ["3", "1"]
    assert table.list_endpoints("bob") == []
    assert table.get_endpoint("1") == one
    with pytest.raises(NotFound):
        table.get_endpoint(REGISTRY_ID)


def _next_registry(table: EndpointTable) -> EndpointRegistry:
    registry = table.get_registry()
    return replace(registry, version=registry.version + 1)


def test_a_write_is_of_the_version_that_was_read(dynamo: Engine) -> None:
    table = EndpointTable(dynamo.connection)
    one = insert(table, make_endpoint("1"))
    two = replace(one, description="till", version=2)
    table.save_endpoint(two)
    with pytest.raises(Stale):
        table.save_endpoint(replace(one, description="shop", version=2))
    with pytest.raises(Stale):
        table.delete_endpoint(one, unregister_endpoint(table.get_registry(), "1"))
    table.delete_endpoint(two, unregister_endpoint(table.get_registry(), "1"))
    assert table.list_endpoints("ada") == []
    with pytest.raises(Stale):  # nobody writes back what is deleted
        table.save_endpoint(replace(two, version=3))


def test_a_lost_answer_is_recognized(dynamo: Engine) -> None:
    table = EndpointTable(dynamo.connection)
    with answers_lost(dynamo.connection.client, "TransactWriteItems"):
        one = insert(table, make_endpoint("1"))
    with answers_lost(dynamo.connection.client, "PutItem"):
        table.save_endpoint(replace(one, description="till", version=2))
    assert [e.description for e in table.list_endpoints("ada")] == ["till"]


def test_who_create_at_once_have_no_more_than_twenty(dynamo: Engine) -> None:
    table = EndpointTable(dynamo.connection)

    def create(n: int) -> str:
        while True:
            try:
                return insert(table, make_endpoint(str(n))).id
            except TooManyEndpoints:
                return ""
            except Stale:
                continue

    with ThreadPoolExecutor(4) as pool:
        made = [id_ for id_ in pool.map(create, range(MAX_ENDPOINTS + 4)) if id_]
    assert len(made) == MAX_ENDPOINTS
    assert {e.id for e in table.list_endpoints("ada")} == set(made)
