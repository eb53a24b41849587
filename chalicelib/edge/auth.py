"""Tokens: a JWT becomes an Actor, or an error. Algorithms are pinned by the settings."""

from __future__ import annotations

from typing import Any

import jwt

from chalicelib.domain.mailboxes import RESTAURANT
from chalicelib.domain.people import ROLE_WORDS, Actor, Role
from chalicelib.errors import Unauthenticated, Unavailable
from chalicelib.settings import Settings

_LEEWAY_S = 0
_JWKS_KEPT_S = 300


class Authenticator:
    """Checks tokens by one secret, or by the public keys of a JWKS endpoint."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jwks = (
            jwt.PyJWKClient(settings.jwt_jwks_url, lifespan=_JWKS_KEPT_S, timeout=3)
            if settings.jwt_jwks_url
            else None
        )

    def actor(self, token: str | None) -> Actor:
        """Who a token says is asking. Never says more than it must. Raises Unauthenticated, or
        Unavailable where the keys can't be had."""
        if not token:
            raise Unauthenticated("A token is required.")
        try:
            return actor_of(self._claims(token))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.") from None
        except jwt.PyJWKClientConnectionError:  # says nothing of the token
            raise Unavailable("Tokens can't be checked now; try again.") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise Unauthenticated("The token is not valid.") from None

    def _claims(self, token: str) -> dict[str, Any]:
        settings = self._settings
        key = self._jwks.get_signing_key_from_jwt(token).key if self._jwks else settings.jwt_secret
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(settings.jwt_algorithms),
            audience=settings.jwt_audience or None,
            issuer=settings.jwt_issuer or None,
            leeway=_LEEWAY_S,
            options={
                "require": ["exp"],
                "verify_aud": bool(settings.jwt_audience),
                "verify_sub": False,  # numeric subs are common; `actor_of` looks at it
            },
        )
        return claims


def actor_of(claims: dict[str, Any]) -> Actor:
    """The actor in verified claims. Raises Unauthenticated where nobody is named."""
    id_ = claims.get("sub", claims.get("user_id"))
    if isinstance(id_, int) and not isinstance(id_, bool):
        id_ = str(id_)
    if (
        not isinstance(id_, str)
        or not id_.strip()
        or len(id_) > 128
        or id_.strip().startswith(RESTAURANT)
    ):
        raise Unauthenticated("The token names nobody.")
    restaurants = claims.get("restaurant_ids")
    return Actor(
        id=id_.strip(),
        role=_role(claims),
        name=_text(claims.get("name")),
        phone=_text(claims.get("phone")),
        restaurant_ids=tuple(str(r) for r in restaurants) if isinstance(restaurants, list) else (),
    )


def _role(claims: dict[str, Any]) -> Role | None:
    groups = claims.get("groups")
    words = [claims.get(name) for name in ("role", "user_role", "user_type")]
    words += groups if isinstance(groups, list) else [groups]
    for word in words:
        if isinstance(word, str) and word.strip().lower() in ROLE_WORDS:
            return ROLE_WORDS[word.strip().lower()]
    return None


def _text(value: Any) -> str | None:
    return value.strip()[:500] or None if isinstance(value, str) else None
