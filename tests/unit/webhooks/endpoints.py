"""Endpoints to test with."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.webhooks.endpoint import Endpoint, EndpointSecret
from tests.builders import NOW

SECRET = "whsec_" + "A" * 43 + "="


def make_endpoint(id_: str = "1", owner_id: str = "ada", **fields: Any) -> Endpoint:
    """Make an endpoint that hears everything."""
    return Endpoint(
        **{
            "id": id_,
            "owner_id": owner_id,
            "url": "https://shop.example/hook",
            "events": ("*",),
            "merchant_ids": None,
            "secrets": (EndpointSecret(SECRET),),
            "created_at": NOW,
            "version": 1,
            **fields,
        }
    )
