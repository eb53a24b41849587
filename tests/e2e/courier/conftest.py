"""Towns for spec 000."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.conformance.deployment import HASTY
from tests.e2e.conftest import Stack
from tests.e2e.courier.town import Town, a_town

HASTY_TTL_S = int(HASTY["DELIVERY_OFFER_TTL_S"])
# On a busy machine. A lost timer is made up for by the sweep's next pass, up to 15 s later: that
# none is lost is seen in tests/functional.
LATE_S = 8.0


@pytest.fixture
def town(stack: Stack) -> Iterator[Town]:
    """A town on the shared stack."""
    with a_town(stack) as found:
        yield found


@pytest.fixture
def hasty_town(hasty_stack: Stack) -> Iterator[Town]:
    """A town where couriers have little time to answer."""
    with a_town(hasty_stack) as found:
        yield found
