"""Stacks for spec 000: the shared one, and one whose offers lapse after 2 s."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.courier.town import Town, a_town

HASTY_TTL_S = 2


@pytest.fixture
def town(stack: Stack) -> Iterator[Town]:
    """A town on the shared stack."""
    with a_town(stack) as found:
        yield found


@pytest.fixture(scope="package")
def hasty_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose offers lapse after HASTY_TTL_S."""
    folder = tmp_path_factory.mktemp("hasty")
    running = Stack(folder, {"DELIVERY_OFFER_TTL_S": str(HASTY_TTL_S)})
    try:
        yield running.await_ready()
    finally:
        running.stop()


@pytest.fixture
def hasty_town(hasty_stack: Stack) -> Iterator[Town]:
    """A town where couriers have little time to answer."""
    with a_town(hasty_stack) as found:
        yield found
