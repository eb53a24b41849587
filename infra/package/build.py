"""`chalice package`, run on a laid out project, and what is done to its result."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from infra.package import archive, dependencies, template
from infra.package.dependencies import DependenciesError, Platform
from infra.package.project import (
    OVERLAY,
    REQUIREMENTS,
    STAGE,
    PackagingOptions,
    lay_out,
    read_configuration,
)
from infra.resources.aws_clients import REGION

_CHALICE = "import sys; from chalice.cli import main; sys.exit(main())"


class PackageError(Exception):
    """The package can't be made; the text says why."""


@dataclass(frozen=True)
class Package:
    """A template and the zip that its functions name as `./deployment.zip`."""

    template: Path
    archive: Path

    @classmethod
    def find_in(cls, folder: Path) -> Package:
        """Return the package that was built into a folder. Raises PackageError if there is none."""
        made = cls(folder / "sam.json", folder / "deployment.zip")
        if not (made.template.exists() and made.archive.exists()):
            raise PackageError(f"There is no package in {folder}: make package.")
        return made

    @property
    def digest(self) -> str:
        """The hash by which its zip is told from another."""
        return sha256(self.archive.read_bytes()).hexdigest()


def build_package(out: Path, options: PackagingOptions) -> Package:
    """Package the application into a folder. Raises PackageError.

    The dependencies stay in the folder, so a second run with the same lock does not ask PyPI.
    """
    out = out.absolute()  # Chalice works in the project's folder
    project, packaged = out / "project", out / "packaged"
    lay_out(project, options)
    _install_vendor(project, out / "dependencies", options)
    _chalice_package(project, packaged)
    made = Package(out / "sam.json", out / "deployment.zip")
    size = archive.shrink_zip(packaged / "deployment.zip", made.archive)
    if size > archive.MAX_BYTES and not options.jwks:
        raise PackageError(f"The zip has {size:,} bytes; {archive.MAX_BYTES:,} are allowed.")
    finished = template.read_template(packaged / "sam.json", made.digest)
    made.template.write_text(json.dumps(finished, indent=2) + "\n")
    return made


def this_architecture() -> str:
    """Return Lambda's name for this machine's processor."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def _install_vendor(project: Path, kept: Path, options: PackagingOptions) -> None:
    """Put the dependencies where Chalice takes them from, and leave it none to look for.

    Chalice would look for another platform's wheels by their versions alone.
    """
    locked = project / REQUIREMENTS
    stage = read_configuration(options)["stages"][STAGE]
    try:
        dependencies.install_dependencies(locked, Platform(stage["lambda_architecture"]), kept)
    except DependenciesError as error:
        raise PackageError(str(error)) from error
    # Links, as they are some thousands of files; what reads them writes none.
    shutil.copytree(kept, project / "vendor", copy_function=os.link)
    locked.write_text("# All of it is in vendor/.\n")


def _chalice_package(project: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    arguments = ["package", "--stage", STAGE, "--merge-template", OVERLAY, str(out)]
    ran = subprocess.run(
        [sys.executable, "-c", _CHALICE, *arguments],
        cwd=project,
        env={"AWS_DEFAULT_REGION": REGION, **os.environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode or not (out / "deployment.zip").exists():
        raise PackageError((ran.stderr or ran.stdout).strip()[-2000:])
