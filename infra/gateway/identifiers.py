"""Ids in the shape API Gateway gives them: 11 random bytes as 16 URL-safe base64 characters."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Callable

ID_BYTES = 11

NewId = Callable[[], str]


def new_id() -> str:
    """Return a fresh connection, message or request id, such as `BFaT_fALIAMCKug=`."""
    return urlsafe_b64encode(os.urandom(ID_BYTES)).decode("ascii")
