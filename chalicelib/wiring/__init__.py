"""Puts everything together: the only package that knows everyone, and it holds no behaviour.

parts.py makes what touches the world, a module for each room of services builds that room, and
application.py joins the rooms.
"""

from __future__ import annotations

import threading

from chalicelib.edge.app_services import Services
from chalicelib.settings import Settings
from chalicelib.wiring.application import build
from chalicelib.wiring.parts import build_wakeup_queue, build_webhook_queue

__all__ = ["build", "build_wakeup_queue", "build_webhook_queue", "use", "waybill"]

_built: Services | None = None
_building = threading.Lock()


def waybill() -> Services:
    """Return the application, built once a cold start from the environment."""
    global _built
    with _building:
        if _built is None:
            _built = build(Settings.from_env())
        return _built


def use(services: Services | None) -> None:
    """Serve from these services, instead of those of the environment; None: back to those."""
    global _built
    with _building:
        _built = services
