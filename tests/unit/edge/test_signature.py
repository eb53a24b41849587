"""The payment provider's signature, with one key and while keys change."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.edge.aws.payment_signature import ProviderSignature
from chalicelib.errors import Unauthenticated
from tests.builders import NOW

BODY = b'{"payment_id": "pay_1_1", "status": "completed"}'
AT = int(NOW.timestamp())
OURS = ProviderSignature("the-secret", lambda: NOW)


def signed(secret: str = "the-secret", at: int = AT) -> str:
    """A signature of BODY."""
    return hmac.new(secret.encode(), b"%d." % at + BODY, hashlib.sha256).hexdigest()


GOOD, OLD = signed(), signed("the-secret-before")


@pytest.mark.parametrize(
    "header",
    [
        f"t={AT},v1={GOOD}",
        f"v1={GOOD},t={AT}",
        f"t={AT},v1={OLD},v1={GOOD}",
        f"t={AT},v1={GOOD},v1={OLD}",
        f"t={AT}, v1={OLD}, v1={GOOD}",
        f"t={AT} v1={OLD} v1={GOOD}",
        f"t={AT},v1={OLD} {GOOD}",
        f"t={AT},v1={OLD},{GOOD}",
        f"t={AT};v1={OLD};v1={GOOD}",
        f"t={AT},v1={OLD},t={AT},v1={GOOD}",  # a header that came twice
        f"t={AT - 3600},v1={signed(at=AT - 3600)},t={AT},v1={GOOD}",
        f"t={AT},v0=00,v1={GOOD},v2=11",
        f"t={AT},v1={GOOD.upper()}",
        f"t={AT},v1=\u00e9,v1={GOOD}",
        f"t={AT},v1=\ud800,v1={GOOD}",
    ],
)
def test_any_good_signature_of_several_counts(header: str) -> None:
    OURS.verify_signature(header, BODY)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        ",",
        "nonsense",
        GOOD,
        f"v1={GOOD}",
        f"t={AT}",
        f"t={AT},v1=",
        f"t={AT},v0={GOOD}",
        f"t={AT},v1={OLD}",
        f"t={AT},v1={OLD},v1={OLD}",
        f"t={AT - 301},v1={signed(at=AT - 301)}",
        f"t={AT - 301},v1={signed(at=AT - 301)},t={AT},v1={OLD}",
        f"t={AT}.0,v1={GOOD}",
        f"t=\u0661,v1={GOOD}",
        f"t={AT}000,v1={GOOD}",
        f"t={AT},v1={GOOD[:-1]}",
    ],
)
def test_what_has_no_good_one_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        OURS.verify_signature(header, BODY)


def test_without_a_secret_nothing_is_genuine() -> None:
    with pytest.raises(Unauthenticated):
        ProviderSignature("", lambda: NOW).verify_signature(f"t={AT},v1={signed('')}", BODY)


@given(st.text())
def test_whatever_is_sent_is_refused_and_breaks_nothing(header: str) -> None:
    for prefix in ("", f"t={AT},v1="):
        with pytest.raises(Unauthenticated):
            OURS.verify_signature(prefix + header, BODY)
