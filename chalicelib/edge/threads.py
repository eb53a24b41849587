"""Threads that know whose work they do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any


class ContextPool(ThreadPoolExecutor):
    """A pool whose tasks see the context of who submits them: their logs and what they send on are
    of the same trace."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a task done by a thread, in a copy of this thread's context."""
        return super().submit(copy_context().run, fn, *args, **kwargs)
