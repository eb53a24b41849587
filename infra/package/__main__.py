"""`python -m infra.package`: make `dist/sam.json` and `dist/deployment.zip`.

`--jwks`: for tokens that are checked by public keys. `--here`: for this machine's architecture and
not the configured one, so that it can be run here.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from infra.package import runtimes
from infra.package.build import PackageError, build_package, this_architecture
from infra.package.project import HOME, PackagingOptions
from infra.package.runtimes import NoRuntimeError


def main() -> int:
    """Package; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=__doc__)
    parser.add_argument("--out", type=Path, default=HOME / "dist")
    parser.add_argument("--jwks", action="store_true")
    parser.add_argument("--here", action="store_true")
    given = parser.parse_args()
    options = PackagingOptions(this_architecture() if given.here else None, given.jwks)
    try:
        if not given.here and (
            remark := runtimes.check_runtime(sys.version_info[:2], date.today())
        ):
            print(f"package: {remark}", file=sys.stderr)
        made = build_package(given.out, options)
    except (NoRuntimeError, PackageError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    print(f"{made.template}\n{made.archive}  {made.archive.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
