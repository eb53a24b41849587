"""The same as `returned` in handler.js."""

from __future__ import annotations

from typing import Any


def returned(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer with what was said."""
    return {"statusCode": 200, "body": event["body"]}
