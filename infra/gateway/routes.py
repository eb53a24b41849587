"""Match REST requests with Chalice's routes, as API Gateway does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Match:
    """A route's pattern and the values of its `{captures}`, percent-encoded as they were sent."""

    pattern: str
    parameters: dict[str, str]

    @property
    def is_greedy(self) -> bool:
        """True for a route that takes whatever no other has."""
        return _is_greedy(self.pattern)


class RouteTable:
    """Route patterns such as `/v1/orders/{id}`, each with its methods.

    Literal segments win over captures, and both over a greedy `{name+}` at the end. API Gateway
    matches path and method together: where the best path lacks the method, a greedy path that has
    it serves the request.

    Chalice's own matcher leaks captures of routes it tried before, and reads `//host` as a host.
    """

    def __init__(self, routes: Mapping[str, Collection[str]]) -> None:
        self._methods = dict(routes)
        split = {pattern: _split_path(pattern) for pattern in routes}
        greedy = {pattern for pattern, parts in split.items() if parts and _is_greedy(parts[-1])}
        self._plain = sorted(
            ((pattern, parts) for pattern, parts in split.items() if pattern not in greedy),
            key=lambda route: [_is_capture(segment) for segment in route[1]],
        )
        self._greedy = sorted(
            ((pattern, split[pattern]) for pattern in greedy), key=lambda route: -len(route[1])
        )

    def match(self, method: str, path: str) -> Match | None:
        """Match a method and a raw path; a trailing slash counts for nothing."""
        segments = _split_path(path)
        for pattern, parts in self._plain:
            parameters = _match_segments(parts, segments)
            if parameters is not None:
                if method in self._methods[pattern]:
                    return Match(pattern, parameters)
                break
        # What a greedy path would take elsewhere, it can't at the root: `/{name+}` captures
        # something. There the application refuses it itself, as it does where a path has ANY.
        if not segments and any(method in self._methods[each] for each, _ in self._greedy):
            return Match("/", {}) if "/" in self._methods else None
        for pattern, (*before, last) in self._greedy:
            rest = "/".join(segments[len(before) :])
            parameters = _match_segments(before, segments[: len(before)])
            if parameters is not None and rest and method in self._methods[pattern]:
                return Match(pattern, {**parameters, last[1:-2]: rest})
        return None


def _match_segments(parts: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(parts) != len(segments):
        return None
    parameters = {}
    for part, segment in zip(parts, segments, strict=True):
        if _is_capture(part):
            if not segment:
                return None
            parameters[part[1:-1]] = segment
        elif part != segment:
            return None
    return parameters


def _split_path(path: str) -> list[str]:
    trimmed = path[:-1] if path.endswith("/") else path
    return trimmed.split("/")[1:]


def _is_capture(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def _is_greedy(segment: str) -> bool:
    return segment.endswith("+}")
