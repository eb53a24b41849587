"""Waybill as a Chalice app: every Lambda handler, and no logic."""

import logging
import time
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

from chalicelib.edge import deployment, sockets
from chalicelib.edge import sqs as wakes
from chalicelib.edge.rest import courier as rest_courier
from chalicelib.edge.rest import drivers as rest_drivers
from chalicelib.edge.rest import everywhere as rest_everywhere
from chalicelib.edge.rest import feed as rest_feed
from chalicelib.edge.rest import me as rest_me
from chalicelib.edge.rest import money as rest_money
from chalicelib.edge.rest import orders as rest_orders
from chalicelib.edge.rest import pages as rest_pages
from chalicelib.edge.rest import restaurants as rest_restaurants
from chalicelib.edge.rest import rides as rest_rides
from chalicelib.settings import queue_name
from chalicelib.wiring import waybill

app = Chalice(app_name="waybill")
app.experimental_feature_flags.update(["WEBSOCKETS"])
app.log.setLevel(logging.INFO)
for part in (
    rest_orders,
    rest_courier,
    rest_drivers,
    rest_restaurants,
    rest_rides,
    rest_me,
    rest_money,
    rest_feed,
):
    app.register_blueprint(part.routes(waybill))
app.register_blueprint(rest_pages.routes())
rest_everywhere.complete(app)


@app.middleware("http")
def respond(event: Request, get_response: Callable[[Request], Response]) -> Response:
    return rest_everywhere.respond(event, get_response, waybill().origins)


@app.on_ws_connect()
def websocket_connect(event: WebsocketEvent) -> Response:
    return Response(body="", status_code=sockets.connect(waybill(), event.to_dict()))


@app.on_ws_message()
def websocket_message(event: WebsocketEvent) -> None:
    sockets.message(waybill(), event.connection_id, event.body)


@app.on_ws_disconnect()
def websocket_disconnect(event: WebsocketEvent) -> None:
    sockets.disconnect(waybill(), event.connection_id)


@app.on_sqs_message(queue=queue_name(), batch_size=wakes.BATCH_SIZE)
def wake(event: SQSEvent) -> dict[str, Any]:
    return wakes.handle(waybill(), event.to_dict(), event.context)


@app.lambda_function()
def check_settings(event: dict[str, Any], context: object) -> None:
    deployment.answer(event)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep(event: CloudWatchEvent) -> None:
    waybill().sweeper.run(time.sleep, wakes.running_out(event.context, reserve=0.1))
