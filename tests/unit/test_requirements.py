"""Every number that a test cites is in docs/requirements.md, and every requirement has a test."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
PAGE = HOME / "docs" / "requirements.md"
NUMBER = re.compile(r"\b(S[0-4]-\d\d|P-\d\d|X\d{1,2})\b")
RANGE = re.compile(r"\b(S[0-4])-(\d\d) to (S[0-4])-(\d\d)\b")
LETTER = re.compile(r"\bAmbiguity ([a-z])\b")

# Held by what they are about rather than by a test that names them.
HELD_OTHERWISE = {
    "X2": "the policies of the flows",
    "X3": "each contract's table of statuses",
    "X4": "each contract's table of statuses",
    "X5": "one module a contract",
    "X6": "the handshake tests of each contract",
    "X7": "the samples of each contract",
    "X8": "the routes",
    "X9": "the samples of each contract",
    "X10": "S1-14 and S3-26",
    "X11": "the samples of each contract",
    "X12": "S2-02, S3-06 and S4-08",
    "X13": "S0-21 and S3-18",
    "X14": "S0-13 and S3-18",
    "X15": "the roles of a token",
}


@lru_cache
def cited() -> frozenset[str]:
    texts = (p.read_text() for p in (HOME / "tests").rglob("*.py") if p != Path(__file__))
    return frozenset(number for text in texts for number in [*NUMBER.findall(text), *within(text)])


def within(text: str) -> list[str]:
    """What `S0-19 to S0-24` stands for."""
    return [
        f"{spec}-{n:02}"
        for spec, first, _, last in RANGE.findall(text)
        for n in range(int(first), int(last) + 1)
    ]


def defined() -> set[str]:
    return {
        number
        for line in PAGE.read_text().splitlines()
        if line.startswith("- ")
        for number in NUMBER.findall(line.partition(" ")[2].partition(" ")[0])
    }


def test_what_is_cited_is_written_down() -> None:
    assert cited() - defined() == set()


def test_what_is_required_is_tested() -> None:
    assert defined() - cited() - HELD_OTHERWISE.keys() == set()


def test_each_cited_ambiguity_has_a_reading() -> None:
    letters = set(re.findall(r"^- ([a-z])\. ", PAGE.read_text(), re.MULTILINE))
    for path in (HOME / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert set(LETTER.findall(path.read_text())) <= letters, path
