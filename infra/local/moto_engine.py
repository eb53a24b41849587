"""moto in this process, made safe for threads: `ENGINE=moto`, and the functional tests.

moto checks a condition and then writes, so two threads can both win, and a failed transaction
restores a copy that misses what others wrote meanwhile. One lock around every call ends both.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import botocore_stubber

_LOCK = threading.Lock()
_MOCK = mock_aws()


class _LockedStubber(BotocoreStubber):  # type: ignore[misc,unused-ignore]
    """The stubber that moto hooks into botocore, behind the lock."""

    def __call__(self, event_name: str, request: Any, **kwargs: Any) -> Any:
        with _LOCK:
            return super().__call__(event_name, request, **kwargs)


@contextmanager
def run_moto() -> Iterator[None]:
    """Answer this process's AWS calls from memory, empty at first; forget all of it at the end.

    Clients made before moto was first imported are not covered. Long polls would hold the lock:
    poll short.
    """
    start_moto()
    try:
        yield
    finally:
        _MOCK.stop()


def start_moto() -> None:
    """Begin as run_moto() does and never end: a thread left over must not reach AWS."""
    # moto has hooked this very object into botocore when it was imported: another object in its
    # place would never be called.
    botocore_stubber.__class__ = _LockedStubber
    _MOCK.start()
