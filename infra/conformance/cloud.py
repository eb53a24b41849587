"""ministack as a cloud: it runs functions, each with the rights of its role and no others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.local.engine import Ministack
from infra.local.ports import find_free_port

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
    """Run a ministack for as long as the block; all that was in it is gone afterwards."""
    with (
        TemporaryDirectory(prefix="waybill-conformance-") as folder,
        Ministack(find_free_port(), Path(folder), environment=_SETTINGS) as running,
    ):
        yield running
