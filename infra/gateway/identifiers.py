"""Ids in the shape API Gateway gives them: 11 random bytes as 16 URL-safe base64 characters."""

from __future__ import annotations

import random
from base64 import urlsafe_b64encode
from collections.abc import Callable

ID_BYTES = 11

NewId = Callable[[], str]

# Seeded by the operating system once. os.urandom would release the GIL for every id, which costs
# 16 µs while handlers run; an emulator's ids need to be unique, not secret.
_random = random.Random()


def new_uuid() -> str:
    """Return a fresh Lambda request id: a random UUID, a fifth of the time uuid.UUID takes."""
    digits = f"{_random.getrandbits(128):032x}"
    variant = "89ab"[_random.getrandbits(2)]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def new_id() -> str:
    """Return a fresh connection, message or request id, such as `BFaT_fALIAMCKug=`."""
    return urlsafe_b64encode(_random.getrandbits(8 * ID_BYTES).to_bytes(ID_BYTES, "big")).decode()
