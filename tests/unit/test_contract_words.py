"""What each contract must have words for: whatever a flow can lead to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from chalicelib.contracts.courier import socket as courier
from chalicelib.contracts.drivers import socket as drivers
from chalicelib.contracts.food import orders as food
from chalicelib.contracts.rides import bodies as rides
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import UNDELIVERED_STATUSES, Status
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import build_policies

STATUS_WORDS: dict[str, Mapping[Status, str]] = {
    "courier": courier.STATUS_WORDS,
    "drivers": drivers.STATUS_WORDS,
    "food": food.STATUS_WORDS,
    "rides": rides.STATUS_WORDS,
}


@pytest.mark.parametrize("contract", STATUS_WORDS)
def test_a_contract_has_a_word_for_every_status(contract: str) -> None:
    """One that is missing would be a KeyError in a frame: an order of any flow may be shown."""
    assert set(STATUS_WORDS[contract]) == set(Status)
    assert all(STATUS_WORDS[contract].values())


NEW = (Status.RETURNING, Status.NO_SHOW, *sorted(UNDELIVERED_STATUSES))
PAGE = Path(__file__).parents[2] / "docs" / "contracts" / "README.md"


@pytest.mark.parametrize("status", NEW)
def test_the_page_says_what_each_contract_says_of_a_status_that_no_spec_knows(
    status: Status,
) -> None:
    (row,) = (
        line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{status.value}`")
    )
    cells = [cell.strip().strip("`") for cell in row.strip("|").split("|")]
    words = {name: STATUS_WORDS[name][status] for name in STATUS_WORDS}
    assert [cells[1], cells[1], cells[3], cells[4]] == [
        words["courier"],
        words["drivers"],
        words["rides"],
        words["food"],
    ]


def test_every_flow_has_a_policy() -> None:
    """One that is missing would be a KeyError at the first order that is placed."""
    assert build_policies(Settings()).keys() == FLOWS.keys()
