"""The word `Bearer`: before a token in a header, and before one that stands anywhere else."""

from __future__ import annotations

import pytest

from chalicelib.edge.bearer import read_bearer_token, strip_bearer


@pytest.mark.parametrize(
    "word", ["Bearer ", "bearer ", "BEARER ", "bEaReR  ", "Bearer\t", " Bearer "]
)
def test_the_word_may_come_before_a_token_in_any_case(word: str) -> None:
    assert strip_bearer(f"{word}a.b.c") == read_bearer_token(f"{word}a.b.c") == "a.b.c"


@pytest.mark.parametrize("text", ["a.b.c", " a.b.c ", "a.b.c\n"])
def test_outside_a_header_it_may_be_left_out(text: str) -> None:
    assert strip_bearer(text) == "a.b.c"
    assert read_bearer_token(text) is None


@pytest.mark.parametrize("text", [None, "", " ", "Bearer", "bearer ", "  BEARER  "])
def test_the_word_alone_is_no_token(text: str | None) -> None:
    assert strip_bearer(text) == ""
    assert read_bearer_token(text) is None


@pytest.mark.parametrize("text", ["Bearera.b.c", "Bearer:a", "Basic a", "Token a", "bearer-x"])
def test_another_word_is_not_taken_for_it(text: str) -> None:
    assert strip_bearer(text) == text
    assert read_bearer_token(text) is None


def test_it_is_taken_off_once() -> None:
    assert strip_bearer("Bearer Bearer x") == "Bearer x"
