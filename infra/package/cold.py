"""`python -m infra.package.cold dist/here/deployment.zip`: what a cold start imports, timed.

Each line is a fresh interpreter without site-packages on the unpacked zip, so it runs what Lambda
runs. The figure is processor time, the least of several runs, which a busy machine disturbs least.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import botocore

RUNS = 7
ALLOWED = 1.25  # of the floor, for the import of app.py
MANAGEMENT = "data/apigatewaymanagementapi"

_CLIENTS = ("dynamodb", "sqs", "apigatewaymanagementapi")
LINES = {
    "floor": "import jwt, msgspec, botocore.session as b; s = b.get_session(); "
    f"[s.create_client(name, 'us-east-1') for name in {_CLIENTS}]",
    "import app": "import app",
    "ready for its first event": "import app; from chalicelib.wiring import waybill; waybill()",
}
_ENVIRONMENT = {
    "PATH": os.defpath,
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "https://none.invalid/api",
    "JWT_SECRET": "-" * 32,
}


def measure_starts(
    archive: Path, runs: int = RUNS, names: Sequence[str] = tuple(LINES)
) -> dict[str, float]:
    """Return seconds of processor time for each line, the floor first, or for some of them."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(root)
        # Not shipped, since @connections are called without it; the floor is a plain client.
        source = Path(botocore.__file__).parent / MANAGEMENT
        shutil.copytree(source, root / "botocore" / MANAGEMENT)
        found: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(runs):  # in turn, so that a noisy minute is everybody's
            for name in names:
                found[name].append(_cpu_s(root, LINES[name]))
    return {name: min(times) for name, times in found.items()}


def main() -> int:
    """Print the figures; 1 if the import costs more than it may."""
    archive = Path(sys.argv[1])
    times = measure_starts(archive)
    floor = times["floor"]
    print(f"{archive.name}: {archive.stat().st_size / 1e6:.1f} MB")
    for name, seconds in times.items():
        print(f"{name:26} {seconds * 1000:5.0f} ms  {seconds / floor:4.2f} x floor")
    return int(times["import app"] > ALLOWED * floor)


def _cpu_s(root: Path, code: str) -> float:
    # -S -B: nothing of this environment, and no .pyc but those in the zip.
    ran = subprocess.Popen(
        [sys.executable, "-S", "-B", "-c", f"import sys; sys.path.insert(0, '.'); {code}"],
        cwd=root,
        env=_ENVIRONMENT,
    )
    _, status, used = os.wait4(ran.pid, 0)
    ran.returncode = os.waitstatus_to_exitcode(status)
    if ran.returncode:
        raise SystemExit(f"cold: {code!r} failed")
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
