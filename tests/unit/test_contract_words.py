"""What each contract must have words for: whatever a flow can lead to."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chalicelib.contracts.courier import socket as courier
from chalicelib.contracts.drivers import socket as drivers
from chalicelib.contracts.food import orders as food
from chalicelib.contracts.rides import bodies as rides
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import Status
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


def test_every_flow_has_a_policy() -> None:
    """One that is missing would be a KeyError at the first order that is placed."""
    assert build_policies(Settings()).keys() == FLOWS.keys()
