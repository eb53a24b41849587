"""JSON as clients send it: what is too large or nested too deeply is refused, not read."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from chalicelib.errors import InvalidInput, PayloadTooLarge

MAX_BYTES = 64 * 1024  # far more than anything here takes
MAX_DEPTH = 64  # the same: no message is nested more than a few times

# A text as a whole, so that brackets in it don't count (one that has no end is taken to the end).
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)


def decode_json(sent: bytes | str, what: str) -> Any:
    """Decode JSON; `what` is what errors call it. Raises PayloadTooLarge; InvalidInput for JSON
    that is nested too deeply, and for what is no JSON."""
    raw = sent if isinstance(sent, bytes) else sent.encode(errors="surrogatepass")
    if len(raw) > MAX_BYTES:
        raise PayloadTooLarge(f"{what} has at most {MAX_BYTES} bytes.")
    if _is_too_deep(raw):
        raise InvalidInput(f"{what} is nested too deeply: at most {MAX_DEPTH} levels.")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError):
        raise InvalidInput(f"{what} is not valid JSON.") from None


def _is_too_deep(raw: bytes) -> bool:
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKEN.finditer(raw.decode(errors="replace")):
        opens = token[0] in "[{"
        depth += opens - (token[0] in "]}")
        if depth > MAX_DEPTH:
            return True
    return False
