"""ministack as a cloud: it runs functions, each with the rights of its role and no others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.gateway import GatewayConfig, bind
from infra.local.engine import Ministack

# Root, to ministack; the functions get credentials of their roles.
ROOT = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
_SETTINGS = {
    **ROOT,
    "SERVICES": "",
    "PERSIST_STATE": "0",
    "AUTH": "true",
    # A thread waits for each function that runs, and others must serve what that asks for.
    "MINISTACK_WORKER_THREADS": "512",
}


@contextlib.contextmanager
def run_cloud() -> Iterator[Ministack]:
    """One that is gone afterwards, with all that was in it."""
    with (
        TemporaryDirectory(prefix="waybill-conformance-") as folder,
        Ministack(find_free_port(), Path(folder), environment=_SETTINGS) as running,
    ):
        yield running


def find_free_port() -> int:
    """A port that nobody listens on."""
    with contextlib.closing(bind(GatewayConfig(port=0))) as bound:
        return int(bound.getsockname()[1])
