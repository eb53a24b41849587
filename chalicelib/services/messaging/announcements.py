"""Announcements: one text for everybody who is connected on a contract.

Nothing is stored of one but the key of its request, where there is a key. It is written before the
text is posted, so that of requests at once only one posts it; and once more after that. Who finds
it in between, and long after, finishes what somebody died of.
"""

from __future__ import annotations

from chalicelib.domain.events import ANNOUNCEMENT, draft_event
from chalicelib.domain.messaging.connections import list_public_rooms
from chalicelib.domain.request_keys import RequestKey
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock
from chalicelib.services.request_keys import RequestKeys

_POSTING, _POSTED = "announcing@", "announced"
_LEFT = f"{_POSTING}0"  # by somebody who could not post it: whoever asks next does
_DIED_AFTER_S = 30.0  # longer than an invocation lives


class Announcements:
    """Posts announcements. They are not kept: whoever is offline misses them."""

    def __init__(self, fanout: FanOut, keys: RequestKeys, clock: Clock) -> None:
        self._fanout = fanout
        self._keys = keys
        self._clock = clock

    def post_announcement(self, contract: str, text: str, key: RequestKey | None = None) -> bool:
        """Post a text to every connection of a contract; return whether the same request had done
        so before. Raises KeyReused."""
        if key is None:
            self._post(contract, text)
            return False
        if not self._may_post(key):
            return True
        try:
            self._post(contract, text)
        except Exception:
            # Whoever asked is told to ask again: they must not be answered that it is posted.
            self._keys.change_target(key, _LEFT)
            raise
        self._keys.change_target(key, _POSTED)
        return False

    def _may_post(self, key: RequestKey) -> bool:
        """Tell whether nobody has posted this, nor is about to. Raises KeyReused."""
        now = self._clock()
        target = self._keys.find_target(key)
        if target is None:
            return self._keys.take_key(key, f"{_POSTING}{now.timestamp()}") or self._may_post(key)
        if target == _POSTED:
            return False
        return now.timestamp() - float(target.removeprefix(_POSTING)) > _DIED_AFTER_S

    def _post(self, contract: str, text: str) -> None:
        event = draft_event(ANNOUNCEMENT, "", "", self._clock(), data={"text": text})
        for room in list_public_rooms(contract):
            self._fanout.post_to_room(room, event)
