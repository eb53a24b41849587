"""CORS: which pages may read our answers.

Tokens come in headers, never in cookies: a page can do no more than its user gave it a token for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

EVERYBODY = "*"
MAX_AGE_S = 7200  # Chromium keeps a preflight no longer
# What clients send besides the headers that need no permission.
TAKEN = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-Request-Id",
    "X-Requested-With",
)
# What a page may read besides the headers that it always may.
EXPOSED = (
    "Allow",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "Retry-After",
    "X-Request-Id",
    "x-amzn-RequestId",
)
_MOST_ASKED = 50
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


def shared_with(origins: Sequence[str], origin: str | None) -> dict[str, str]:
    """Return the CORS headers of an answer to a page of `origin`: none that lets it read the answer
    where its origin is not one of `origins`."""
    exposed = {"Access-Control-Expose-Headers": ", ".join(EXPOSED)}
    if EVERYBODY in origins:
        return {"Access-Control-Allow-Origin": EVERYBODY, **exposed}
    # A cache must not give one origin's answer to another.
    varies = {"Vary": "Origin"}
    if origin is None or origin not in origins:
        return varies
    return {"Access-Control-Allow-Origin": origin, **exposed, **varies}


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a browser asks if it may send a request, instead of sending it."""
    asked = "origin" in headers and "access-control-request-method" in headers
    return method == "OPTIONS" and asked


def permission(methods: Sequence[str], asked_headers: str | None) -> dict[str, str]:
    """Return the headers that answer a preflight, besides those of `shared_with`.

    Headers that a page asks for are taken too: tracing libraries send some of their own, and what
    we don't know we don't read.
    """
    asked = [name.strip() for name in (asked_headers or "").split(",")][:_MOST_ASKED]
    known = {name.lower() for name in TAKEN}
    more = [name for name in asked if _HEADER.fullmatch(name) and name.lower() not in known]
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": ", ".join([*TAKEN, *more]),
        "Access-Control-Max-Age": str(MAX_AGE_S),
    }
