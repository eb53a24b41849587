"""Waybill as a Chalice app: every Lambda handler, and no logic."""

import gc

gc.disable()  # what is imported stays: to look for garbage meanwhile is an eighth of a cold start

import logging
from collections.abc import Callable
from typing import Any

from chalice.app import (
    Chalice,
    CloudWatchEvent,
    Rate,
    Request,
    Response,
    SQSEvent,
    WebsocketEvent,
)

from chalicelib.edge import deployment, invocations, logs, sockets, webhook_sends
from chalicelib.edge import sqs as wakes
from chalicelib.edge.rest import (
    console,
    courier,
    drivers,
    event_stream,
    every_path,
    feed,
    figures,
    front,
    hands,
    lists,
    me,
    money,
    orders,
    pages,
    proof,
    quotes,
    restaurants,
    rides,
    tracking,
    webhooks,
)
from chalicelib.edge.rest.routes import add_routes
from chalicelib.settings import read_queue_name, read_webhook_queue_name
from chalicelib.wiring import waybill

gc.freeze()  # else the first look for garbage goes through all that is imported: 20 ms
gc.enable()

app = Chalice(app_name="waybill")
app.experimental_feature_flags.update(["WEBSOCKETS"])
app.log.setLevel(logging.INFO)
logs.write_json([*app.log.handlers, *logging.getLogger().handlers])
PARTS = (
    front,
    orders,
    lists,
    hands,
    courier,
    drivers,
    event_stream,
    restaurants,
    rides,
    quotes,
    proof,
    me,
    money,
    feed,
    figures,
    webhooks,
    pages,
    console,
    tracking,
)
for part in PARTS:
    add_routes(app, part.ROUTES, waybill)
every_path.add_fallback_routes(app)


@app.middleware("all")
def observe(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Surround each event with its trace, its logs' fields and its samples."""
    return invocations.observe(waybill, event, get_response)


@app.middleware("http")
def respond(event: Request, get_response: Callable[[Request], Response]) -> Response:
    """Answer a REST request."""
    return every_path.apply_http_rules(event, get_response, waybill().cors_origins)


@app.on_ws_connect()
def websocket_connect(event: WebsocketEvent) -> Response:
    """Answer a handshake."""
    return Response(body="", status_code=sockets.handle_connect(waybill(), event.to_dict()))


@app.on_ws_message()
def websocket_message(event: WebsocketEvent) -> None:
    """Handle a socket's message."""
    sockets.handle_message(waybill(), event.connection_id, event.body)


@app.on_ws_disconnect()
def websocket_disconnect(event: WebsocketEvent) -> None:
    """Forget a connection that has ended."""
    sockets.handle_disconnect(waybill(), event.connection_id)


@app.on_sqs_message(queue=read_queue_name(), batch_size=wakes.BATCH_SIZE)
def wake(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of wakeups; the answer lists those that must come again."""
    return wakes.handle_batch(waybill(), event.to_dict(), event.context)


@app.on_sqs_message(queue=read_webhook_queue_name(), batch_size=webhook_sends.BATCH_SIZE)
def send_webhooks(event: SQSEvent) -> dict[str, Any]:
    """Send a batch of events to webhook endpoints; the answer lists those that must come again."""
    return webhook_sends.handle_batch(waybill(), event.to_dict(), event.context)


@app.lambda_function()
def check_settings(event: dict[str, Any], context: object) -> None:
    """Tell CloudFormation whether a stage's settings can be used."""
    deployment.answer_deployment(event)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep(event: CloudWatchEvent) -> None:
    """Queue what is due, and the wakeups that do so until the next minute."""
    waybill().sweeper.run_minute(wakes.make_time_check(event.context, reserve=0.1))
