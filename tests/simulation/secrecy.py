"""Secrets that are a seed's: tokens and ids that nobody could guess elsewhere.

They are stored in rows, and some rows are written another way where they are too long packed: so a
history depends on them, though nothing is decided by them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def secrets_of(seed: int) -> Iterator[None]:
    """Let `secrets` and `uuid4` draw from a seed, not from the system, while it lasts."""
    real, bytes_of = os.urandom, random.Random(f"secrets {seed}").randbytes
    os.urandom = bytes_of
    random._urandom = bytes_of  # type: ignore[attr-defined]
    try:
        yield
    finally:
        os.urandom = real
        random._urandom = real  # type: ignore[attr-defined]
