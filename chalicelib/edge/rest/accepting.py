"""What a client would rather be answered with, a page or JSON: its Accept (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_JSON, _HTML = "application/json", "text/html"
_LONGEST = 1000  # characters that are looked at; browsers send some 150
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def wants_json(accept: str | None) -> bool:
    """Say whether a client names JSON, and does not name a page first, or more."""
    return _find_favourite(accept) == _JSON


def wants_page(accept: str | None) -> bool:
    """Say whether a client names a page, and does not name JSON first, or more."""
    return _find_favourite(accept) == _HTML


def _find_favourite(accept: str | None) -> str | None:
    """Find which of the two has the greater weight; of equals the one that is named first."""
    weights = _read_weights(accept or "")
    named = [kind for kind, weight in weights.items() if kind in (_JSON, _HTML) and weight > 0]
    return max(named, key=lambda kind: weights[kind], default=None)


def _read_weights(accept: str) -> Mapping[str, float]:
    """Read what is named, in its order, with its weight: 1 where none is given, or one that makes
    no sense. Wildcards are kept as they are: neither is named by them."""
    weights: dict[str, float] = {}
    for part in accept[:_LONGEST].lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        given = [found[1] for one in parameters if (found := _WEIGHT.fullmatch(one))]
        weights.setdefault(kind, float(given[0]) if given else 1.0)
    return weights
