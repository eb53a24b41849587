"""What JSON is read, and what is refused before."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.json_text import MAX_BYTES, MAX_DEPTH, decode_json
from chalicelib.errors import InvalidInput, PayloadTooLarge


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":[', "]}")])
@pytest.mark.parametrize("form", [str, str.encode])
def test_it_is_read_as_deep_as_it_may_be(pair: tuple[str, str], form: type) -> None:
    levels = pair[0].count("[") + pair[0].count("{")
    assert decode_json(form(nested(MAX_DEPTH // levels, *pair)), "It") is not None
    with pytest.raises(InvalidInput, match="It is nested too deeply: at most 64 levels") as refused:
        decode_json(form(nested(MAX_DEPTH // levels + 1, *pair)), "It")
    assert refused.value.http_status == 400


@pytest.mark.parametrize("depth", [1000, 10_000, 30_000])
@pytest.mark.parametrize("text", ["[", '{"a":', "[{", '["\\"",['])
def test_however_deep_it_is_refused_in_words(text: str, depth: int) -> None:
    with pytest.raises(InvalidInput, match=r"nested too deeply|at most 65536 bytes"):
        decode_json(text * depth, "It")


def test_brackets_in_texts_are_no_levels() -> None:
    sent = {"a": "[" * 1000, '{\\"' * 100: ["\\", '"' + "[{" * 100]}
    assert decode_json(json.dumps(sent), "It") == sent


def test_many_things_side_by_side_are_no_levels() -> None:
    sent: list[Any] = [[{}]] * 1000
    assert decode_json(json.dumps(sent), "It") == sent


def test_what_is_too_large_is_413_whatever_it_is() -> None:
    for sent in (b"x" * (MAX_BYTES + 1), "[" * (MAX_BYTES + 1), "é" * (MAX_BYTES // 2 + 1)):
        with pytest.raises(PayloadTooLarge) as refused:
            decode_json(sent, "It")
        assert refused.value.http_status == 413
    assert decode_json('"' + "x" * (MAX_BYTES - 2) + '"', "It")


@pytest.mark.parametrize(
    "sent", [b"", b"{", b"\xff\xfe", "\ud800", '"\ud800"', "{} {}", "NaN", "'a'"]
)
def test_what_is_no_json_is_said_to_be_none(sent: bytes | str) -> None:
    with pytest.raises(InvalidInput, match="It is not valid JSON"):
        decode_json(sent, "It")


@given(st.text(alphabet='[]{}",:\\a1', max_size=400) | st.binary(max_size=200))
def test_nothing_else_is_ever_raised(sent: bytes | str) -> None:
    with suppress(InvalidInput):
        decode_json(sent, "It")
