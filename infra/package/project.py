"""The folder that `chalice package` works on: the application, and what is generated for it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.template import overlay
from infra.template.policies import make_policies

HOME = Path(__file__).resolve().parents[2]
STAGE = "api"
CONFIG = ".chalice/config.json"
OVERLAY = "overlay.json"
REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True)
class PackagingOptions:
    """Choices of a package.

    `architecture` None: as the configuration says. `jwks`: tokens may be checked by public keys.
    """

    architecture: str | None = None
    jwks: bool = False


def lay_out(folder: Path, options: PackagingOptions) -> None:
    """Fill a folder, emptied first, with the application, its policies and the overlay."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(
        HOME / "chalicelib", folder / "chalicelib", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(HOME / "app.py", folder)
    shutil.copy(lock_path(options), folder / REQUIREMENTS)
    (folder / ".chalice").mkdir()
    _write_json(folder / CONFIG, read_configuration(options))
    for name, policy in make_policies().items():
        _write_json(folder / f".chalice/policy-{name}.json", policy)
    _write_json(folder / OVERLAY, overlay(with_jwks=options.jwks))


def read_configuration(options: PackagingOptions) -> dict[str, Any]:
    """Read `.chalice/config.json`, for the architecture asked for."""
    config: dict[str, Any] = json.loads((HOME / CONFIG).read_text())
    if options.architecture:
        config["stages"][STAGE]["lambda_architecture"] = options.architecture
    return config


def lock_path(options: PackagingOptions) -> Path:
    """Return the lock of what is shipped.

    Public keys need cryptography, a third of the zip again.
    """
    return HOME / ("requirements-jwks.lock" if options.jwks else "requirements.lock")


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2))
