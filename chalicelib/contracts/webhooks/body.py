"""The body of a webhook."""

from __future__ import annotations

import msgspec

from chalicelib.contracts.moments import format_iso
from chalicelib.domain.events import Event


def render_body(event: Event) -> bytes:
    """Render the body of an event of an endpoint's log, as it is signed and sent."""
    body = {"type": event.type, "timestamp": format_iso(event.at), "data": event.data}
    return msgspec.json.encode(body)
