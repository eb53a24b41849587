"""Announcements: something for everybody who is connected on a contract."""

from __future__ import annotations

from chalicelib.domain.events import ANNOUNCEMENT, Event
from chalicelib.domain.messaging.connections import public_rooms
from chalicelib.services.messaging.fanout import Broadcast
from chalicelib.services.ports import Clock


class Announcing:
    """Announces. Nothing of it is kept."""

    def __init__(self, broadcast: Broadcast, clock: Clock) -> None:
        self._broadcast = broadcast
        self._clock = clock

    def announce(self, contract: str, text: str) -> None:
        """Say it on every connection of a contract."""
        event = Event(ANNOUNCEMENT, "", "", 0, 0, self._clock(), data={"text": text})
        for room in public_rooms(contract):
            self._broadcast.to_room(room, event)
