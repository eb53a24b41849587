"""Sending: one event to one endpoint, tried again until it has arrived."""

from __future__ import annotations

from chalicelib.domain.webhooks.delivery import SendDue
from chalicelib.errors import Unavailable


class WebhookSender:
    """Sends events to endpoints."""

    def send_event(self, send: SendDue) -> None:
        """Send one event to one endpoint. Raises Unavailable where the message must come again."""
        raise Unavailable(f"nothing is sent yet: {send}")
