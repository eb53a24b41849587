"""The rules that keep the parts apart, read off the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
APP = HOME / "chalicelib"

# What each layer may import of chalicelib, besides itself. Only wiring knows everyone.
MAY_IMPORT = {
    "domain": {"errors"},
    "services": {"domain", "errors"},
    "contracts": {"domain", "errors"},
    "store": {"domain", "errors", "settings"},
    "edge": {"services", "contracts", "domain", "errors", "settings"},
    "errors": set(),
    "settings": {"environment"},
    "environment": set(),
}
PURE = {"domain", "contracts", "errors"}  # of the outside they know msgspec and h3
PURE_MAY_IMPORT = {"msgspec", "h3"}
AWS = {"boto3", "botocore", "pynamodb", "chalice", "urllib3", "jwt"}


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@lru_cache(maxsize=1)  # all of them would be half a gigabyte
def nodes(path: Path) -> list[ast.AST]:
    """Everything that stands in a file."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, wherever in it."""
    return tuple(list_imports(path))


def list_imports(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide where things come from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of(module: str) -> str:
    """`chalicelib.services.ports` is of layer `services`."""
    return module.split(".")[1] if module.startswith("chalicelib.") else ""


def layer_of_file(path: Path) -> str:
    return path.relative_to(APP).parts[0].removesuffix(".py")


@cache
def attributes(path: Path) -> frozenset[str]:
    """Everything that is read as `something.name` in a file."""
    return frozenset(node.attr for node in nodes(path) if isinstance(node, ast.Attribute))


@pytest.mark.parametrize("layer", sorted(MAY_IMPORT))
def test_each_layer_imports_only_what_it_may(layer: str) -> None:
    for path in sources(APP):
        if layer_of_file(path) != layer:
            continue
        known = {layer_of(name) for name in imports(path)} - {""}
        assert known <= MAY_IMPORT[layer] | {layer}, path


def test_every_file_belongs_to_a_layer() -> None:
    layers = {layer_of_file(path) for path in sources(APP)} - {"__init__", "wiring"}
    assert layers == set(MAY_IMPORT)


def test_messaging_knows_no_room_above_it() -> None:
    """What it needs of dispatch and orders it states as protocols."""
    above = ("dispatch", "orders", "rides", "tracking", "money", "people")
    for path in sources(APP / "services" / "messaging"):
        rooms = {name.split(".")[2] for name in imports(path) if "chalicelib.services." in name}
        assert not rooms & set(above), path


def test_domain_and_contracts_know_nothing_of_the_outside() -> None:
    import sys

    for path in sources(APP):
        if layer_of_file(path) in PURE:
            tops = {name.split(".")[0] for name in imports(path)} - {"chalicelib"}
            assert tops - set(sys.stdlib_module_names) <= PURE_MAY_IMPORT, path


def test_services_know_no_library_of_aws() -> None:
    for path in sources(APP / "services"):
        assert not {name.split(".")[0] for name in imports(path)} & AWS, path


def test_the_application_never_imports_infra_nor_the_gateway_the_application() -> None:
    for path in sources(APP):
        tops = {name.split(".")[0] for name in imports(path)}
        assert not tops & {"infra", "benchmarks", "tests"}, path
    for path in sources(HOME / "infra"):
        assert not [name for name in imports(path) if name.startswith("benchmarks")], path
    for path in sources(HOME / "infra" / "gateway"):
        assert not [name for name in imports(path) if name.startswith("chalicelib")], path


def test_a_template_for_aws_needs_nothing_of_the_local_run() -> None:
    for room in ("resources", "template", "package"):
        for path in sources(HOME / "infra" / room):
            assert not [n for n in imports(path) if n.startswith("infra.local")], path


def test_nothing_scans_a_table() -> None:
    for path in [*sources(APP), HOME / "app.py"]:
        assert "scan" not in attributes(path), path


def test_settings_is_the_only_reader_of_the_environment() -> None:
    for path in [*sources(APP), HOME / "app.py"]:
        if path.name != "settings.py":
            assert not {"environ", "getenv", "environb"} & attributes(path), path
            assert not [name for name in imports(path) if name.startswith("os.")], path


def test_tests_replace_nothing_behind_its_back() -> None:
    for path in sources(HOME / "tests"):
        assert not [name for name in imports(path) if "unittest.mock" in name], path
        names = {node.id for node in nodes(path) if isinstance(node, ast.Name)}
        assert not names & {"Mock", "MagicMock", "AsyncMock", "mocker"}, path
        ours = {n.split(".")[-1] for n in imports(path) if n.startswith(("chalicelib", "infra"))}
        assert not ours & set(replaced(path)), path


def replaced(path: Path) -> Iterator[str]:
    """What `monkeypatch.setattr` is called on: a name, or the text that says where it is."""
    for node in nodes(path):
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", "") == "setattr"
            and ast.unparse(node.func) == "monkeypatch.setattr"
        ):
            yield ast.unparse(node.args[0]).strip("'").split(".")[0]


def test_a_handler_is_at_most_five_lines() -> None:
    for node in ast.parse((HOME / "app.py").read_text()).body:
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= 5, node.name
