"""Verifies tokens: a JWT becomes an Actor, or an error.

Algorithms are pinned by the settings: a token must not choose how it is checked.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import jwt

from chalicelib.domain.messaging.mailboxes import RESERVED_PREFIXES
from chalicelib.domain.people import ROLE_WORDS, Actor, Role
from chalicelib.edge.keys import PublicKeys
from chalicelib.errors import Unauthenticated
from chalicelib.settings import Settings

# Characters. DynamoDB's sort keys take 1,024 bytes: an id fits, with the prefixes before it.
MAX_ID_LENGTH = 128
MAX_CLAIM_LENGTH = 500
_MAX_LIFETIME_S = 100 * 365 * 86_400  # a time that is later is as good as never

_NAMES_NOBODY = "The token names nobody."

Clock = Callable[[], datetime]


class Authenticator:
    """Checks tokens by one secret, or by the public keys of a JWKS endpoint.

    Whether a token is good now is told by the machine's time, as pyjwt knows no other. When it ends
    is said in times of `clock`, by which connections are closed.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._leeway_s = settings.jwt_leeway.total_seconds()
        self._clock = clock or _utc_now
        self._keys = PublicKeys(settings.jwt_jwks_url) if settings.jwt_jwks_url else None

    def authenticate(self, token: str | None) -> Actor:
        """Return the actor whom a token names.

        Raises Unauthenticated, whose message says no more than a client can act upon: not which
        check failed. Raises Unavailable where the keys can't be fetched.
        """
        if not token:
            raise Unauthenticated("A token is required.")
        try:
            claims = self._verify_claims(token)
            return make_actor(claims, self._usable_until(claims))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise Unauthenticated("The token is not valid.") from None

    def _verify_claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token whose signature and times are good, without null claims.

        Raises PyJWTError, ValueError, TypeError or OverflowError where it is not good.
        """
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
                "verify_sub": False,  # numeric subs are common; see `make_actor`
                "verify_jti": False,  # never read here
                # Some providers write null for these two, which pyjwt refuses: checked below.
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        given = {name: value for name, value in claims.items() if value is not None}
        latest = time.time() + self._leeway_s
        if any(int(given.get(name, 0)) > latest for name in ("nbf", "iat")):
            raise jwt.ImmatureSignatureError
        return given

    def _usable_until(self, claims: dict[str, Any]) -> datetime:
        """Return when a good token ends, leeway included, in times of the clock.

        The same token gives the same whole second each time: times of two verifications are
        compared, and a repeated token must not seem to end later than the first.
        """
        left_s = (
            min(int(claims["exp"]), time.time() + _MAX_LIFETIME_S) + self._leeway_s - time.time()
        )
        at = self._clock() + timedelta(seconds=left_s + 0.5)
        return at.replace(microsecond=0)  # half a second on, so rounded


def make_actor(claims: dict[str, Any], until: datetime | None = None) -> Actor:
    """Make an actor of verified claims, with `until` as the end of the token.

    Raises Unauthenticated where no person is named, or by an id that is none; UnicodeEncodeError
    for a name or phone that no frame can carry.
    """
    restaurants = claims.get("restaurant_ids")
    listed = restaurants if isinstance(restaurants, list) else []
    sub = claims.get("sub")
    id_ = _read_id(claims.get("user_id") if sub is None else sub)
    # A person of such an id would share a mailbox with a restaurant, and read its orders.
    if id_.startswith(RESERVED_PREFIXES):
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
    """Read an id exactly as it was signed: another spelling is another person.

    Raises Unauthenticated for what is no id.
    """
    id_ = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(id_, str) or not is_person_id(id_):
        raise Unauthenticated(_NAMES_NOBODY)
    return id_


def is_person_id(text: str) -> bool:
    """Say whether a text can be a person's id.

    It has no control characters or lone surrogates, which keys and frames can't carry, and no blank
    or invisible character at its ends: two ids that look the same to an operator would be two
    people.
    """
    if not 0 < len(text) <= MAX_ID_LENGTH:
        return False
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        return False
    ends = {text[0], text[-1]}
    return not any(c.isspace() or unicodedata.category(c) == "Cf" for c in ends)


def _read_role(claims: dict[str, Any]) -> Role | None:
    """Read the first role that the claims name, of those we know; None where they name none.

    Providers put it in claims of different names, among groups of the provider's own.
    """
    groups = claims.get("groups")
    words = [claims.get(name) for name in ("role", "user_role", "user_type")]
    words += groups if isinstance(groups, list) else [groups]
    for word in words:
        if isinstance(word, str) and word.strip().lower() in ROLE_WORDS:
            return ROLE_WORDS[word.strip().lower()]
    return None


def _read_claim_text(value: Any) -> str | None:
    """Read a text that others are shown; None for what is no text, or blank.

    Raises UnicodeEncodeError for lone surrogates, which no frame can carry.
    """
    if not isinstance(value, str):
        return None
    value.encode()
    return value.strip()[:MAX_CLAIM_LENGTH] or None


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)
