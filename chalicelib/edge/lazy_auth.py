"""Puts off the import of pyjwt until a token comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.domain.people import Actor
from chalicelib.services.ports import Clock
from chalicelib.settings import Settings

if TYPE_CHECKING:
    from chalicelib.edge.auth import Authenticator


class LazyAuthenticator:
    """Imports edge.auth, and pyjwt with it, at the first token.

    Wakeups and the sweep never see a token: their cold starts do not pay for the import.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._authenticator: Authenticator | None = None

    def authenticate(self, token: str | None) -> Actor:
        """Return the actor whom a token names. Raises Unauthenticated, Unavailable."""
        if self._authenticator is None:
            from chalicelib.edge.auth import Authenticator

            self._authenticator = Authenticator(self._settings, self._clock)
        return self._authenticator.authenticate(token)
