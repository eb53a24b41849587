"""The versions of Python that Lambda runs, and until when: cfn-lint keeps the list."""

from __future__ import annotations

import json
from datetime import date
from importlib.resources import files
from typing import Any

PREFERRED = "3.14"


class NoRuntimeError(Exception):
    """Lambda takes no function for this Python; the text says what to do."""


Lifecycles = dict[str, dict[str, Any]]
"""By runtime: from which day on it is `deprecated`, refused to new functions, and by what to
replace it."""


def check_runtime(
    python: tuple[int, int], today: date, lifecycles: Lifecycles | None = None
) -> str | None:
    """Return what to say about packaging for this Python; None: nothing.

    Raises NoRuntimeError if Lambda would refuse to create a function for it.
    """
    version = "{}.{}".format(*python)
    known = lifecycles or read_lifecycles()
    found = known.get(f"python{version}")
    if found is None:
        newest = max(tuple(map(int, name.removeprefix("python").split("."))) for name in known)
        if python > newest:
            return f"Whether Lambda runs Python {version} is not known here."
        raise NoRuntimeError(f"Lambda has no Python {version}: {_format_advice(found)}")
    if today >= date.fromisoformat(found["create-block"]):
        raise NoRuntimeError(
            f"Lambda takes no new function for Python {version} since {found['create-block']}: "
            f"{_format_advice(found)}"
        )
    if today >= date.fromisoformat(found["deprecated"]):
        return (
            f"Python {version} is deprecated at Lambda since {found['deprecated']}, and takes no "
            f"new function from {found['create-block']} on: {_format_advice(found)}"
        )
    return None


def _format_advice(found: dict[str, Any] | None) -> str:
    better = (found or {}).get("successor") or f"python{PREFERRED}"
    return f"make PYTHON={better} setup package, after rm -r .venv."


def read_lifecycles() -> Lifecycles:
    """Return those of Python, as cfn-lint has them."""
    text = files("cfnlint.data.AdditionalSpecs").joinpath("LmbdRuntimeLifecycle.json").read_text()
    return {k: v for k, v in json.loads(text).items() if k.startswith("python3")}
