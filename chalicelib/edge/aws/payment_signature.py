"""A payment provider's signature: `t=<unix>,v1=<hex HMAC-SHA256 of "t.body">`.

While a provider changes its key it signs with both, and writes several signatures: `v1=…,v1=…`, or
the header twice. Any good one counts.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from chalicelib.errors import Unauthenticated

MAX_AGE = timedelta(minutes=5)
_MAX_VALUES = 20  # times, and signatures, that are looked at
_SEPARATORS = re.compile(r"[,;\s]+")


class ProviderSignature:
    """Checks signatures. Without a secret nothing is genuine."""

    def __init__(self, secret: str, clock: Callable[[], datetime]) -> None:
        self._secret = secret.encode()
        self._clock = clock

    def verify_signature(self, header: str | None, body: str | bytes) -> None:
        """Verify that the provider signed this body, at most 5 min ago. Raises Unauthenticated."""
        raw = body.encode() if isinstance(body, str) else body
        parts = _parse_header(header or "")
        expected = [self._make_signature(at, raw) for at in parts["t"] if self._is_recent(at)]
        given = [text.lower().encode("ascii", "replace") for text in parts["v1"]]
        genuine = [hmac.compare_digest(one, other) for one in expected for other in given]
        if not (self._secret and any(genuine)):
            raise Unauthenticated("The signature is not valid.")

    def _make_signature(self, signed_at: str, raw: bytes) -> bytes:
        signed = f"{signed_at}.".encode() + raw
        return hmac.new(self._secret, signed, hashlib.sha256).hexdigest().encode()

    def _is_recent(self, signed_at: str) -> bool:
        if not (signed_at.isascii() and signed_at.isdigit() and len(signed_at) <= 12):
            return False
        return abs(self._clock().timestamp() - int(signed_at)) <= MAX_AGE.total_seconds()


def _parse_header(header: str) -> Mapping[str, Iterable[str]]:
    """Read the values of `t` and of `v1`; one without a name belongs to the name before it."""
    found: dict[str, list[str]] = {"t": [], "v1": []}
    name = ""
    for part in filter(None, _SEPARATORS.split(header)):
        before, equals, after = part.partition("=")
        name, value = (before, after) if equals else (name, part)
        if value and len(found.get(name, ())) < _MAX_VALUES:
            found.setdefault(name, []).append(value)
    return found
