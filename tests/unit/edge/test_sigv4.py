"""Requests are signed as botocore signs them, to the byte."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError
from botocore.session import Session
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.edge.aws.sigv4 import Signer

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = Credentials("ASIAEXAMPLE", "another/secret+key", token="FwoGZXIvYXdzE/token==")
URLS = ("https://a1b2c3.execute-api.eu-west-1.amazonaws.com", "http://127.0.0.1:8000")


class Fixed(SigV4Auth):  # type: ignore[misc]
    """botocore's signer at a given time: add_auth() less its look at the clock."""

    def sign_at(self, request: AWSRequest, at: str) -> None:
        request.context["timestamp"] = at
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        signature = self.signature(self.string_to_sign(request, canonical), request)
        self._inject_signature_to_request(request, signature)


class Holding(Session):  # type: ignore[misc]
    """A session that has these credentials and looks for no others."""

    def __init__(self, credentials: Credentials | None) -> None:
        super().__init__()
        self.held = credentials

    def get_credentials(self) -> Credentials | None:
        return self.held


def a_signer(credentials: Credentials | None, host: str = "h", at_s: float = 0.0) -> Signer:
    return Signer(Holding(credentials), "eu-west-1", host, clock=lambda: at_s)


@given(
    credentials=st.sampled_from([KEYS, TEMPORARY]),
    url=st.sampled_from(URLS),
    method=st.sampled_from(["POST", "GET", "DELETE"]),
    path=st.from_regex(r"(/[A-Za-z0-9._~@%=-]{0,12}){1,4}", fullmatch=True),
    body=st.binary(max_size=200),
    at_s=st.integers(0, 4_000_000_000),
)
@settings(max_examples=200)
def test_a_request_is_signed_as_botocore_signs_it(
    credentials: Credentials, url: str, method: str, path: str, body: bytes, at_s: int
) -> None:
    at = datetime.fromtimestamp(at_s, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    request = AWSRequest(method=method, url=url + path, data=body)
    Fixed(credentials, "execute-api", "eu-west-1").sign_at(request, at)

    host = url.partition("://")[2]
    ours = a_signer(credentials, host, at_s).sign(method, path, body)

    assert ours.pop("host") == host
    assert ours == {name.lower(): value for name, value in request.headers.items()}


def test_a_new_day_and_new_credentials_are_signed_with_a_new_key() -> None:
    now_s, session = [86_399.0], Holding(KEYS)
    signer = Signer(session, "eu-west-1", "h", clock=lambda: now_s[0])

    def signature() -> str:
        found = signer.sign("POST", "/x", b"")["authorization"]
        fresh = a_signer(session.held, "h", now_s[0]).sign("POST", "/x", b"")
        assert found == fresh["authorization"]
        return found

    before = signature()
    now_s[0] = 86_400.0
    tomorrow = signature()
    session.held = TEMPORARY
    assert len({before, tomorrow, signature()}) == 3


def test_without_credentials_nothing_is_signed() -> None:
    with pytest.raises(NoCredentialsError):
        a_signer(None).sign("POST", "/x", b"")
