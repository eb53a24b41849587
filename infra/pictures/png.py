"""PNG pictures of a page, made small: 256 colours are enough for one, and take a third."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = 256
_CHANNELS = {2: 3, 6: 4}  # of a picture's type: RGB, RGBA


def shrink_png(data: bytes) -> bytes:
    """Make a picture of at most 256 colours of one that a browser took. Its most frequent colours
    stay; each other one becomes the nearest of them."""
    width, height, pixels = read_pixels(data)
    counted = Counter(pixels)
    palette = [colour for colour, _ in counted.most_common(_COLOURS)]
    numbers = {colour: number for number, colour in enumerate(palette)}
    for colour in counted:
        if colour not in numbers:
            numbers[colour] = _find_nearest(colour, palette)
    indexes = bytes(numbers[colour] for colour in pixels)
    rows = b"".join(b"\0" + indexes[at : at + width] for at in range(0, len(indexes), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return _SIGNATURE + b"".join(_make_chunk(name, body) for name, body in chunks)


def read_pixels(data: bytes) -> tuple[int, int, list[bytes]]:
    """Read width, height and the colour of each pixel. Raises ValueError."""
    chunks = dict[bytes, bytes]()
    for name, body in _read_chunks(data):
        chunks[name] = chunks.get(name, b"") + body
    width, height, depth, kind, *_, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if depth != 8 or kind not in _CHANNELS or interlaced:
        raise ValueError("This is no picture as Chromium takes it.")
    step = _CHANNELS[kind]
    rows = _undo_filters(zlib.decompress(chunks[b"IDAT"]), width * step, step)
    return width, height, [row[at : at + 3] for row in rows for at in range(0, len(row), step)]


def _find_nearest(colour: bytes, palette: list[bytes]) -> int:
    red, green, blue = colour
    return min(
        range(len(palette)),
        key=lambda n: (
            2 * (palette[n][0] - red) ** 2
            + 4 * (palette[n][1] - green) ** 2
            + (palette[n][2] - blue) ** 2
        ),
    )


def _read_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += length + 12


def _make_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _undo_filters(raw: bytes, length: int, step: int) -> Iterator[bytes]:
    """Undo what was done to each row to make it compress better (PNG, 9.2)."""
    above = bytes(length)
    for at in range(0, len(raw), length + 1):
        kind, row = raw[at], bytearray(raw[at + 1 : at + 1 + length])
        for n in range(length) if kind else ():
            left = row[n - step] if n >= step else 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = above[n]
            elif kind == 3:
                guess = (left + above[n]) // 2
            else:
                guess = _guess_by_paeth(left, above[n], above[n - step] if n >= step else 0)
            row[n] = (row[n] + guess) & 255
        above = bytes(row)
        yield above


def _guess_by_paeth(left: int, up: int, corner: int) -> int:
    sum_ = left + up - corner
    by_left, by_up, by_corner = abs(sum_ - left), abs(sum_ - up), abs(sum_ - corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner
