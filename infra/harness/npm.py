"""What is run with node: a recipe in the repository, installed once into .local."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from infra.harness.measured_server import ServerUnavailable

INSTALL_WITHIN_S = 240.0


def find_node() -> tuple[str, str]:
    """Find node and npm. Raises ServerUnavailable."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise ServerUnavailable("there is no node with npm")
    return node, npm


def install_recipe(npm: str, recipe: Path, into: Path) -> None:
    """Bring a recipe's files, and the packages that it needs unless they are there. Raises
    ServerUnavailable."""
    wanted = (recipe / "package.json").read_bytes()
    mark = into / "installed.json"
    is_there = mark.exists() and mark.read_bytes() == wanted
    shutil.copytree(recipe, into, dirs_exist_ok=True)
    if is_there:
        return
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=into, capture_output=True, text=True, timeout=INSTALL_WITHIN_S
        )
    except subprocess.TimeoutExpired as error:
        raise ServerUnavailable(f"npm took over {error.timeout:.0f} s") from error
    if done.returncode:
        said = (done.stderr.strip() or "nothing").splitlines()[0]
        raise ServerUnavailable(f"npm can't install it: {said}")
    mark.write_bytes(wanted)
