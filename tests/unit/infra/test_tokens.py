from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest

from infra.local.secret import read_checkout_secret
from infra.local.tokens import main, mint_token

SECRET = "s" * 40


def test_a_token_says_who_and_what_and_ends() -> None:
    claims = jwt.decode(mint_token(SECRET, "courier", "c1", name="Ana"), SECRET, ["HS256"])
    assert (claims["sub"], claims["role"], claims["name"]) == ("c1", "courier", "Ana")
    assert claims["exp"] - claims["iat"] == 12 * 3600


def test_a_token_can_be_one_that_is_over() -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(mint_token(SECRET, "courier", "c1", valid_s=-1), SECRET, ["HS256"])


def test_claims_can_be_added_and_left_out() -> None:
    token = mint_token(SECRET, None, "c1", groups=["Driver"], name=None)
    claims = jwt.decode(token, SECRET, ["HS256"])
    assert claims["groups"] == ["Driver"]
    assert not claims.keys() & {"role", "name", "iss", "aud"}


def test_the_command_signs_with_the_checkouts_own_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--role", "merchant", "--id", "m1", "--name", "Mia", "--restaurants", "r1,r2"]
    assert main(arguments, {"STATE_DIR": str(tmp_path)}) == 0
    token = capsys.readouterr().out.strip()
    claims = jwt.decode(token, read_checkout_secret(tmp_path), ["HS256"])
    assert (claims["sub"], claims["role"]) == ("m1", "merchant")
    assert claims["restaurant_ids"] == ["r1", "r2"]


def test_the_command_uses_the_environments_secret_issuer_and_audience(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = {"JWT_SECRET": SECRET, "JWT_ISSUER": "i", "JWT_AUDIENCE": "a", "STATE_DIR": str(tmp_path)}
    assert main([], env) == 0
    token = capsys.readouterr().out.strip()
    assert jwt.decode(token, SECRET, ["HS256"], issuer="i", audience="a")["sub"] == "u1"
    assert list(tmp_path.iterdir()) == []


def test_the_command_cannot_sign_for_somebody_elses_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([], {"JWT_JWKS_URL": "https://issuer.test/keys"}) == 1
    assert "issuer" in capsys.readouterr().err


def test_the_secret_is_made_once_long_and_private(tmp_path: Path) -> None:
    secret = read_checkout_secret(tmp_path)
    assert len(secret) >= 32
    assert read_checkout_secret(tmp_path) == secret
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_every_checkout_has_its_own_secret(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    assert len({read_checkout_secret(folder) for folder in folders}) == 2


def test_a_state_folder_that_cannot_be_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([], {"STATE_DIR": str(tmp_path / "file" / "state")}) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "name another folder" in said


def test_starts_at_the_same_time_agree_on_the_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: read_checkout_secret(tmp_path), range(32)))
    assert len(set(made)) == 1
    assert len(list(tmp_path.iterdir())) == 1
