"""Sign tokens for trying things out: `make -s token ROLE=courier ID=c1 NAME=Ana`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import jwt

from chalicelib.domain.people import ROLE_WORDS
from chalicelib.settings import BadSetting
from infra.local.options import LocalOptions
from infra.local.secret import read_checkout_secret

VALID_S = 12 * 3600


def mint_token(
    secret: str,
    role: str | None,
    person_id: str,
    *,
    valid_s: float = VALID_S,
    issuer: str = "",
    audience: str = "",
    **claims: Any,
) -> str:
    """Return a signed HS256 token. Extra claims are added as they are; None leaves a claim out."""
    now = int(time.time())
    payload = {"sub": person_id, "role": role, "iat": now, "exp": now + int(valid_s), **claims}
    payload.update({"iss": issuer or None, "aud": audience or None})
    return jwt.encode({k: v for k, v in payload.items() if v is not None}, secret, "HS256")


def find_signing_secret(options: LocalOptions, env: Mapping[str, str]) -> str:
    """Return JWT_SECRET, or this checkout's own. Raises BadSetting."""
    if given := env.get("JWT_SECRET"):
        return given
    options.make_state_dir()
    return read_checkout_secret(options.state_dir)


def main(arguments: list[str] | None = None, env: Mapping[str, str] | None = None) -> int:
    """Print one token; return the exit code."""
    env = os.environ if env is None else env
    given = _parse_arguments(arguments)
    try:
        if env.get("JWT_JWKS_URL"):
            raise BadSetting("JWT_JWKS_URL is set: tokens come from that issuer, not from here.")
        secret = find_signing_secret(LocalOptions.from_env(env), env)
    except BadSetting as error:
        print(error, file=sys.stderr)
        return 1
    token = mint_token(
        secret,
        given.role,
        given.id,
        valid_s=given.hours * 3600,
        issuer=env.get("JWT_ISSUER", ""),
        audience=env.get("JWT_AUDIENCE", ""),
        name=given.name,
        phone=given.phone,
        restaurant_ids=given.restaurants.split(",") if given.restaurants else None,
    )
    print(token)
    return 0


def _parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local.tokens", description="Print a token."
    )
    parser.add_argument("--role", default="customer", choices=ROLE_WORDS, metavar="ROLE")
    parser.add_argument("--id", default="u1", help="the person's id (the claim `sub`)")
    parser.add_argument("--name")
    parser.add_argument("--phone")
    parser.add_argument("--restaurants", help="restaurant ids, separated by commas")
    parser.add_argument("--hours", type=float, default=VALID_S / 3600, help="how long it is valid")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
