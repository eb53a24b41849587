"""CORS: which pages may read our answers.

Tokens come in headers, never in cookies: a page can do no more than its user gave it a token for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

ANY_ORIGIN = "*"
MAX_AGE_S = 7200  # Chromium keeps a preflight no longer
# What clients send besides the headers that need no permission.
ALLOWED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-Request-Id",
    "X-Requested-With",
)
# What a page may read besides the headers that it always may.
EXPOSED_HEADERS = (
    "Allow",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "Retry-After",
    "Stream-Cursor",
    "Stream-Next-Offset",
    "Stream-Up-To-Date",
    "X-Request-Id",
    "x-amzn-RequestId",
)
_MAX_ASKED_HEADERS = 50
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


def make_cors_headers(origins: Sequence[str], origin: str | None) -> dict[str, str]:
    """Return the CORS headers of an answer to a page of `origin`: none that lets the page read the
    answer if its origin is not one of `origins`."""
    exposed = {"Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS)}
    if ANY_ORIGIN in origins:
        return {"Access-Control-Allow-Origin": ANY_ORIGIN, **exposed}
    # A cache must not give one origin's answer to another.
    vary = {"Vary": "Origin"}
    if origin is None or origin not in origins:
        return vary
    return {"Access-Control-Allow-Origin": origin, **exposed, **vary}


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a browser asks if it may send a request, instead of sending it."""
    asks = "origin" in headers and "access-control-request-method" in headers
    return method == "OPTIONS" and asks


def make_preflight_headers(methods: Sequence[str], asked_headers: str | None) -> dict[str, str]:
    """Return the headers that answer a preflight, besides those of `make_cors_headers`.

    Headers that a page asks for are allowed too: tracing libraries send some of their own, and what
    we don't know we don't read.
    """
    asked = [name.strip() for name in (asked_headers or "").split(",")][:_MAX_ASKED_HEADERS]
    known = {name.lower() for name in ALLOWED_HEADERS}
    more = [name for name in asked if _HEADER_NAME.fullmatch(name) and name.lower() not in known]
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": ", ".join([*ALLOWED_HEADERS, *more]),
        "Access-Control-Max-Age": str(MAX_AGE_S),
    }
