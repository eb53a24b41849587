"""The checkout's own JWT secret: made once, kept in the state directory, readable by its owner."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path


def read_checkout_secret(state_dir: Path) -> str:
    """Return the secret kept in the folder `state_dir`, making it first if there is none."""
    path = state_dir / "jwt-secret"
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(48))
    return path.read_text().strip()


def _write_once(path: Path, secret: str) -> None:
    """Write the secret's file, complete or not at all: two starts at once must agree on it."""
    handle, draft = tempfile.mkstemp(dir=path.parent)  # readable by its owner only
    with open(handle, "w") as file:
        file.write(secret + "\n")
    try:
        # A link never replaces, as a rename does: of two starts the first wins, and both read it.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
