"""What is shipped is what is asked for, by versions and hashes, and what is tested here."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name

from infra.package.dependencies import DependenciesError, Platform, install_dependencies
from infra.package.project import HOME, PackagingOptions, lay_out, lock_path

PAIRS = {"requirements.txt": "requirements.lock", "requirements-jwks.txt": "requirements-jwks.lock"}


def asked_for(name: str) -> Iterator[Requirement]:
    """The requirements of a file, and of those that it includes."""
    for line in (HOME / name).read_text().splitlines():
        if line.startswith("-r "):
            yield from asked_for(line.removeprefix("-r ").strip())
        elif text := line.partition("#")[0].strip():
            yield Requirement(text)


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Version and number of hashes of each package that is installed on this Python."""
    found: dict[str, tuple[str, int]] = {}
    text = (HOME / name).read_text().replace("\\\n", " ")
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        pinned, *hashes = line.split("--hash=sha256:")
        requirement = Requirement(pinned.strip())
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), line
        if requirement.marker is None or requirement.marker.evaluate():
            version = str(requirement.specifier).removeprefix("==")
            found[canonicalize_name(requirement.name)] = (version, len(hashes))
    return found


@pytest.mark.parametrize(("wanted", "lock_"), PAIRS.items())
def test_what_is_locked_satisfies_what_is_asked_for(wanted: str, lock_: str) -> None:
    pinned = locked(lock_)
    for requirement in asked_for(wanted):
        version, _ = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}: make lock"


@pytest.mark.parametrize("lock_", PAIRS.values())
def test_nothing_is_locked_without_a_hash_nor_needed_without_a_lock(lock_: str) -> None:
    pinned = locked(lock_)
    assert all(hashes for _, hashes in pinned.values())
    for name in pinned:
        for text in importlib.metadata.requires(name) or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in pinned, f"{name} needs {needed}: make lock"


def test_both_packages_share_what_both_have() -> None:
    plain, jwks = map(locked, PAIRS.values())
    assert plain.items() <= jwks.items()
    assert "cryptography" in jwks.keys() - plain.keys()


def test_what_is_tested_is_what_is_shipped() -> None:
    """`make setup` installs by the lock. If this fails: make setup, or make lock."""
    for name, (version, _) in locked("requirements-jwks.lock").items():
        assert importlib.metadata.version(name) == version, name


def test_chalice_ships_itself_so_it_is_the_one_that_is_asked_for() -> None:
    (chalice,) = (r for r in asked_for("requirements-dev.txt") if r.name == "chalice")
    assert str(chalice.specifier) == f"=={importlib.metadata.version('chalice')}"


@pytest.mark.parametrize("jwks", [True, False])
def test_the_package_is_made_by_its_lock(tmp_path: Path, jwks: bool) -> None:
    options = PackagingOptions(jwks=jwks)
    lay_out(tmp_path / "project", options)
    assert (tmp_path / "project/requirements.txt").read_text() == lock_path(options).read_text()


@pytest.mark.parametrize(
    ("python", "newest", "too_new"),
    [((3, 11), "manylinux_2_26_aarch64", "2_27"), ((3, 12), "manylinux_2_34_aarch64", "2_35")],
)
def test_wheels_are_those_that_lambdas_linux_runs(
    python: tuple[int, int], newest: str, too_new: str
) -> None:
    tags = Platform("arm64", python).tags
    assert tags[0] == newest
    assert tags[-2:] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]
    assert not [tag for tag in tags if too_new in tag]


def test_platforms_of_both_processors_are_named_as_pip_knows_them() -> None:
    for architecture, machine in (("arm64", "aarch64"), ("x86_64", "x86_64")):
        platforms = Platform(architecture, (3, 11)).tags
        tags = {
            str(tag)
            for tag in (
                *cpython_tags((3, 11), ["cp311"], platforms),
                *compatible_tags((3, 11), "cp311", platforms),
            )
        }
        assert f"cp311-cp311-manylinux_2_17_{machine}" in tags
        assert f"cp311-abi3-manylinux2014_{machine}" in tags
        assert "py3-none-any" in tags


def test_what_has_another_hash_is_not_shipped(tmp_path: Path) -> None:
    """Without PyPI: a package of another content stands where pip looks for packages."""
    wheel = tmp_path / "wheels" / "shipped-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"changed since")
    lock_ = tmp_path / "requirements.txt"
    lock_.write_text(f"shipped @ {wheel.as_uri()} --hash=sha256:{'0' * 64}\n")
    with pytest.raises(DependenciesError, match=r"(?i)hash"):
        install_dependencies(lock_, Platform("arm64", sys.version_info[:2]), tmp_path / "found")
    assert not (tmp_path / "found" / "key.txt").exists()
