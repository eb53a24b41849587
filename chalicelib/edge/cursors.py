"""Cursors of lists: where to read on, signed so that nobody but us can have made it.

A cursor is good only for who was given it, and for the list and the filter that it is of. What
somebody else sends, or what was changed, is refused, not guessed at.
"""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

from chalicelib.domain.signed_tokens import TokenSigner
from chalicelib.errors import InvalidInput

T = TypeVar("T")

_PURPOSE = "cursor"
_NO_SECRET = "none"


class CursorSigner:
    """Makes and reads cursors. Without a `secret` (tokens are checked by public keys, and there is
    no payment provider) they can be forged: then they show their forger their own list from another
    place, and nothing else, as what is read is filtered anew."""

    def __init__(self, secret: str) -> None:
        self._signer = TokenSigner(secret or _NO_SECRET, _PURPOSE)

    def make_cursor(self, position: msgspec.Struct, scope: bytes) -> str:
        """Make the cursor of a position. `scope` says whose it is and of what."""
        return self._signer.sign_payload(msgspec.json.encode((_hash(scope), position)))

    def read_cursor(self, cursor: str, scope: bytes, kind: type[T]) -> T:
        """Read the position of a cursor. Raises InvalidInput where it is none of this scope."""
        payload = self._signer.verify_token(cursor)
        if payload is not None:
            found_hash, position = msgspec.json.decode(payload, type=tuple[str, msgspec.Raw])
            if found_hash == _hash(scope):
                return msgspec.json.decode(position, type=kind)
        raise InvalidInput("cursor must be the next_cursor of the same list.", field="cursor")


def _hash(scope: bytes) -> str:
    return hashlib.sha256(scope).hexdigest()[:32]
