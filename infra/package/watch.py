"""`python -m infra.package.watch`: write dist/watch.json.

It is the template of what watches a stage's edge. It is deployed to us-east-1 with
CloudFormation's own client; docs/deploy.md has the command.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from infra.template.watch import make_template

PATH = Path("dist/watch.json")


def main() -> int:
    """Write the template; return the exit code."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps(make_template(), indent=1) + "\n")
    print(PATH)
    return 0


if __name__ == "__main__":
    sys.exit(main())
