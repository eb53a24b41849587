"""The zip: without what never runs there, with everything compiled, the same for the same input.

Lambda's file times are all alike and its disk is read-only, so a .pyc that checks times is made
anew at each cold start: these are not checked at all. Of what is not ours they are all there is:
its sources are a tenth of the zip, and say nothing in a log that a file and a line do not say.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

MAX_BYTES = 6_000_000
SERVICES = ("dynamodb", "sqs", "s3")  # @connections are called without a service model

_DATA = ("botocore", "data")
_KEPT_DATA = {
    *SERVICES,
    "_retry.json",
    "endpoints.json",
    "partitions.json",
    "sdk-default-configuration.json",
}
_NEVER = {"tests", "test", "include", "lib64", "__pycache__", "examples"}
_BESIDE = {"bin", "key.txt"}  # what lies beside the packages: their commands, our note
_UNREAD = {".pyi", ".pyx", ".pxd", ".c", ".h", ".typed", ".rst", ".md"}
# Time zones by name, for who has none of the system's: nobody here names one.
_UNUSED = {"dateutil-zoneinfo.tar.gz"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


def shrink_zip(source: Path, target: Path) -> int:
    """Write a zip with what is needed of another; return its size in bytes."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        with zipfile.ZipFile(source) as given:
            given.extractall(root, [name for name in given.namelist() if is_needed(name)])
        _compile_sources(root)
        with zipfile.ZipFile(target, "w") as made:
            for path in _list_files(root):
                _add_file(made, path.relative_to(root).as_posix(), path)
    return target.stat().st_size


def is_needed(name: str) -> bool:
    """Tell whether a file of the zip is read in a Lambda function."""
    path = PurePosixPath(name)
    parts = path.parts
    if name.endswith("/") or path.suffix in _UNREAD or _NEVER.intersection(parts[:-1]):
        return False
    if parts[0] in _BESIDE or path.name in _UNUSED:
        return False
    if parts[:2] == _DATA:
        return parts[2] in _KEPT_DATA
    if parts[0].endswith(".dist-info"):
        return path.name == "METADATA"  # h3 looks up its own version
    return not parts[0].endswith(".data")


def _compile_sources(root: Path) -> None:
    """Compile everything, in an interpreter of its own.

    What marshal writes depends on which texts the process shares already: one that has imported
    more writes other bytes. So it is one that has imported nothing, with one order of the files.
    """
    ran = subprocess.run(
        [sys.executable, "-S", "-B", "-c", _COMPILER],
        cwd=root,
        env={"PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise SyntaxError(ran.stderr.strip()[-2000:])


# Paths are relative, so that a traceback names no folder of the builder.
_COMPILER = """
import pathlib, py_compile
for path in sorted(pathlib.Path().rglob("*.py")):
    is_ours = path.parts[0] in ("app.py", "chalicelib")
    py_compile.compile(
        str(path),
        cfile=None if is_ours else f"{path}c",
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not is_ours:
        path.unlink()
"""


def _list_files(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file())


def _add_file(made: zipfile.ZipFile, name: str, path: Path) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    made.writestr(entry, path.read_bytes(), compresslevel=9)
