"""What the same request has made before, by the key that it was sent with."""

from __future__ import annotations

from chalicelib.domain.request_keys import RequestKey, UsedKey
from chalicelib.errors import KeyReused
from chalicelib.services.ports import Clock, KeyStore


class RequestKeys:
    """Looks keys up. Whoever creates something writes its key in the same transaction; of two who
    do so at once one gets Stale, looks again, and finds what the other made."""

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def find_used(self, key: RequestKey | None) -> UsedKey | None:
        """Find what a key was used for, by this request or by another."""
        return self._keys.find_key(key.name, self._clock()) if key else None

    def take_key(self, key: RequestKey, target: str) -> bool:
        """Write a key of something that has no row of its own. Returns False if it is used."""
        return self._keys.insert_key(key, target, self._clock())

    def replace_target(self, key: RequestKey, before: str, after: str) -> bool:
        """Write what became of what a key was taken for. Returns False if the key's target is not
        `before`: somebody else has it by now."""
        return self._keys.replace_target(key.name, before, after)

    def find_target(self, key: RequestKey | None) -> str | None:
        """Find what this very request has made. Raises KeyReused if another has the key."""
        used = self.find_used(key)
        if key is None or used is None:
            return None
        if used.key.request_hash != key.request_hash:
            raise KeyReused("This key was used for another request.")
        return used.target
