"""Where a token stands in a request."""

from __future__ import annotations


def bearer(header: str | None) -> str | None:
    """The token of an `Authorization: Bearer …` header."""
    kind, _, token = (header or "").strip().partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None
