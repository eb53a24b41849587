"""Signatures of webhooks, as Standard Webhooks has them: a receiver verifies with its libraries.

webhook-id          the id of the event, the same at every attempt
webhook-timestamp   epoch seconds of the attempt
webhook-signature   `v1,` and base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`; one for each
                    secret that is valid, with spaces between
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

_PREFIX = "whsec_"


def sign_webhook(
    secrets: Sequence[str], webhook_id: str, body: bytes, now: datetime
) -> Mapping[str, str]:
    """Make the three headers of a webhook that is sent now, signed by each of the secrets."""
    timestamp = str(int(now.timestamp()))
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_sign(secret, signed) for secret in secrets),
    }


def _sign(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
