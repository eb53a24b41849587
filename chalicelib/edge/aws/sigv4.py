"""AWS Signature Version 4 for small requests, with what never changes made once.

Signs exactly as botocore's SigV4Auth does (the tests compare the two byte by byte) at a tenth of
its cost: the signing key is derived once a day, and nothing is parsed that was just put together.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from botocore.exceptions import NoCredentialsError
from botocore.session import Session
from botocore.utils import normalize_url_path

Headers = list[tuple[str, str]]


class Signer:
    """Signs requests to one host. Safe under threads.

    `session` gives the credentials each time, so that those that expire are renewed.
    """

    def __init__(
        self,
        session: Session,
        service: str,
        region: str,
        host: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._service = service
        self._region = region
        self._host = host
        self._clock = clock
        self._derived: tuple[Any, str, bytes] | None = None

    def sign(self, method: str, path: str, body: bytes) -> Headers:
        """Return the headers, Host among them, that sign a request.

        `path` is as it will be sent, without a query. Raises botocore's NoCredentialsError.
        """
        credentials = self._read_credentials()
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        headers = [("host", self._host), ("x-amz-date", at)]
        if credentials.token:
            headers.append(("x-amz-security-token", credentials.token))
        names = ";".join(name for name, _ in headers)
        canonical = (
            f"{method}\n{_canonical_path(path)}\n\n"
            + "".join(f"{name}:{value}\n" for name, value in headers)
            + f"\n{names}\n{sha256(body).hexdigest()}"
        )
        scope = f"{at[:8]}/{self._region}/{self._service}/aws4_request"
        digest = sha256(canonical.encode()).hexdigest()
        key = self._signing_key(credentials, at[:8])
        signature = _hmac_sha256(key, f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}").hex()
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return [*headers, ("authorization", authorization)]

    def _read_credentials(self) -> Any:
        found = self._session.get_credentials()
        if found is None:
            raise NoCredentialsError
        return found.get_frozen_credentials()

    def _signing_key(self, credentials: Any, day: str) -> bytes:
        derived = self._derived
        if derived is None or derived[0] != credentials or derived[1] != day:
            key = f"AWS4{credentials.secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _hmac_sha256(key, part)
            self._derived = derived = (credentials, day, key)
        return derived[2]


@lru_cache(1024)
def _canonical_path(path: str) -> str:
    """A path as it is signed: encoded once more, which S3 alone does not do."""
    return quote(normalize_url_path(path), safe="/~")


def _hmac_sha256(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
