"""What the documents say is what the code does, where that can be compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import pytest

from chalicelib.settings import Settings
from infra.bench.latency import read_rounds
from infra.demo.options import DemoOptions
from infra.docs.diagram import HOME, draw_mermaid, list_documents, redraw_document
from infra.local.banner import format_banner
from infra.local.options import LocalOptions

README = (HOME / "README.md").read_text()
SETTINGS = (HOME / "docs" / "settings.md").read_text()
SECRET = {"JWT_SECRET": "x" * 32}
READERS: list[tuple[Callable[[Mapping[str, str]], object], dict[str, str]]] = [
    (Settings.from_env, SECRET),
    (Settings.from_env, {"JWT_JWKS_URL": "https://issuer.example/keys"}),
    (LocalOptions.from_env, {}),
    (DemoOptions.from_env, {}),
    (read_rounds, {}),
]


class Asked(dict[str, str]):
    """An environment that notes what is looked up."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self.names: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)


def settings_table() -> Iterator[tuple[str, str]]:
    """(variable, default) of the settings' tables, one variable at a time."""
    for row in re.findall(r"^\| (`[A-Z][A-Z_0-9`, ]+) \|([^|]*)\|", SETTINGS, re.MULTILINE):
        names, defaults = re.findall(r"`(\w+)`", row[0]), row[1].strip().split(", ")
        if len(defaults) != len(names):
            defaults = [row[1].strip()] * len(names)
        yield from zip(names, (d.strip("` ") for d in defaults), strict=True)


def test_every_setting_is_in_the_table_and_nothing_else_is() -> None:
    read: set[str] = set()
    for reader, given in READERS:
        env = Asked(given)
        reader(env)
        read |= env.names
    assert dict(settings_table()).keys() == read


@pytest.mark.parametrize(
    ("name", "default"),
    [(n, d) for n, d in settings_table() if re.fullmatch(r"[\d.]+|[a-z-]+", d) and d != "-"],
)
def test_defaults_are_as_the_table_says(name: str, default: str) -> None:
    for reader, given in READERS:
        assert reader(given) == reader({**given, name: default})


def test_diagrams_are_drawn_from_the_tables() -> None:
    """`python -m infra.docs.diagram` draws them anew."""
    for path in list_documents():
        assert redraw_document(path.read_text()) == path.read_text(), path
    assert "<!-- lifecycle: delivery -->\n```mermaid" in README


def test_a_diagram_has_every_step_of_its_flow() -> None:
    from chalicelib.domain.orders.flows import FLOWS

    for flow in FLOWS.values():
        drawn = draw_mermaid(flow)
        for status, steps in flow.transitions.items():
            for verb, goal in steps.items():
                arrow = rf"^    {status.value} --> {goal.value}: .*\b{verb.replace('_', ' ')}\b"
                assert re.search(arrow, drawn, re.MULTILINE), (status, verb)


def test_the_quick_start_is_what_the_local_run_prints() -> None:
    printed = format_banner(LocalOptions(), None, 1.0, {}).splitlines()
    commands = [line.strip() for line in printed if line.startswith("  ")]
    assert len(commands) > 5
    (run_it,) = re.findall(r"^## Run it\n(.*?)^## ", README, re.DOTALL | re.MULTILINE)
    shown = re.findall(r"^```sh\n(.*?)^```", run_it, re.DOTALL | re.MULTILINE)
    assert commands == [line for block in shown[1:] for line in block.splitlines()]


def test_links_lead_somewhere() -> None:
    for path in list_documents():
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.relative_to(HOME)}: {link}"
