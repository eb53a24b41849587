"""How people are reached and seen: telephone numbers and pictures that clients can use."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from chalicelib.contracts.base import read_optional_text, read_text
from chalicelib.contracts.visible import remove_invisible
from chalicelib.errors import InvalidInput

MAX_PHONE = 40
MAX_DIGITS = 15  # E.164
MAX_URL = 2000
_SPACES = " \u00a0\u2000-\u200a\u202f\u205f\u3000"
_DASHES = "\\-\u2010-\u2015\u2212"
_PHONE = re.compile(rf"\(?\+?[0-9().{_SPACES}{_DASHES}/]*")
_URL = re.compile(r"https?://[^\s\\\"'<>`^{|}\x00-\x1f\x7f]+", re.IGNORECASE)


def read_phone(value: Any, name: str) -> str:
    """Read a required telephone number, as it was written. Raises InvalidInput.

    It has 1 to 15 digits after a `+` or `00`, and spaces, dashes, dots, slashes and parentheses
    between them. Contact books put marks of direction around numbers, which nobody sees and no
    telephone takes: they are dropped.
    """
    found = read_text(value, name, MAX_PHONE)
    written = remove_invisible(found).strip()
    digits = len(re.sub("[^0-9]", "", written).removeprefix("00"))
    if not _PHONE.fullmatch(written) or not 1 <= digits <= MAX_DIGITS:
        raise InvalidInput(
            f"{name} must be a telephone number: 1 to {MAX_DIGITS} digits, such as +4930123456.",
            field=name,
        )
    return written


def read_optional_url(value: Any, name: str) -> str | None:
    """Read an http or https URL, or None where it is absent or blank. Raises InvalidInput."""
    found = read_optional_text(value, name, MAX_URL)
    if found is not None and not _is_url(found):
        raise InvalidInput(f"{name} must be an http or https URL.", field=name)
    return found


def _is_url(given: str) -> bool:
    try:
        parts = urlsplit(given)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # brackets that are no IPv6 address, a port that is no number
        return False
    return has_host and _URL.fullmatch(given) is not None
