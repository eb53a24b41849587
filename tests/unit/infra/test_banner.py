from __future__ import annotations

from pathlib import Path

from infra.local.banner import format_banner
from infra.local.options import LocalOptions

OPTIONS = LocalOptions(port=8123, state_dir=Path("elsewhere"))


def test_the_first_line_says_where() -> None:
    first, *rest = format_banner(OPTIONS, "http://127.0.0.1:4566", 1.23, {}).splitlines()
    assert first == (
        "Waybill is ready at http://127.0.0.1:8123 after 1.2 s (engine at http://127.0.0.1:4566)."
    )
    assert any("ws://127.0.0.1:8123/api/v1/ws/courier?token=$COURIER" in line for line in rest)


def test_commands_make_tokens_with_the_same_secret() -> None:
    text = format_banner(OPTIONS, None, 1, {"STATE_DIR": "here", "JWT_SECRET": "very-secret"})
    assert "STATE_DIR=here make -s token ROLE=courier" in text
    assert "very-secret" not in text


def test_the_console_is_one_click_away() -> None:
    text = format_banner(OPTIONS, None, 1, {}, "a.b.c")
    assert (
        "The console, signed in as an admin: http://127.0.0.1:8123/api/console#token=a.b.c\n"
        "A city at work, to watch in it: make demo URL=http://127.0.0.1:8123, in another terminal"
    ) in text
    assert text.count("a.b.c") == 1
    usual = format_banner(LocalOptions(), None, 1, {"JWT_JWKS_URL": "https://x"})
    assert "The console: http://127.0.0.1:8000/api/console\n" in usual


def test_another_issuers_tokens_are_not_made_here() -> None:
    assert "make -s token" not in format_banner(OPTIONS, None, 1, {"JWT_JWKS_URL": "https://x"})
