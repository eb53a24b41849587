"""The smallest app with every kind of handler that the local runner serves."""

from __future__ import annotations

import os
import time
from typing import Any

from botocore.session import get_session
from chalice.app import Chalice

app = Chalice(app_name="tiny")
app.experimental_feature_flags.update(["WEBSOCKETS"])

_handled: list[dict[str, Any]] = []
_sweeps: list[float] = []
_clients: dict[str, Any] = {}


def _sqs() -> Any:
    if "sqs" not in _clients:
        _clients["sqs"] = get_session().create_client("sqs")
    return _clients["sqs"]


@app.route("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.route("/send/{body}")
def send(body: str) -> dict[str, float]:
    assert app.current_request is not None
    url = _sqs().get_queue_url(QueueName=os.environ.get("QUEUE_NAME", "waybill-wakeups"))
    query: Any = app.current_request.query_params or {}
    delay = int(query.get("delay", "0"))
    _sqs().send_message(QueueUrl=url["QueueUrl"], MessageBody=body, DelaySeconds=delay)
    return {"sent_at": time.time()}


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
        _handled.append({"body": message.body, "at": time.time()})
        if message.body.startswith("fail"):
            failures.append({"itemIdentifier": message.to_dict()["messageId"]})
    return {"batchItemFailures": failures}


@app.schedule("rate(1 minute)")
def sweep(event: Any) -> None:
    _sweeps.append(time.time())
