"""Signing in to the console in a real browser: by an identity provider, by address, by paste."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.chromium import Page, browser, executable
from tests.e2e.conftest import Stack, wait_for
from tests.e2e.identity_provider import API, CLIENT, IdentityProvider, serve_provider

# What the console does with the module, without the rest of the console.
SIGN_IN = """
import("/api/console/signin.js").then(({ signIn }) => {
  const place = document.createElement("div");
  place.id = "place";
  document.body.append(place);
  signIn(place).then((session) => { window.session = session; });
})
"""
ASK = """
session.token().then((token) => fetch("/api/websocket/stats", {
  headers: { Authorization: `Bearer ${token}` },
})).then((answer) => answer.status)
"""
WORDS = "document.querySelector('#place [role=alert]')?.textContent"
IS_IN = "typeof session"
KEPT = "JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab in a real browser."""
    program = executable()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with browser(program, tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    """An identity provider."""
    with serve_provider() as serving:
        yield serving


@pytest.fixture(scope="module")
def console(
    provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A Waybill whose people sign in there."""
    settings = {
        "ENGINE": "moto",
        "JWT_SECRET": "",
        "JWT_JWKS_URL": f"{provider.url}/keys",
        "JWT_ISSUER": provider.url,
        "JWT_AUDIENCE": API,
        "OIDC_ISSUER": provider.url,
        "OIDC_CLIENT_ID": CLIENT,
    }
    stack = Stack(tmp_path_factory.mktemp("console"), settings)
    try:
        yield stack.await_ready()
    finally:
        stack.stop()


def is_in(page: Page) -> bool:
    return bool(page.run(IS_IN) == "object")


def go(page: Page, console: Stack) -> None:
    """Open the console, press the button, and be back."""
    page.open(f"{console.url}/api/console")
    page.run(SIGN_IN)
    wait_for(lambda: page.run("!!document.querySelector('#place button')"))
    page.run("history.replaceState(null, '', '#zone=all')")
    page.run("setTimeout(() => document.querySelector('#place button').click())")
    wait_for(lambda: "state=" in here(page))
    page.run(SIGN_IN)


def here(page: Page) -> str:
    return str(page.run("document.readyState == 'complete' ? location.href : ''"))


def test_an_admin_signs_in_by_the_identity_provider(
    page: Page, console: Stack, provider: IdentityProvider
) -> None:
    go(page, console)
    wait_for(lambda: is_in(page))
    assert page.run(ASK) == 200
    assert here(page) == f"{console.url}/api/console#zone=all"
    assert json.loads(page.run(KEPT)) == [{}, {}, ""]
    assert page.run("document.querySelector('#place').hidden")
    asked = provider.asked[-1]
    assert asked["redirect_uri"] == f"{console.url}/api/console"
    assert asked["scope"] == "openid profile"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3


def test_a_token_is_renewed_before_it_ends(
    page: Page, console: Stack, provider: IdentityProvider
) -> None:
    provider.lasts_s = 2
    go(page, console)
    wait_for(lambda: is_in(page))
    provider.grants.clear()
    provider.lasts_s = 300
    first = page.run("session.token()")
    both = "Promise.all([session.token(), session.token()])"
    wait_for(lambda: first not in page.run(both), within_s=5)
    # Two that ask at once take one refresh token: it is good once.
    assert provider.grants == ["refresh_token"]
    assert page.run(ASK) == 200


def test_without_a_refresh_token_the_provider_is_asked_silently(
    page: Page, console: Stack, provider: IdentityProvider
) -> None:
    provider.gives_refresh_tokens, provider.lasts_s = False, 1
    go(page, console)
    wait_for(lambda: is_in(page))
    provider.lasts_s = 300
    wait_for(lambda: "state=" in here(page), within_s=12)
    page.run(SIGN_IN)
    wait_for(lambda: is_in(page))
    assert provider.asked[-1]["prompt"] == "none"
    assert page.run(ASK) == 200
    provider.gives_refresh_tokens = True


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "another"}, "not begun in this tab"),
        ({"iss": "https://evil.example.com"}, "Another issuer has answered"),
        ({"code": "stolen"}, "no such grant"),
        ({"error": "access_denied"}, "refused to sign you in"),
    ],
)
def test_another_answer_signs_nobody_in(
    page: Page, console: Stack, provider: IdentityProvider, changes: dict[str, str], words: str
) -> None:
    provider.changes = changes
    try:
        go(page, console)
        wait_for(lambda: words in (page.run(WORDS) or ""))
    finally:
        provider.changes = {}
    assert not is_in(page)
    assert "?" not in here(page)
    assert page.run("sessionStorage.length") == 0
    # The way is open to try again.
    page.run("setTimeout(() => document.querySelector('#place button').click())")
    wait_for(lambda: "state=" in here(page))
    page.run(SIGN_IN)
    wait_for(lambda: is_in(page))


def test_the_address_brings_a_token_and_loses_it_at_once(stack: Stack, page: Page) -> None:
    """As `make run` prints it: by whoever has no profile, too."""
    token = stack.token("admin", "ada")
    page.open("about:blank")
    page.run(f"location.href = '{stack.url}/api/console#token={token}'")
    wait_for(lambda: "/api/console" in here(page))
    page.run(SIGN_IN)
    wait_for(lambda: is_in(page))
    assert here(page) == f"{stack.url}/api/console"
    assert page.run("session.token()") == token
    assert json.loads(page.run(KEPT)) == [{}, {}, ""]
    assert page.run(ASK) == 200


def test_a_token_is_pasted_where_there_is_no_provider(stack: Stack, page: Page) -> None:
    page.open(f"{stack.url}/api/console?paste")
    page.run(SIGN_IN)
    paste(page, "this is none")
    wait_for(lambda: page.run(WORDS) == "This is no token.")
    token = stack.token("merchant", "m1")
    paste(page, token)
    wait_for(lambda: is_in(page))
    assert page.run("session.token()") == token


def paste(page: Page, token: str) -> None:
    wait_for(lambda: page.run("!!document.querySelector('#place input')"))
    page.run(f"document.querySelector('#place input').value = '{token}'")
    page.run("document.querySelector('#place button').click()")


def test_settings_hold_no_secret(console: Stack, page: Page) -> None:
    page.open(f"{console.url}/api/console/settings.json")
    said: Any = json.loads(page.run("document.body.innerText"))
    assert said["oidc"].keys() == {"issuer", "client_id", "scope"}
