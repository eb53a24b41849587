"""Signing in to the console in a real browser: by an identity provider, by address, by paste."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.pictures.chromium import Page, browser, executable
from tests.e2e.conftest import Stack, wait_for
from tests.e2e.identity_provider import API, CLIENT, IdentityProvider, serve_provider

WHO = "document.querySelector('#who').textContent"
WORDS = "document.querySelector('#sign-in [role=alert]')?.textContent"
BUTTON = "document.querySelector('#sign-in button')"
KEPT = "JSON.stringify([{...sessionStorage}, document.cookie])"


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
    return bool(page.run("document.querySelector('#gate')?.hidden"))


def go(page: Page, console: Stack) -> None:
    """Open the console, and press the button that leads to the provider."""
    page.open("about:blank")
    page.open(f"{console.url}/api/console")
    press(page)


def press(page: Page) -> None:
    wait_for(lambda: page.run(f"!!{BUTTON}"))
    page.run(f"setTimeout(() => {BUTTON}.click())")


def here(page: Page) -> str:
    return str(page.run("document.readyState == 'complete' ? location.href : ''"))


def test_an_admin_signs_in_by_the_identity_provider(
    page: Page, console: Stack, provider: IdentityProvider
) -> None:
    go(page, console)
    wait_for(lambda: is_in(page))
    assert page.run(WHO) == "ada, admin"
    assert here(page) == f"{console.url}/api/console"
    assert "waybill.sign-in" not in page.run(KEPT)
    (asked,) = provider.asked
    assert asked["redirect_uri"] == f"{console.url}/api/console"
    assert asked["scope"] == "openid profile"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert provider.grants == ["authorization_code"]


def test_a_token_is_renewed_before_it_ends(
    page: Page, console: Stack, provider: IdentityProvider
) -> None:
    provider.lasts_s = 2
    go(page, console)
    wait_for(lambda: is_in(page))
    provider.grants.clear()
    provider.lasts_s = 300
    # Whatever asks for a token by then: one refresh token is good once.
    wait_for(lambda: provider.grants == ["refresh_token"])
    assert provider.refused == []
    assert is_in(page)


def test_without_a_refresh_token_the_provider_is_asked_silently(
    page: Page, console: Stack, provider: IdentityProvider
) -> None:
    provider.gives_refresh_tokens, provider.lasts_s = False, 1
    try:
        go(page, console)
        wait_for(lambda: len(provider.grants) == 2)
        provider.lasts_s = 300
        wait_for(lambda: provider.asked[-1].get("prompt") == "none")
        wait_for(lambda: is_in(page))
    finally:
        provider.gives_refresh_tokens, provider.lasts_s = True, 300


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
    assert "waybill.sign-in" not in page.run(KEPT)
    press(page)  # the way is open to try again
    wait_for(lambda: is_in(page))


def test_the_address_brings_a_token_and_loses_it_at_once(stack: Stack, page: Page) -> None:
    """As `make run` prints it: by whoever has no profile, too."""
    (line,) = [line for line in stack.log().splitlines() if line.startswith("The console")]
    link = line.rpartition(" ")[2]
    page.open("about:blank")
    page.run(f"location.href = '{link}'")
    wait_for(lambda: "/api/console" in here(page))
    wait_for(lambda: is_in(page))
    assert page.run(WHO) == "Ada, admin"
    assert here(page) == f"{stack.url}/api/console"
    assert link.partition("=")[2] not in page.run(KEPT)


def test_a_token_is_pasted_where_there_is_no_provider(stack: Stack, page: Page) -> None:
    page.open(f"{stack.url}/api/console?paste")
    paste(page, "this is none")
    wait_for(lambda: page.run(WORDS) == "This is no token.")
    paste(page, stack.token("merchant", "m1"))
    wait_for(lambda: is_in(page))
    assert page.run(WHO) == "m1, merchant"


def paste(page: Page, token: str) -> None:
    wait_for(lambda: page.run("!!document.querySelector('#sign-in input')"))
    page.run(f"document.querySelector('#sign-in input').value = '{token}'")
    page.run(f"{BUTTON}.click()")
