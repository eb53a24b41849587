"""Announcements: something for everybody who is connected on a contract."""

from __future__ import annotations

from chalicelib.domain.events import ANNOUNCEMENT, Event
from chalicelib.domain.messaging.connections import list_public_rooms
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock


class Announcements:
    """Announces. Nothing of it is kept."""

    def __init__(self, broadcast: FanOut, clock: Clock) -> None:
        self._broadcast = broadcast
        self._clock = clock

    def post_announcement(self, contract: str, text: str) -> None:
        """Say it on every connection of a contract."""
        event = Event(ANNOUNCEMENT, "", "", 0, 0, self._clock(), data={"text": text})
        for room in list_public_rooms(contract):
            self._broadcast.post_to_room(room, event)
