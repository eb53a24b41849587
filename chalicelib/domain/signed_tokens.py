"""Tokens that we sign and read again ourselves: what clients hand back as they got it.

A token is `<payload>.<HMAC-SHA256 of that text>`, both in base64 for URLs without padding. Each
purpose has a key of its own, derived from a secret: a token of one purpose is no token of another,
and no JWT, which is signed with the secret itself, is one either. The payload can be read by who
has it; it can't be changed.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode


class TokenSigner:
    """Signs and verifies the tokens of one purpose."""

    def __init__(self, secret: str, purpose: str) -> None:
        """Derive the key. Raises ValueError for an empty secret, which everybody knows."""
        if not secret:
            raise ValueError("A signer needs a secret.")
        self._key = hmac.digest(secret.encode(), f"waybill token: {purpose}".encode(), "sha256")

    def sign_payload(self, payload: bytes) -> str:
        """Make the token of a payload."""
        text = _encode(payload)
        return f"{text}.{self._make_mac(text)}"

    def verify_token(self, token: str) -> bytes | None:
        """Return a token's payload; None for a token that was not signed here for this purpose.

        The payload is not decoded before its signature was found good. Signatures are compared as
        texts: base64 can write the same bytes in several ways, and of those one is ours.
        """
        text, _, mac = token.rpartition(".")
        expected = self._make_mac(text)
        if not hmac.compare_digest(mac.encode(errors="replace"), expected.encode()):
            return None
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))

    def _make_mac(self, text: str) -> str:
        signed = text.encode(errors="replace")
        return _encode(hmac.digest(self._key, signed, hashlib.sha256))


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
