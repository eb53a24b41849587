"""The front door: what `/` says, to people and to programs; and whether it is up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib.edge.rest.front import VERSION
from chalicelib.settings import OidcClient
from tests.functional.conftest import Engine
from tests.functional.world import World

HOME = Path(__file__).resolve().parents[2]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def front(world: World, accept: str | None) -> Any:
    return world.call("GET", "/", headers={} if accept is None else {"accept": accept})


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "", "x", "text/plain"])
def test_programs_are_told_as_json(world: World, accept: str | None) -> None:
    answer = front(world, accept)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert (answer.body["name"], answer.body["version"]) == ("Waybill", VERSION)
    for link in answer.body["links"].values():
        assert link.startswith("/api/")
        path = link.removeprefix("/api").removesuffix("/")
        assert world.call("GET", path).status == 200, link


def test_people_are_shown_a_page_that_runs_nothing(world: World) -> None:
    answer = front(world, BROWSER)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    assert "default-src 'none'; style-src 'self'" in answer.headers["content-security-policy"]
    assert 'href="/api/console"' in answer.text
    assert VERSION in answer.text
    assert world.call("GET", "/client/front.css").status == 200


def test_health_says_what_runs(world: World) -> None:
    answer = world.call("GET", "/health")
    assert (answer.status, answer.body) == (200, {"status": "ok", "version": VERSION})


def test_the_version_is_the_projects() -> None:
    assert f'\nversion = "{VERSION}"\n' in (HOME / "pyproject.toml").read_text()


# How the console learns by whom people sign in


def policy_of(world: World) -> list[str]:
    """What the console's page may ask."""
    policy = world.call("GET", "/console").headers["content-security-policy"]
    (found,) = [part.split() for part in policy.split(";") if "connect-src" in part]
    assert "unsafe" not in policy
    return list(found)


def test_without_an_identity_provider_the_console_asks_nobody_else(world: World) -> None:
    assert world.call("GET", "/console/settings.json").body == {}
    assert policy_of(world) == ["connect-src", "'self'", "ws:", "wss:"]


def test_the_console_may_ask_its_identity_provider(dynamo: Engine) -> None:
    oidc = OidcClient(
        "https://login.example.com/realm", "console", token_origin="https://tokens.example.com"
    )
    world = World(dynamo, {"oidc": oidc})
    assert world.call("GET", "/console/settings.json").body == {
        "oidc": {
            "issuer": "https://login.example.com/realm",
            "client_id": "console",
            "scope": "openid profile",
        }
    }
    asked = policy_of(world)
    assert {"https://login.example.com", "https://tokens.example.com"} < set(asked)
