"""Tokens: a JWT becomes an Actor, or an error. Algorithms are pinned by the settings."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import jwt

from chalicelib.domain.messaging.mailboxes import RESTAURANT_PREFIX
from chalicelib.domain.people import ROLE_WORDS, Actor, Role
from chalicelib.edge.keys import PublicKeys
from chalicelib.errors import Unauthenticated
from chalicelib.settings import Settings

MAX_ID_LENGTH = (
    128  # characters: with what stands before it, far less than a key of 1,024 bytes takes
)
MAX_CLAIM_LENGTH = 500
_MAX_LIFETIME_S = 100 * 365 * 86_400  # a time that is later is as good as never

_NAMES_NOBODY = "The token names nobody."

Clock = Callable[[], datetime]


class Authenticator:
    """Checks tokens by one secret, or by the public keys of a JWKS endpoint. `clock` is the one
    that the ends of tokens are told by."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._leeway_s = settings.jwt_leeway.total_seconds()
        self._clock = clock or _utc_now
        self._keys = PublicKeys(settings.jwt_jwks_url) if settings.jwt_jwks_url else None

    def authenticate(self, token: str | None) -> Actor:
        """Who a token says is asking. Never says more than it must. Raises Unauthenticated, or
        Unavailable where the keys can't be had."""
        if not token:
            raise Unauthenticated("A token is required.")
        try:
            claims = self._verify_claims(token)
            return actor_from_claims(claims, self._usable_until(claims))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise Unauthenticated("The token is not valid.") from None

    def _verify_claims(self, token: str) -> dict[str, Any]:
        """The verified claims. One that is null counts as absent."""
        settings = self._settings
        claims: dict[str, Any] = jwt.decode(
            token,
            self._keys.get_key(token) if self._keys else settings.jwt_secret,
            algorithms=list(settings.jwt_algorithms),
            audience=settings.jwt_audience or None,
            issuer=settings.jwt_issuer or None,
            leeway=self._leeway_s,
            options={
                "require": ["exp"],
                "verify_aud": bool(settings.jwt_audience),
                "verify_sub": False,  # numeric subs are common; `actor_of` looks at it
                "verify_jti": False,  # not looked at
                "verify_nbf": False,  # both are null in some tokens; below
                "verify_iat": False,
            },
        )
        given = {name: value for name, value in claims.items() if value is not None}
        latest = time.time() + self._leeway_s
        if any(int(given.get(name, 0)) > latest for name in ("nbf", "iat")):
            raise jwt.ImmatureSignatureError
        return given

    def _usable_until(self, claims: dict[str, Any]) -> datetime:
        """When nothing is done any more for a token that is good now."""
        left_s = (
            min(int(claims["exp"]), time.time() + _MAX_LIFETIME_S) + self._leeway_s - time.time()
        )
        at = self._clock() + timedelta(seconds=left_s + 0.5)
        return at.replace(microsecond=0)  # the same each time


def actor_from_claims(claims: dict[str, Any], until: datetime | None = None) -> Actor:
    """The actor in verified claims. Raises Unauthenticated where nobody is named, or by something
    that can't be written down."""
    restaurants = claims.get("restaurant_ids")
    listed = restaurants if isinstance(restaurants, list) else []
    sub = claims.get("sub")
    id_ = _read_id(claims.get("user_id") if sub is None else sub)
    if id_.startswith(RESTAURANT_PREFIX):
        raise Unauthenticated(_NAMES_NOBODY)
    return Actor(
        id=id_,
        role=_read_role(claims),
        name=_read_claim_text(claims.get("name")),
        phone=_read_claim_text(claims.get("phone")),
        restaurant_ids=tuple(_read_id(one) for one in listed if one is not None),
        token_ends_at=until,
    )


def _read_id(value: Any) -> str:
    """Read an id exactly as it was signed: another spelling is another person. Raises
    Unauthenticated."""
    id_ = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(id_, str) or not is_person_id(id_):
        raise Unauthenticated(_NAMES_NOBODY)
    return id_


def is_person_id(text: str) -> bool:
    """Whether a text can be somebody's id: something that can be written, with no blank or
    invisible character at its ends, where nobody would see it."""
    if not 0 < len(text) <= MAX_ID_LENGTH:
        return False
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        return False
    ends = {text[0], text[-1]}
    return not any(c.isspace() or unicodedata.category(c) == "Cf" for c in ends)


def _read_role(claims: dict[str, Any]) -> Role | None:
    groups = claims.get("groups")
    words = [claims.get(name) for name in ("role", "user_role", "user_type")]
    words += groups if isinstance(groups, list) else [groups]
    for word in words:
        if isinstance(word, str) and word.strip().lower() in ROLE_WORDS:
            return ROLE_WORDS[word.strip().lower()]
    return None


def _read_claim_text(value: Any) -> str | None:
    """A name as others see it. Raises UnicodeEncodeError for what no frame can carry."""
    if not isinstance(value, str):
        return None
    value.encode()
    return value.strip()[:MAX_CLAIM_LENGTH] or None


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)
