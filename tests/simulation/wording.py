"""The contracts as the town serves them: each frame knows what it tells, and one may be poison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from chalicelib.contracts.base import Contract
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Subscriber
from tests.simulation.faults import Faults
from tests.simulation.gateway import Telling
from tests.simulation.history import Identity, identity_of


class CannotWord(Exception):
    """A contract can't word an event: a mistake in it, or an older version of it."""


class Poison:
    """An event that one contract can't word: the `nth` that it is asked to, from then on."""

    def __init__(self, faults: Faults, contracts: Sequence[str]) -> None:
        struck = faults.strikes("poison")
        self.contract = faults.dice.choice(contracts) if struck else ""
        self.event: Identity | None = None
        self._left = faults.dice.randrange(1, 6) if struck else 0

    def is_in(self, contract: str, event: Event) -> bool:
        """Tell whether an event is the poison, for this contract."""
        if contract != self.contract or not event.seq:
            return False
        if self.event is None:
            self._left -= 1
            if self._left == 0:
                self.event = identity_of(event)
        return self.event == identity_of(event)


class _Attributed:
    def __init__(self, name: str, contract: Contract, poison: Poison) -> None:
        self._name = name
        self._contract = contract
        self._poison = poison

    def __getattr__(self, name: str) -> Any:
        return getattr(self._contract, name)

    def render_event(self, event: Event, listener: Subscriber) -> Sequence[str]:
        frames = self._contract.render_event(event, listener)
        if frames and self._poison.is_in(self._name, event):
            raise CannotWord(f"{self._name}: {event.type}")
        return [Telling.of(frame, event, listener) for frame in frames]

    def add_position(self, frame: str, position: str) -> str:
        placed = self._contract.add_position(frame, position)
        if isinstance(frame, Telling):
            return Telling.of(placed, frame.event, frame.listener)
        return placed


def attribute_contract(name: str, contract: Contract, poison: Poison) -> Contract:
    """Wrap a contract so that its frames say which event they word, and for whom."""
    return cast("Contract", _Attributed(name, contract, poison))
