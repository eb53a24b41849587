"""Handles the webhook queue's batches: the messages side by side, failures reported one by one.

A message that can't be decoded, or whose handling raises, fails each time it is received. It ends
in the dead-letter queue, which an alarm watches. An endpoint that can't be reached, or answers
badly, is no such failure: its next attempt is a message of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from chalicelib.domain.measures import FAILED_MESSAGES, Sample
from chalicelib.domain.webhooks.delivery import decode_send
from chalicelib.edge.app_services import Services
from chalicelib.edge.sqs import report_lateness
from chalicelib.edge.threads import ContextPool
from chalicelib.edge.tracing import enter_message

log = logging.getLogger(__name__)

BATCH_SIZE = 10
# A function has one batch at a time, the local run several in one process; threads are made as they
# are needed.
_pool = ContextPool(8 * BATCH_SIZE, thread_name_prefix="send")


def handle_batch(services: Services, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch; return the messages that must come again (partial batch response).

    Each message has a thread, so that a receiver that hangs holds up no message of another's. All
    of them end in time: a send takes 15 s at most, and the function has three times as long.
    """
    records = event["Records"]
    report_lateness(services.webhook_queue_name, records, services.clock().timestamp())
    handled = _pool.map(lambda record: _handle_record(services, record), records)
    failed = [
        {"itemIdentifier": record["messageId"]}
        for record, is_handled in zip(records, handled, strict=True)
        if not is_handled
    ]
    return {"batchItemFailures": failed}


def _handle_record(services: Services, record: Mapping[str, Any]) -> bool:
    """Handle one message; return False, with the failure logged, where it must come again."""
    with enter_message(record):
        try:
            services.webhook_sender.send_event(decode_send(record["body"]))
        except Exception:  # whatever it is: the other messages of the batch are none the worse
            log.exception("a webhook failed and will be tried again")
            services.recorder.record(Sample(FAILED_MESSAGES, 1, {"function": "send_webhooks"}))
            return False
    return True
