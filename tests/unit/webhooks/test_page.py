"""The page for those who receive webhooks."""

from __future__ import annotations

import re
from pathlib import Path

from chalicelib.domain.webhooks.endpoint import MAX_ENDPOINTS, MAX_SECRETS
from chalicelib.domain.webhooks.event_types import EVENT_TYPES
from chalicelib.domain.webhooks.schedule import PAUSES
from chalicelib.edge.rest import webhooks
from chalicelib.services.webhooks.replaying import PAGE as REPLAYED

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()


def test_it_has_every_type_once() -> None:
    table = PAGE.partition("## Types")[2].partition("## Endpoints")[0]
    listed = [t for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for t in _names(row)]
    assert sorted(listed) == sorted(EVENT_TYPES)


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_it_has_every_route() -> None:
    for route in webhooks.ROUTES:
        tail = route.path.removeprefix("/v1/webhooks").replace("{endpoint_id}", "{id}")
        assert (
            f"`{route.method} /api/v1/webhooks{tail}" in PAGE or f"{route.method} …{tail}" in PAGE
        )


def test_its_numbers_are_those_of_the_code() -> None:
    written = ("5 s", "5 min", "30 min", "2 h", "5 h", "10 h", "14 h", "20 h", "24 h")
    assert f"| at once | {' | '.join(written)} |" in PAGE
    unit_s = {"s": 1, "min": 60, "h": 3600}
    assert [int(n) * unit_s[u] for n, u in map(str.split, written)] == [
        pause.total_seconds() for pause in PAUSES
    ]
    assert (MAX_ENDPOINTS, MAX_SECRETS, REPLAYED) == (20, 5, 500)
