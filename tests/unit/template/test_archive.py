"""The zip that is deployed: what is left out, what is compiled, and that it does not change."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.package.archive import is_needed, shrink_zip
from infra.package.project import HOME

GIVEN = {
    "app.py": "x = 1\n",
    "chalicelib/wiring.py": "y = 2\n",
    "botocore/data/dynamodb/2012-08-10/service-2.json.gz": "d",
    "botocore/data/ec2/2016-11-15/service-2.json.gz": "e",
    "botocore/data/endpoints.json": "{}",
    "botocore/cacert.pem": "c",
    "h3-4.5.0.dist-info/METADATA": "Name: h3\n",
    "h3-4.5.0.dist-info/RECORD": "r",
    "h3/tests/test_h3.py": "t",
    "h3/_cy/cells.pyx": "p",
    "pynamodb/py.typed": "",
}


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A zip as Chalice makes it, in small."""
    path = tmp_path / "given.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name, text in GIVEN.items():
            made.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("botocore/data/sqs/2012-11-05/service-2.json.gz", True),
        ("botocore/data/partitions.json", True),
        ("botocore/data/s3/2006-03-01/service-2.json.gz", True),
        ("botocore/data/ec2/2016-11-15/service-2.json.gz", False),
        ("jwt/api_jwt.py", True),
        ("six.py", True),
        ("chalicelib/", False),
        ("pynamodb-6.1.0.dist-info/METADATA", True),
        ("pynamodb-6.1.0.dist-info/WHEEL", False),
        ("chalicelib/__pycache__/x.cpython-311.pyc", False),
        ("bin/jp.py", False),
        ("key.txt", False),
        ("msgspec/_core.cpython-311-aarch64-linux-gnu.so", True),
    ],
)
def test_what_is_shipped(name: str, needed: bool) -> None:
    assert is_needed(name) is needed


def test_everything_is_compiled_and_never_checked_again(given: Path, tmp_path: Path) -> None:
    shrink_zip(given, tmp_path / "made.zip")
    with zipfile.ZipFile(tmp_path / "made.zip") as made:
        compiled = [name for name in made.namelist() if name.endswith(".pyc")]
        assert len(compiled) == 2
        for name in compiled:
            magic, flags = struct.unpack("<4sI", made.read(name)[:8])
            assert magic == importlib.util.MAGIC_NUMBER
            assert flags == 0b01  # by hash, and the hash is not looked at (PEP 552)


def test_the_rest_is_left_out(given: Path, tmp_path: Path) -> None:
    shrink_zip(given, tmp_path / "made.zip")
    with zipfile.ZipFile(tmp_path / "made.zip") as made:
        names = set(made.namelist())
    assert {name for name in GIVEN if name not in names} == {
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "h3-4.5.0.dist-info/RECORD",
        "h3/tests/test_h3.py",
        "h3/_cy/cells.pyx",
        "pynamodb/py.typed",
    }


def test_the_same_input_makes_the_same_zip(given: Path, tmp_path: Path) -> None:
    """Or every deployment would replace every function."""
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    assert shrink_zip(given, one) == shrink_zip(given, two) == one.stat().st_size
    assert one.read_bytes() == two.read_bytes()


def test_who_packages_does_not_matter_either(given: Path, tmp_path: Path) -> None:
    """Neither what that process has imported before nor how it orders its sets."""
    with zipfile.ZipFile(given, "a") as made:
        made.writestr("chalicelib/m.py", "def f(text):\n    return '{' in text\n")
    code = "import sys, pathlib; from infra.package.archive import shrink_zip; "
    code += "shrink_zip(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    found = set()
    for seed, before in (("1", ""), ("2", "import sys; sys.intern('{'); ")):
        target = tmp_path / f"{seed}.zip"
        subprocess.run(
            [sys.executable, "-c", before + code, str(given), str(target)],
            cwd=HOME,
            env={"PYTHONHASHSEED": seed},
            check=True,
        )
        found.add(target.read_bytes())
    assert len(found) == 1
