"""The pictures of the documentation."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from infra.pictures.png import read_pixels, shrink_png

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_each_picture_is_small_and_shown() -> None:
    shown = (DOCS / "console.md").read_text()
    for picture in (DOCS / "pictures").iterdir():
        assert picture.stat().st_size < 200_000, picture
        assert f"(pictures/{picture.name})" in shown


def test_a_picture_is_read_whatever_was_done_to_its_rows() -> None:
    """Five rows of two pixels, each made small in another of the format's ways."""
    plain = ((0, 9, 9, 9, 8, 8, 8), (1, 9, 9, 9, 255, 255, 255), (2, 0, 0, 0, 0, 0, 0))
    guessed = ((3, 5, 5, 5, 0, 0, 0), (4, 0, 0, 0, 0, 0, 0))
    data = make_png(2, 5, b"".join(map(bytes, (*plain, *guessed))))
    nine, eight = b"\x09" * 3, b"\x08" * 3
    assert read_pixels(data) == (2, 5, [nine, eight] * 5)
    assert shrink_png(data)[:8] == data[:8]


def make_png(width: int, height: int, raw: bytes) -> bytes:
    """Make a picture of filtered rows of RGB."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    made = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        made += struct.pack(">I", len(body)) + name + body + bytes(4)  # its sum is not looked at
    return made
