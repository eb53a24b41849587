"""What is shipped besides the application: by version and hash, for Lambda's platform.

pip takes nothing whose hash is not in the lock, nor anything that it would have to build, so the
same lock is the same files, today and in a year.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
_OLDEST_GLIBC = 17  # of manylinux2014
_KEY = "key.txt"


class DependenciesError(Exception):
    """The dependencies can't be had as they are locked; the text is pip's."""


@dataclass(frozen=True)
class Platform:
    """Where the zip runs: Lambda's name of the architecture, and a Python version."""

    architecture: str
    python: tuple[int, int] = sys.version_info[:2]

    @property
    def tags(self) -> list[str]:
        """The wheels' platforms that run there, as pip wants them: each by its name."""
        machine = _MACHINES[self.architecture]
        # Amazon Linux 2 has glibc 2.26; from Python 3.12 on it is Amazon Linux 2023, with 2.34.
        glibc = 34 if self.python >= (3, 12) else 26
        newest_first = range(glibc, _OLDEST_GLIBC - 1, -1)
        return [f"manylinux_2_{minor}_{machine}" for minor in newest_first] + [
            f"manylinux2014_{machine}"
        ]


def install_dependencies(lock: Path, platform: Platform, folder: Path) -> None:
    """Unpack what is locked into a folder, emptied first. Raises DependenciesError.

    A folder that was filled from the same lock for the same platform is left as it is, and PyPI is
    not asked.
    """
    key = sha256(f"{lock.read_text()}{platform}".encode()).hexdigest()
    if (folder / _KEY).exists() and (folder / _KEY).read_text() == key:
        return
    shutil.rmtree(folder, ignore_errors=True)
    _pip_install(lock, platform, folder)
    (folder / _KEY).write_text(key)  # last: what is half done is begun again


def _pip_install(lock: Path, platform: Platform, folder: Path) -> None:
    version = "{}.{}".format(*platform.python)
    abis = [f"cp{version.replace('.', '')}", "abi3", "none"]
    # A pip.conf may add what it likes but can't change what is taken: that is by hash.
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"),
            *("--target", str(folder), "--requirement", str(lock)),
            *("--implementation", "cp", "--python-version", version),
            *(f"--abi={abi}" for abi in abis),
            *(f"--platform={tag}" for tag in platform.tags),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise DependenciesError((ran.stderr or ran.stdout).strip()[-2000:])
