"""The queue's handler: each message of a batch on its own, failures reported one by one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from chalicelib.edge.waybill import Waybill
from chalicelib.services.wakeups import decode

log = logging.getLogger(__name__)


def handle(waybill: Waybill, event: Mapping[str, Any]) -> dict[str, Any]:
    """Handle a batch of wakeups; name those that must come again (partial batch response)."""
    failed = [
        {"itemIdentifier": record["messageId"]}
        for record in event["Records"]
        if not _handled(waybill, record["body"])
    ]
    return {"batchItemFailures": failed}


def _handled(waybill: Waybill, body: str) -> bool:
    try:
        waybill.waking.handle(decode(body))
    except Exception:
        log.exception("a wakeup failed and will be tried again")
        return False
    return True
