"""Where a token stands in a request, and the word `Bearer` before it."""

from __future__ import annotations

import re

_BEARER = re.compile(r"bearer(\s+|$)", re.IGNORECASE)


def read_bearer_token(header: str | None) -> str | None:
    """The token of an `Authorization: Bearer …` header."""
    text = (header or "").strip()
    return strip_bearer(text) or None if _BEARER.match(text) else None


def strip_bearer(token: str | None) -> str:
    """Take a token from wherever it stands, without the word `Bearer` that may come before it.

    People copy whole headers into queries and messages; case does not count.
    """
    text = (token or "").strip()
    return text[found.end() :] if (found := _BEARER.match(text)) else text
