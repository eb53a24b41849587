"""Texts that people type: what can't be seen, telephone numbers, pictures, and plain numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.base import format_number, read_number, read_optional_text, read_text
from chalicelib.contracts.contacts import read_optional_url, read_phone
from chalicelib.errors import InvalidInput

INVISIBLE = (
    *(
        "\u200b",
        "\u200c\u200d",
        "\u00ad",
        "\u2060",
        "\ufeff",
        "\ufe0f",
        "\U000e0100",
        "\u200e\u200f",
    ),
    *("\u202a\u202c", "\u2066\u2069", "\u034f", "\u061c", "\u115f", "\u1160", "\u3164", "\uffa0"),
    *("\u180e", "\u180b", "\u2800", "\u00a0", "\u3000", "\u2028", "\U000e0041", "\ufff9", "\u17b4"),
    *(" \u200b ", "\u200b\u00a0\u200b", "\n\u2060\t", "\ufffc"),
)


@pytest.mark.parametrize("value", INVISIBLE, ids=ascii)
def test_a_text_of_which_nothing_can_be_seen_is_none(value: str) -> None:
    assert read_optional_text(value, "name") is None
    with pytest.raises(InvalidInput, match="name is required"):
        read_text(value, "name")
    for read in (read_phone, read_text):
        with pytest.raises(InvalidInput):
            read(value * 3, "name")


@pytest.mark.parametrize("value", ["\u2764\ufe0f", "a\u200db", "\u0645\u200c\u0646", "-", "\u0301"])
def test_what_can_be_seen_is_kept_with_what_joins_it(value: str) -> None:
    assert read_text(f" {value} ", "name") == value


PHONES = [
    *("+4930123456", "+1", "+491", "112", "004930123456", "030 123456", "+1 (555) 010-0000"),
    *("(030) 12 34 56", "030/123.456", "+49\u00a030\u00a0123", "+49\u201130\u2013123", "1" * 15),
    *("0049" + "1" * 13, "+91-98765-43210", "(+49) 30 123", "+998901234567", "+911234567890"),
]


@pytest.mark.parametrize("value", PHONES)
def test_a_telephone_number_is_kept_as_it_is_written(value: str) -> None:
    assert read_phone(f"  {value} ", "phone") == value


def test_marks_that_contact_books_put_around_a_number_are_dropped() -> None:
    assert read_phone("\u202a+1 555 0100\u202c", "phone") == "+1 555 0100"


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", " ", 5, 4930123456, True, [], {}, "abc", "+", "call me", "++49", "49+30", "-"),
        *("+49 30 abc", "555-CALL", "1" * 16, "+" + "1" * 16, "\u0661\u0662\u0663\u0664\u0665"),
        *(
            "\uff11\uff12\uff13",
            "12345;ext=6",
            "tel:+4930",
            "1,2",
            "#31#",
            "00",
            "()",
            "1\n2",
            "...",
        ),
        *("<script>", "+49\x00", "5" + " " * 60 + "5", "\u200b+"),
    ],
    ids=ascii,
)
def test_what_is_no_telephone_number_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_phone(value, "phone")
    assert refused.value.details == {"field": "phone"}


@pytest.mark.parametrize(
    "value",
    [
        *("https://p.example/dan.png", "http://p.example", "HTTPS://P.example/a?b=c#d"),
        *("https://p.example:8443/x", "http://127.0.0.1:8000/x", "https://[::1]/x"),
        *("https://b\u00fccher.example/\u00fc.png", "https://p.example/%20x"),
    ],
)
def test_a_picture_is_an_http_url(value: str) -> None:
    assert read_optional_url(f" {value} ", "picture") == value
    assert read_optional_url(None, "picture") is read_optional_url(" \u200b", "picture") is None


@pytest.mark.parametrize(
    "value",
    [
        *(
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\nscript:alert(1)",
            "data:image/png,x",
        ),
        *(
            "file:///etc/passwd",
            "blob:https://x/y",
            "ftp://x/y",
            "//x/y",
            "x.png",
            "/x.png",
            "http:",
        ),
        *(
            "http://",
            "https:///x",
            "http:/x",
            "https:x",
            "https:\\\\x\\y",
            "https://x y",
            "https://",
        ),
        *("https://x/\ty", "https://x/\"onload='a'", "https://<x>", "http://[::1", "http://x:y"),
        *("http://x:99999/", "https://?a", "https://#", "https://:80/", "about:blank", 5, [], True),
        *("https://x/" + "y" * 2000, "view-source:http://x", "http\u200b://x", "\u0000http://x"),
    ],
    ids=ascii,
)
def test_what_no_client_can_show_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_optional_url(value, "picture")
    assert refused.value.details == {"field": "picture"}


@given(st.text() | st.text("htps:/[]@.%\\ \n0x"))
def test_any_text_is_a_url_or_refused(value: str) -> None:
    for text_ in (value, f"http://{value}"):
        try:
            found = read_optional_url(text_, "picture")
        except InvalidInput:
            continue
        assert found is None or found.lower().startswith(("http://", "https://"))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (1000000.0, "1,000,000"),
        (0.01, "0.01"),
        (-90, "-90"),
        (1000000000.0, "1,000,000,000"),
        (12345.5, "12,345.5"),
        (360, "360"),
    ],
)
def test_numbers_are_written_plainly(value: float, written: str) -> None:
    assert format_number(value) == written


@pytest.mark.parametrize("value", [-1, 1e308, 1e6 + 1, "x", None])
def test_an_error_says_the_bounds_plainly(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"a number from 0 to 1,000,000\.$"):
        read_number(value, "price", 0, 1e6)
