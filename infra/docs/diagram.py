"""`python -m infra.docs.diagram`: draw the flows' transition tables into the Markdown files.

Between `<!-- lifecycle: NAME -->` and `<!-- end -->` stands the diagram of that flow, which this
writes. `--check` writes nothing and exits 1 where a diagram is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from chalicelib.domain.orders.flow import Flow
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import Status

HOME = Path(__file__).resolve().parents[2]
_PLACE = re.compile(r"(<!-- lifecycle: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(arguments: list[str]) -> int:
    """Draw or check; return the exit code."""
    outdated = [
        path for path in list_documents() if redraw_document(path.read_text()) != path.read_text()
    ]
    for path in outdated:
        if "--check" in arguments:
            print(f"{path.relative_to(HOME)} is out of date: run `python -m infra.docs.diagram`.")
        else:
            path.write_text(redraw_document(path.read_text()))
    return 1 if outdated and "--check" in arguments else 0


def list_documents() -> list[Path]:
    """Return the files that may hold diagrams."""
    return [HOME / "README.md", *sorted((HOME / "docs").rglob("*.md"))]


def redraw_document(text: str) -> str:
    """Return a document with its diagrams drawn anew. Raises KeyError for a flow there is not."""
    return _PLACE.sub(lambda m: m[1] + draw_mermaid(FLOWS[m[2]]) + m[3], text)


def draw_mermaid(flow: Flow) -> str:
    """Return a flow as a state diagram in a code block."""
    firsts = [flow.first_status, *({Status.SCHEDULED} & flow.transitions.keys())]
    lines = ["```mermaid", "stateDiagram-v2", *(f"    [*] --> {s.value}" for s in firsts)]
    lines += [f"    {line}" for line in _draw_arrows(flow)]
    lines += [f"    {s.value} --> [*]" for s in flow.transitions if _is_final(flow, s)]
    return "\n".join([*lines, "```", ""])


def _draw_arrows(flow: Flow) -> Iterator[str]:
    for status, steps in flow.transitions.items():
        goals: dict[Status, list[str]] = {}
        for verb, goal in steps.items():
            goals.setdefault(goal, []).append(verb.replace("_", " "))
        for goal, verbs in goals.items():
            yield f"{status.value} --> {goal.value}: {', '.join(verbs)}"


def _is_final(flow: Flow, status: Status) -> bool:
    return not set(flow.transitions[status].values()) - {status}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
