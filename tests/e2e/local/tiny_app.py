"""The smallest app with every kind of handler that the local runner serves."""

from __future__ import annotations

import contextlib
import time
from datetime import timedelta
from typing import Any

import msgspec
from chalice.app import Chalice

from chalicelib.domain.messaging.wakeups import GreetingDue, decode_wakeup
from chalicelib.wiring import waybill

app = Chalice(app_name="tiny")
app.experimental_feature_flags.update(["WEBSOCKETS"])

_handled: list[dict[str, Any]] = []
_sweeps: list[float] = []


@app.route("/health")
def health() -> dict[str, str]:
    return {"status": "ok", "version": "tiny"}


@app.route("/send/{word}")
def send(word: str) -> dict[str, float]:
    """Send a wakeup that says a word, by the queue that the runner gave to the application."""
    assert app.current_request is not None
    query: Any = app.current_request.query_params or {}
    delay = timedelta(seconds=int(query.get("delay", "0")))
    sent_at = time.time()
    waybill().queue.send_wakeups([(GreetingDue(word), delay)])
    return {"sent_at": sent_at}


@app.route("/handled")
def handled() -> list[dict[str, Any]]:
    return _handled


@app.route("/sweeps")
def sweeps() -> list[float]:
    return _sweeps


@app.on_sqs_message(queue="wakeups", batch_size=10)
def wake(event: Any) -> dict[str, Any]:
    failures = []
    for message in event:
        word = _word_of(message.body)
        _handled.append({"body": word, "at": time.time()})
        if word.startswith("fail"):
            failures.append({"itemIdentifier": message.to_dict()["messageId"]})
    return {"batchItemFailures": failures}


@app.on_sqs_message(queue="webhooks", batch_size=10)
def send_webhooks(event: Any) -> None:
    """Send nothing: nobody puts a webhook on the queue."""


@app.schedule("rate(1 minute)")
def sweep(event: Any) -> None:
    _sweeps.append(time.time())


def _word_of(body: str) -> str:
    """Read what a message says: of a wakeup its word, of anything else all of it."""
    with contextlib.suppress(msgspec.MsgspecError):
        wakeup = decode_wakeup(body)
        if isinstance(wakeup, GreetingDue):
            return wakeup.connection_id
    return body
