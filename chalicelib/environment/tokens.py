"""Settings by which people are known: keys of tokens, and how they sign in to the console."""

from __future__ import annotations

import re

import msgspec

from chalicelib.environment.origins import is_origin, normalize_origin
from chalicelib.environment.values import BadSetting, Environment

MIN_SECRET = 32  # characters: a shorter key than HS256's digest can be guessed more easily

# What a secret signs, and what a public key checks: RFC 7518's names.
_SYMMETRIC = {"HS256", "HS384", "HS512"}
_ASYMMETRIC = {"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"}


class OidcClient(msgspec.Struct, frozen=True):
    """What the console is registered as at an identity provider (OpenID Connect).

    `token_origin` is the origin of its token endpoint, where that is not the issuer's.
    """

    issuer: str
    client_id: str
    scope: str = "openid profile"
    audience: str = ""
    token_origin: str = ""

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that the console asks."""
        origin = _get_origin(self.issuer)
        return tuple(dict.fromkeys(filter(None, (origin, self.token_origin))))


def read_secret(env: Environment) -> str:
    """Read the secret by which tokens are checked: there must be one, or the URL of public keys.
    Raises BadSetting."""
    secret = env.get("JWT_SECRET", "")
    if not secret and not read_jwks_url(env):
        raise BadSetting("JWT_SECRET (or JWT_JWKS_URL) must be set.")
    if secret and len(secret) < MIN_SECRET:
        raise BadSetting(f"JWT_SECRET must have at least {MIN_SECRET} characters.")
    return secret


def read_jwks_url(env: Environment) -> str:
    """Read the URL of the public keys by which tokens are checked; "" where there is none."""
    return env.get("JWT_JWKS_URL", "")


def parse_algorithms(env: Environment) -> tuple[str, ...]:
    """Parse the algorithms that a token may use. Secrets and public keys are never mixed: a token
    signed with a public key as if it were a secret would pass. Raises BadSetting."""
    jwks_url = read_jwks_url(env)
    given = env.get("JWT_ALGORITHMS") or ("RS256,ES256" if jwks_url else "HS256")
    names = tuple(n.strip() for n in given.split(",") if n.strip())
    known = _ASYMMETRIC if jwks_url else _SYMMETRIC
    if not names or not set(names) <= known:
        kind = "with JWT_JWKS_URL" if jwks_url else "with JWT_SECRET"
        raise BadSetting(f"JWT_ALGORITHMS {kind} takes any of {', '.join(sorted(known))}.")
    return names


def parse_oidc(env: Environment) -> OidcClient | None:
    """Parse how people sign in to the console; None where they paste a token. Raises BadSetting."""
    names = ("ISSUER", "CLIENT_ID", "SCOPE", "AUDIENCE", "TOKEN_ORIGIN")
    issuer, client_id, scope, audience, token_origin = (
        env.get(f"OIDC_{name}", "").strip() for name in names
    )
    if bool(issuer) != bool(client_id):
        raise BadSetting("OIDC_ISSUER and OIDC_CLIENT_ID must be set together.")
    if not issuer:
        return None
    _check_provider(issuer, token_origin)
    if scope and "openid" not in scope.split():
        raise BadSetting(f"OIDC_SCOPE must have openid among its words, not {scope!r}.")
    return OidcClient(
        issuer, client_id, scope or "openid profile", audience, normalize_origin(token_origin)
    )


def _check_provider(issuer: str, token_origin: str) -> None:
    """Check the addresses of an identity provider. Raises BadSetting."""
    if not _ISSUER_PATTERN.fullmatch(issuer) or not _is_safe_origin(_get_origin(issuer)):
        raise BadSetting(
            "OIDC_ISSUER takes a URL without a query, as https://login.example.com/realm; http "
            f"on loopback only. It is {issuer!r}."
        )
    if token_origin and not _is_safe_origin(token_origin):
        raise BadSetting(
            "OIDC_TOKEN_ORIGIN takes an origin without a path, as https://login.example.com; http "
            f"on loopback only. It is {token_origin!r}."
        )


def _get_origin(url: str) -> str:
    return "/".join(url.split("/")[:3])


def _is_safe_origin(origin: str) -> bool:
    """Say whether tokens may go to an origin: by TLS, or within this machine."""
    host = re.sub(r":\d+$", "", origin.lower().partition("://")[2])
    safe = ("https://",) if host not in _LOOPBACK else ("https://", "http://")
    return is_origin(origin) and origin.lower().startswith(safe)


_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ISSUER_PATTERN = re.compile(r"https?://[^/?#\s]+(/[A-Za-z0-9._~!$&'()*+,=:@%/-]*)?", re.IGNORECASE)
