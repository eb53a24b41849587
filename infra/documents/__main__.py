"""`python -m infra.documents`: write docs/api/*.json, and the copies that are served.

`--check` writes nothing, and exits 1 where the code says something else than the files do.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from chalicelib.edge.rest.pages import PAGES_FOLDER

HOME = Path(__file__).resolve().parents[2]
WRITTEN, SERVED = HOME / "docs" / "api", PAGES_FOLDER / "docs"
NAMES = ("openapi", "asyncapi")


def main(arguments: list[str]) -> int:
    """Write or check; return the exit code."""
    outdated = [
        (path, text) for path, text in make_files() if not path.exists() or path.read_text() != text
    ]
    for path, text in outdated:
        if "--check" in arguments:
            print(f"{path.relative_to(HOME)} is out of date: run `python -m infra.documents`.")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if outdated and "--check" in arguments else 0


def make_files() -> Iterator[tuple[Path, str]]:
    """Make each file: as people read it, and without spaces as it is served."""
    # The app reads its settings when it is imported; none of them is in the documents.
    os.environ.setdefault("JWT_SECRET", "-" * 32)
    from infra.documents.asyncapi import make_asyncapi
    from infra.documents.openapi import make_openapi

    for name, document in zip(NAMES, (make_openapi(), make_asyncapi()), strict=True):
        yield WRITTEN / f"{name}.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        compact = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        yield SERVED / f"{name}.json", compact


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
