"""Handles the queue's batches: each wakeup on its own, failures reported one by one.

A wakeup that can't be decoded (as one of another version's type) or handled fails each time it is
received. It ends in the dead-letter queue, which an alarm watches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.domain.events import parse_order_id
from chalicelib.domain.measures import FAILED_MESSAGES, WAKEUP_LAG, Sample
from chalicelib.domain.messaging.wakeups import Wakeup, decode_wakeup
from chalicelib.edge.app_services import Services
from chalicelib.edge.aws.metrics import emit_lateness
from chalicelib.edge.aws.queue import read_due_at
from chalicelib.edge.tracing import enter_message, note_connection, note_order

log = logging.getLogger(__name__)

BATCH_SIZE = 4  # a call that hangs holds up three other wakeups at most

_REPORT_OVER_S = 10  # nobody waits for less; what is in time costs no log line
_TIME_RESERVE = 0.2  # of the invocation's time: 5.6 s, more than one call that hangs takes


def handle_batch(services: Services, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch of wakeups; return those that must come again (partial batch response).

    `context` is Lambda's. When little time is left, the wakeups not yet begun are returned too: an
    invocation that runs out of time returns nothing, and the whole batch would come again, with the
    wakeups that are done. The first is always begun: each delivery gets something done.
    """
    records, out_of_time = event["Records"], make_time_check(context, _TIME_RESERVE)
    report_lateness(services.queue_name, records, services.clock().timestamp())
    failed = [
        {"itemIdentifier": record["messageId"]}
        for n, record in enumerate(records)
        if (n and out_of_time()) or not _handle_record(services, record, out_of_time)
    ]
    return {"batchItemFailures": failed}


def make_time_check(context: Any, reserve: float) -> Callable[[], bool]:
    """Make a function that says whether less than a share of an invocation's time is left.

    `context` is Lambda's; `reserve` is the share, 0 to 1, of the time that is left now.
    """
    least_ms = context.get_remaining_time_in_millis() * reserve
    return lambda: bool(context.get_remaining_time_in_millis() < least_ms)


def _handle_record(
    services: Services, record: Mapping[str, Any], out_of_time: Callable[[], bool]
) -> bool:
    """Handle one wakeup; return False, with the failure logged, where it must come again."""
    with enter_message(record):
        try:
            wakeup = decode_wakeup(record["body"])
            _note_subject(wakeup)
            services.wakeup_handler.handle_wakeup(wakeup, out_of_time)
        except Exception:  # whatever it is: the other wakeups of the batch are none the worse
            log.exception("a wakeup failed and will be tried again")
            services.recorder.record(Sample(FAILED_MESSAGES, 1, {"function": "wake"}))
            return False
    due = read_due_at(record)
    if due is not None:
        lag_ms = round((services.clock().timestamp() - due) * 1000)
        services.recorder.record(Sample(WAKEUP_LAG, max(0, lag_ms)))
    return True


def _note_subject(wakeup: Wakeup) -> None:
    """Note, for the logs, the order or the connection that a wakeup is about."""
    stream = getattr(wakeup, "stream", "")
    note_order(getattr(wakeup, "order_id", None) or parse_order_id(stream))
    note_connection(getattr(wakeup, "connection_id", None))


def report_lateness(queue_name: str, records: Sequence[Mapping[str, Any]], now_s: float) -> None:
    """Emit by how many seconds the latest message of a batch is late, where that is a lot.

    The queue's own metric of age may count a message's delay too, and so can't tell late from far
    ahead.
    """
    due = [at for record in records if (at := read_due_at(record)) is not None]
    late_s = now_s - min(due, default=now_s)
    if late_s > _REPORT_OVER_S:
        emit_lateness(queue_name, late_s, now_s)
