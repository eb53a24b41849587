"""Which Chalice route a REST path leads to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True)
class Match:
    """A route's pattern and the decoded values of its `{captures}`."""

    pattern: str
    parameters: dict[str, str]


class RouteTable:
    """Route patterns such as `/v1/orders/{id}`; literal segments win over captures.

    Chalice's own matcher leaks captures of routes it tried before, and reads `//host` as a host.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._routes = sorted(
            ((pattern, _segments(pattern)) for pattern in patterns),
            key=lambda route: [_is_capture(segment) for segment in route[1]],
        )

    def match(self, path: str) -> Match | None:
        """Match a raw path; a trailing slash counts for nothing."""
        segments = _segments(path)
        for pattern, parts in self._routes:
            parameters = _match(parts, segments)
            if parameters is not None:
                return Match(pattern, parameters)
        return None


def _match(parts: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(parts) != len(segments):
        return None
    parameters = {}
    for part, segment in zip(parts, segments, strict=True):
        if _is_capture(part):
            if not segment:
                return None
            parameters[part[1:-1]] = unquote(segment)
        elif part != segment:
            return None
    return parameters


def _segments(path: str) -> list[str]:
    trimmed = path[:-1] if path.endswith("/") else path
    return trimmed.split("/")[1:]


def _is_capture(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")
