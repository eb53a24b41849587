"""What the gateway serves while it is measured: echo, and one message to everybody.

`connections` and `fan` answer by posting, as Waybill does; `returned` by a route response.
offline/handler.js is the same for serverless-offline.
"""

from __future__ import annotations

import json
import os
from typing import Any

from botocore.session import Session
from chalice.app import Chalice

from chalicelib.edge.aws.connections_api import ConnectionsApi

app = Chalice("bench", configure_logs=False)
app.experimental_feature_flags.update(["WEBSOCKETS"])

_session = Session()
_session.set_credentials("local", "local")
_api = ConnectionsApi(os.environ["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"], _session, "us-east-1")
_everybody: set[str] = set()
_DONE = {"statusCode": 200}


@app.on_ws_connect()
def connect(event: Any) -> Any:
    _everybody.add(event.connection_id)
    return _DONE


@app.on_ws_disconnect()
def disconnect(event: Any) -> Any:
    _everybody.discard(event.connection_id)
    return _DONE


@app.on_ws_message()
def message(event: Any) -> Any:
    action = json.loads(event.body)["action"]
    if action == "returned":
        return {"statusCode": 200, "body": event.body}
    if action == "fan":
        _api.post_frames([(id_, event.body) for id_ in _everybody.copy()])
    else:
        _api.post_frame(event.connection_id, event.body)
    return _DONE
