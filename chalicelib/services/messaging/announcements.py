"""Announcements: one text for everybody who is connected on a contract.

Nothing is stored of one but the key of its request, where there is a key. It is written before the
text is posted, so that of requests at once only one posts it; and once more after that. Who finds
it in between, and long after, finishes what somebody died of.
"""

from __future__ import annotations

from secrets import token_urlsafe

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
        mine = self._begin_posting(key)
        if mine is None:
            return True
        try:
            self._post(contract, text)
        except Exception:
            # Whoever asked is told to ask again: they must not be answered that it is posted.
            self._keys.replace_target(key, mine, _LEFT)
            raise
        self._keys.replace_target(key, mine, _POSTED)
        return False

    def _begin_posting(self, key: RequestKey) -> str | None:
        """Take it on to post this, and return the key's target from now on; None where somebody
        has posted it, or is about to. Of requests at once one gets it. Raises KeyReused."""
        mine = f"{_POSTING}{self._clock().timestamp()}@{token_urlsafe(6)}"
        target = self._keys.find_target(key)
        if target is None:
            is_mine = self._keys.take_key(key, mine)
        else:
            is_mine = self._is_abandoned(target) and self._keys.replace_target(key, target, mine)
        return mine if is_mine else None

    def _is_abandoned(self, target: str) -> bool:
        if target == _POSTED:
            return False
        began_at_s = float(target.removeprefix(_POSTING).partition("@")[0])
        return self._clock().timestamp() - began_at_s > _DIED_AFTER_S

    def _post(self, contract: str, text: str) -> None:
        event = draft_event(ANNOUNCEMENT, "", "", self._clock(), data={"text": text})
        for room in list_public_rooms(contract):
            self._fanout.post_to_room(room, event)
