"""Which characters can be seen: a text of none is empty, however long it is."""

from __future__ import annotations

import unicodedata

# Unicode's Default_Ignorable_Code_Point beyond the format characters (Cf), the blanks of scripts
# that have letters for them (Hangul fillers, Braille's empty cell), and the object replacement
# character that dictation leaves.
_INVISIBLE_RANGES = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2065, 0x2065),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xFFFC, 0xFFFC),
    (0xE0000, 0xE0FFF),
)


def is_blank(text: str) -> bool:
    """Tell whether nothing of a text can be seen."""
    return all(character.isspace() or _is_invisible(character) for character in text)


def remove_invisible(text: str) -> str:
    """Return a text without the characters that take no room; spaces stay."""
    return "".join(character for character in text if not _is_invisible(character))


def _is_invisible(character: str) -> bool:
    if character.isascii():
        return False
    code = ord(character)
    return unicodedata.category(character) == "Cf" or any(
        a <= code <= b for a, b in _INVISIBLE_RANGES
    )
