"""A payment provider's signature: `t=<unix>,v1=<hex HMAC-SHA256 of "t.body">`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

from chalicelib.errors import Unauthenticated

MAX_AGE = timedelta(minutes=5)


class ProviderSignature:
    """Checks signatures. Without a secret nothing is genuine."""

    def __init__(self, secret: str, clock: Callable[[], datetime]) -> None:
        self._secret = secret.encode()
        self._clock = clock

    def check(self, header: str | None, body: str | bytes) -> None:
        """Raises Unauthenticated unless the provider signed this body, less than 5 min ago."""
        parts = dict(part.strip().partition("=")[::2] for part in (header or "").split(","))
        signed_at, given = parts.get("t", ""), parts.get("v1", "")
        raw = body.encode() if isinstance(body, str) else body
        expected = hmac.new(self._secret, f"{signed_at}.".encode() + raw, hashlib.sha256)
        genuine = hmac.compare_digest(expected.hexdigest().encode(), given.encode())
        if not (self._secret and genuine and self._recent(signed_at)):
            raise Unauthenticated("The signature is not valid.")

    def _recent(self, signed_at: str) -> bool:
        if not (signed_at.isascii() and signed_at.isdigit() and len(signed_at) <= 12):
            return False
        return abs(self._clock().timestamp() - int(signed_at)) <= MAX_AGE.total_seconds()
