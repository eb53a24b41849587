"""Fetches the public keys of an identity provider from its JWKS endpoint, and keeps them."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import jwt

from chalicelib.errors import Unavailable

log = logging.getLogger(__name__)

_MAX_KEY_AGE_S = 300  # a key that its provider takes back is still good here for so long
_MIN_REFETCH_S = 5  # between two fetches: tokens with invented key ids must not flood the provider
# One hanging fetch holds up every token of this Lambda, so it must end soon. And an answer must not
# fill its memory.
_TIMEOUT_S = 3
_MAX_BYTES = 1024 * 1024


class PublicKeys:
    """Finds the key that a token says it was signed with.

    Keys are kept for five minutes, and fetched earlier where a token names one that is not among
    them: its provider may have begun to sign with a new key. `clock` counts seconds.
    """

    def __init__(
        self, url: str, clock: Callable[[], float] = time.monotonic, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self._url = url
        self._clock = clock
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")  # with success
        self._tried_at = float("-inf")

    def get_key(self, token: str) -> jwt.PyJWK:
        """Return the key of a token's `kid`.

        Raises Unavailable where the endpoint gives no keys: that says nothing of the token. Raises
        PyJWTError for a token without a `kid`, or with one that the provider does not have.
        """
        kid = jwt.get_unverified_header(token).get("kid")
        # Under the lock, threads that miss the same key at once fetch it once.
        with self._lock:
            if not self._is_fresh() or (kid not in self._keys and not self._is_recent()):
                self._fetch_keys()
            if kid not in self._keys:
                raise jwt.InvalidTokenError("The key is unknown.")
            return self._keys[kid]

    def _is_fresh(self) -> bool:
        """Say whether the keys are young enough to be trusted."""
        return self._clock() - self._fetched_at < _MAX_KEY_AGE_S

    def _is_recent(self) -> bool:
        """Say whether the keys are so young that a key missing in them is not worth a fetch."""
        return self._clock() - self._fetched_at < _MIN_REFETCH_S

    def _fetch_keys(self) -> None:
        """Replace the keys by those that the endpoint has now. Raises Unavailable.

        A fetch that fails keeps the old ones, but they grow no younger by it.
        """
        # A fetch a moment ago has failed, else nobody would ask: an endpoint in trouble is left
        # alone, and its clients told at once instead of each after a timeout.
        if self._clock() - self._tried_at < _MIN_REFETCH_S:
            raise _make_unavailable()
        self._tried_at = self._clock()
        try:
            found = _parse_keys(_fetch_json(self._url, self._timeout_s))
        except urllib.error.HTTPError as refused:
            refused.close()  # the error holds the response, and that its socket
            log.warning("the keys of tokens can't be fetched: status %s", refused.code)
            raise _make_unavailable() from None
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            log.warning("the keys of tokens can't be fetched: %s", type(error).__name__)
            raise _make_unavailable() from None
        self._keys, self._fetched_at = found, self._clock()


def _make_unavailable() -> Unavailable:
    return Unavailable("Tokens can't be checked now; try again.")


def _fetch_json(url: str, timeout_s: float) -> Any:
    """Fetch JSON and decode it.

    Raises OSError (for any status but 2xx too, and TimeoutError), HTTPException, ValueError for
    what is too long or not JSON, RecursionError for what is nested too deep.
    """
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    give_up_at = time.monotonic() + timeout_s
    body = b""
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        while part := answer.read1(65536):
            body += part
            if len(body) > _MAX_BYTES:
                raise ValueError("The answer is too long.")
            # The timeout of urlopen is for one read: a server may send byte after byte for hours.
            if time.monotonic() > give_up_at:
                raise TimeoutError
    return json.loads(body)


def _parse_keys(found: Any) -> dict[str, jwt.PyJWK]:
    """Return the keys for signatures by their ids; leave out what can't be used.

    Raises ValueError where nothing is left: an answer without keys must not replace good ones.
    """
    listed = found.get("keys") if isinstance(found, dict) else None
    keys = filter(None, map(_parse_key, listed if isinstance(listed, list) else []))
    by_id = {key.key_id: key for key in keys if key.key_id}
    if not by_id:
        raise ValueError("There are no keys.")
    return by_id


def _parse_key(entry: Any) -> jwt.PyJWK | None:
    """Return the key of one JWK; None for one that is not for signatures, or can't be used."""
    if not isinstance(entry, dict) or entry.get("use") not in (None, "sig"):
        return None
    if not isinstance(entry.get("kid"), str):
        return None
    try:
        return jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, LookupError):
        return None  # of a kind that is not known here, or broken: the others are still good
