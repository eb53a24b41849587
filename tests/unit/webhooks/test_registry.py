"""The registry of endpoints, and what a process knows of it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from chalicelib.domain.webhooks.endpoint import MAX_ENDPOINTS
from chalicelib.domain.webhooks.registry import (
    EndpointRegistry,
    register_endpoint,
    unregister_endpoint,
)
from chalicelib.errors import TooManyEndpoints, Unavailable
from chalicelib.services.webhooks.known_endpoints import REGISTRY_KEPT, KnownEndpoints
from tests.builders import NOW
from tests.conftest import PATIENCE_S
from tests.fakes import Clock
from tests.unit.webhooks.endpoints import make_endpoint


class Registry:
    """A store that has a registry, and counts how often it is read."""

    def __init__(self, registry: EndpointRegistry) -> None:
        self.registry = registry
        self.reads = 0
        self.is_down = False
        self.may_answer = threading.Event()
        self.may_answer.set()

    def get_registry(self) -> EndpointRegistry:
        self.reads += 1
        found = self.registry
        assert self.may_answer.wait(PATIENCE_S)
        if self.is_down:
            raise Unavailable("down")
        return found

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} is not called")


ONE = register_endpoint(EndpointRegistry(), make_endpoint("1", merchant_ids=("mill",)))
TWO = register_endpoint(ONE, make_endpoint("2"))


def known(store: Registry, clock: Clock) -> KnownEndpoints:
    """What a process knows."""
    return KnownEndpoints(store, clock)  # type: ignore[arg-type]


def test_an_endpoint_hears_of_its_restaurants_orders_and_an_admins_of_all() -> None:
    assert TWO.list_mailboxes("mill") == ("webhook#1", "webhook#2")
    assert TWO.list_mailboxes("lane") == ("webhook#2",)
    assert TWO.list_mailboxes(None) == ("webhook#2",)


def test_what_the_registry_says_already_is_not_written_again() -> None:
    same = make_endpoint("2", url="https://other.example/", description="moved")
    assert register_endpoint(TWO, same) is TWO
    changed = register_endpoint(TWO, make_endpoint("2", events=("order.placed",)))
    assert (changed.version, len(changed.endpoints)) == (3, 2)
    assert unregister_endpoint(TWO, "1").list_mailboxes("mill") == ("webhook#2",)


def test_an_owner_has_at_most_twenty_and_may_change_each_of_them() -> None:
    registry = EndpointRegistry()
    for n in range(MAX_ENDPOINTS):
        registry = register_endpoint(registry, make_endpoint(str(n)))
    with pytest.raises(TooManyEndpoints):
        register_endpoint(registry, make_endpoint("more"))
    register_endpoint(registry, make_endpoint("more", owner_id="bob"))
    register_endpoint(registry, make_endpoint("7", events=("order.placed",)))
    register_endpoint(unregister_endpoint(registry, "7"), make_endpoint("more"))


def test_the_registry_is_read_once_while_it_is_kept() -> None:
    store, clock = Registry(ONE), Clock()
    endpoints = known(store, clock)
    for _ in range(3):
        assert endpoints.list_mailboxes("mill") == ("webhook#1",)
    assert store.reads == 1
    clock.advance(REGISTRY_KEPT.total_seconds() + 1)
    store.registry = TWO
    assert len(endpoints.list_mailboxes("mill")) == 2
    assert store.reads == 2


def test_who_says_as_of_when_is_told_no_older_registry_and_reads_no_more_than_needed() -> None:
    store, clock = Registry(ONE), Clock()
    endpoints = known(store, clock)
    endpoints.get_registry()
    store.registry = TWO
    clock.advance(5)
    assert endpoints.get_registry(NOW) is ONE
    assert endpoints.get_registry(NOW + timedelta(seconds=1)) is TWO
    assert endpoints.get_registry(NOW + timedelta(seconds=5)) is TWO
    clock.advance(3600)
    assert endpoints.get_registry(NOW) is TWO
    assert store.reads == 2


def test_what_a_process_writes_it_knows_at_once_also_while_it_reads() -> None:
    store, clock = Registry(ONE), Clock()
    endpoints = known(store, clock)
    store.may_answer.clear()
    read = threading.Thread(target=endpoints.get_registry)
    read.start()
    while not store.reads:
        threading.Event().wait(0.001)
    endpoints.keep_written(TWO, clock())
    store.may_answer.set()
    read.join()
    assert endpoints.get_registry() is TWO
    assert store.reads == 1


def test_a_read_that_hangs_holds_up_no_other_thread() -> None:
    store, clock = Registry(ONE), Clock()
    endpoints = known(store, clock)
    hung = store.may_answer = threading.Event()
    hanging = threading.Thread(target=endpoints.get_registry)
    hanging.start()
    while not store.reads:
        threading.Event().wait(0.001)
    store.may_answer = threading.Event()
    store.may_answer.set()
    assert endpoints.get_registry() is ONE
    hung.set()
    hanging.join()


def test_a_read_that_fails_is_said_and_keeps_nothing() -> None:
    store, clock = Registry(ONE), Clock()
    endpoints = known(store, clock)
    store.is_down = True
    with pytest.raises(Unavailable):
        endpoints.get_registry()
    store.is_down = False
    assert endpoints.get_registry() is ONE
