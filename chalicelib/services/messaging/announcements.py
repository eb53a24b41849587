"""Announcements: one text for everybody who is connected on a contract."""

from __future__ import annotations

from chalicelib.domain.events import ANNOUNCEMENT, draft_event
from chalicelib.domain.messaging.connections import list_public_rooms
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock


class Announcements:
    """Posts announcements. They are not kept: whoever is offline misses them."""

    def __init__(self, fanout: FanOut, clock: Clock) -> None:
        self._fanout = fanout
        self._clock = clock

    def post_announcement(self, contract: str, text: str) -> None:
        """Post a text to every connection of a contract."""
        event = draft_event(ANNOUNCEMENT, "", "", self._clock(), data={"text": text})
        for room in list_public_rooms(contract):
            self._fanout.post_to_room(room, event)
