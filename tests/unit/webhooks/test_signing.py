"""Signatures, verified by the library that receivers have."""

from __future__ import annotations

import base64
from datetime import datetime, timezone

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chalicelib.domain.webhooks.endpoint import make_secret
from chalicelib.domain.webhooks.signing import sign_webhook

BODY = '{"type":"order.placed","data":{"name":"Zoë ☃"}}'.encode()


def now() -> datetime:
    return datetime.now(timezone.utc)  # the library compares with the time as it is


def test_a_receiver_verifies_what_its_secret_has_signed() -> None:
    secret = make_secret()
    headers = sign_webhook((secret,), "7-12", BODY, now())
    assert headers.keys() == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert Webhook(secret).verify(BODY, dict(headers))["type"] == "order.placed"


def test_while_two_secrets_are_valid_each_verifies() -> None:
    old, new = make_secret(), make_secret()
    headers = sign_webhook((new, old), "7-12", BODY, now())
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        Webhook(secret).verify(BODY, dict(headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(make_secret()).verify(BODY, dict(headers))


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body"])
def test_nothing_that_is_signed_can_be_changed(changed: str) -> None:
    secret = make_secret()
    headers = dict(sign_webhook((secret,), "7-12", BODY, now()))
    body = BODY + b" " if changed == "body" else BODY
    if changed != "body":
        headers[changed] = headers[changed][:-1] + "0" * (headers[changed][-1] != "0") + "1"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


def test_the_example_of_the_specification() -> None:
    """Standard Webhooks, "Signature scheme": secret, id, timestamp, body and what comes of them."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = sign_webhook(
        (secret,),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        datetime.fromtimestamp(1614265330, timezone.utc),
    )
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert len(base64.b64decode(headers["webhook-signature"][3:])) == 32
