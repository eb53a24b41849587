"""Literal WebSocket paths, rewritten to the stage as a CloudFront function would.

A WebSocket API serves one path, `/{stage}`. A rule gives it another name and moves what the path
says into the query, where `$connect` can read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote

_CAPTURE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Demand:
    """A query name and the one value that is taken for it.

    Another value is refused with a status and a JSON text, for a WebSocket too. A request without
    the name passes.
    """

    name: str
    value: str
    refusal: tuple[int, str]

    def find_refusal(self, query: Mapping[str, Sequence[str]]) -> tuple[int, str] | None:
        """Return the refusal, or None where the query gives the value, or the name not at all."""
        given = query.get(self.name)
        return self.refusal if given and given[-1] != self.value else None


@dataclass(frozen=True)
class PathRule:
    """One WebSocket path, such as `PathRule("/ws/driver/{token}", {"contract": "drivers"})`.

    `{name}` captures one path segment into the query name `name`; `query` is added as it is. Both
    replace a client's own values of the same name. A trailing slash is optional. `otherwise` is a
    status and a JSON text for requests that ask for no WebSocket, sent on to `location` if there is
    one; `demand` comes before it.
    Raises ValueError for a pattern that does not start with a slash or names a capture twice.
    """

    pattern: str
    query: Mapping[str, str] = field(default_factory=dict)
    otherwise: tuple[int, str] | None = None
    demand: Demand | None = None
    location: str = ""

    def __post_init__(self) -> None:
        if not self.pattern.startswith("/"):
            raise ValueError(f"a path rule starts with '/', not {self.pattern!r}")
        names = [*_CAPTURE.findall(self.pattern), *self.query]
        if len(names) != len(set(names)):
            raise ValueError(f"path rule {self.pattern!r} sets a query name twice")

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled pattern, one group per capture."""
        parts = _CAPTURE.split(self.pattern.rstrip("/"))
        literal = "".join(
            re.escape(part) if i % 2 == 0 else f"(?P<{part}>[^/]+)" for i, part in enumerate(parts)
        )
        return re.compile(literal + "/?")

    def match_path(self, path: str) -> dict[str, str] | None:
        """Return the query values this rule adds for a raw path, or None if it does not match."""
        found = self.regex.fullmatch(path)
        if found is None:
            return None
        return {**self.query, **{name: unquote(text) for name, text in found.groupdict().items()}}


@dataclass(frozen=True)
class RewrittenPath:
    """A path that leads to the stage.

    `pattern` is the rule's, safe to log; `query` the one to use. `refusal` is the answer if the
    rule refuses this query, `otherwise` the answer to a request that asks for no WebSocket.
    """

    pattern: str
    query: dict[str, list[str]]
    refusal: tuple[int, str] | None = None
    otherwise: tuple[int, str] | None = None
    location: str = ""


def rewrite_path(
    rules: Sequence[PathRule], path: str, query: Mapping[str, Sequence[str]]
) -> RewrittenPath | None:
    """Apply the first rule that matches a raw path; None when none does."""
    for rule in rules:
        added = rule.match_path(path)
        if added is not None:
            kept = {name: list(values) for name, values in query.items() if name not in added}
            return RewrittenPath(
                rule.pattern,
                {**kept, **{name: [value] for name, value in added.items()}},
                rule.demand.find_refusal(query) if rule.demand else None,
                rule.otherwise,
                rule.location,
            )
    return None


def stage_rules(stage: str, rules: Iterable[PathRule] = ()) -> tuple[PathRule, ...]:
    """Return the rules with the stage's own path last, as AWS serves it."""
    return (*rules, PathRule(f"/{stage}"))
