"""Finds tokens in headers, queries and messages, with or without the word `Bearer`."""

from __future__ import annotations

import re

_BEARER = re.compile(r"bearer(\s+|$)", re.IGNORECASE)


def read_bearer_token(header: str | None) -> str | None:
    """Return the token of an `Authorization: Bearer …` header; None for any other header."""
    text = (header or "").strip()
    return strip_bearer(text) or None if _BEARER.match(text) else None


def strip_bearer(token: str | None) -> str:
    """Return a token without blanks around it, and without the word `Bearer` before it.

    People copy whole headers into queries and messages. Case does not count.
    """
    text = (token or "").strip()
    return text[found.end() :] if (found := _BEARER.match(text)) else text
