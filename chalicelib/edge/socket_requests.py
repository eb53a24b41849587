"""Does what is asked over a socket: one performer for each kind of ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.model import Order, OrderView
from chalicelib.domain.orders.requests import (
    AcceptOrder,
    CancelOrder,
    ClientRequest,
    Disconnect,
    GetMessages,
    GetOrder,
    KeepAlive,
    ListOpenOrders,
    ListRestaurantOrders,
    PlaceOrder,
    RateCourier,
    ReportFix,
    SendMessage,
    SetAvailability,
    TakeStep,
)
from chalicelib.domain.people import Actor
from chalicelib.edge.app_services import Services
from chalicelib.errors import UseRest

Handler = Callable[[Services, Connection, Any], Any]


def handle_request(waybill: Services, connection: Connection, ask: ClientRequest) -> Any:
    """Do one thing; what comes of it is the contract's to word. Raises WaybillError."""
    return HANDLERS[type(ask)](waybill, connection, ask)


def speaker_of(connection: Connection) -> Actor:
    """Who speaks on a connection."""
    return Actor(connection.person_id, connection.role, restaurant_ids=connection.restaurant_ids)


def _report_fix(waybill: Services, connection: Connection, ask: ReportFix) -> bool:
    return (
        waybill.courier_status.record_fix(speaker_of(connection), ask.fix, ask.only_at_work)
        is not None
    )


def _set_available(waybill: Services, connection: Connection, ask: SetAvailability) -> None:
    actor = speaker_of(connection)
    if ask.available and ask.for_rides:
        waybill.rides.check_vehicle(actor)
    waybill.courier_status.set_available(actor, ask.available)


def _place_order(waybill: Services, connection: Connection, ask: PlaceOrder) -> Order:
    _require_ws_create(waybill)
    return waybill.rides.request_ride(speaker_of(connection), ask.wish)


def _get_order(waybill: Services, connection: Connection, ask: GetOrder) -> OrderView:
    return waybill.rides.get_ride(speaker_of(connection), ask.order_id)


def _cancel_order(waybill: Services, connection: Connection, ask: CancelOrder) -> Order:
    return waybill.rides.cancel_ride(speaker_of(connection), ask.order_id, ask.reason)


def _rate_courier(waybill: Services, connection: Connection, ask: RateCourier) -> None:
    _require_ws_create(waybill)
    waybill.ratings.rate_courier(speaker_of(connection), ask.order_id, ask.stars, ask.comment)


def _send_message(waybill: Services, connection: Connection, ask: SendMessage) -> ChatMessage:
    return waybill.chats.send_message(speaker_of(connection), ask.order_id, ask.text)


def _get_messages(waybill: Services, connection: Connection, ask: GetMessages) -> list[ChatMessage]:
    return waybill.chats.list_messages(speaker_of(connection), ask.order_id, ask.before)


def _require_ws_create(waybill: Services) -> None:
    """Spec 001 has these by REST in its one part, and over the socket in its other."""
    if not waybill.rides_ws_create:
        raise UseRest("This is done by REST here.")


def _keep_alive(waybill: Services, connection: Connection, ask: KeepAlive) -> None:
    waybill.connections.extend_deadline(connection)


def _take_step(waybill: Services, connection: Connection, ask: TakeStep) -> Order:
    return waybill.courier_orders.take_step(speaker_of(connection), ask.order_id, ask.command)


def _accept_order(waybill: Services, connection: Connection, ask: AcceptOrder) -> Order:
    return waybill.courier_orders.accept_order(speaker_of(connection), ask.order_id)


def _list_open_orders(
    waybill: Services, connection: Connection, ask: ListOpenOrders
) -> list[Order]:
    return waybill.open_pool.list_open_orders(ask.pool)


def _list_restaurant_orders(
    waybill: Services, connection: Connection, ask: ListRestaurantOrders
) -> list[Order]:
    return waybill.open_pool.list_restaurant_orders(speaker_of(connection))


def _disconnect(waybill: Services, connection: Connection, ask: Disconnect) -> None:
    waybill.connections.close_connection(connection.id)


HANDLERS: Mapping[type, Handler] = {
    ReportFix: _report_fix,
    KeepAlive: _keep_alive,
    SetAvailability: _set_available,
    PlaceOrder: _place_order,
    GetOrder: _get_order,
    CancelOrder: _cancel_order,
    RateCourier: _rate_courier,
    SendMessage: _send_message,
    GetMessages: _get_messages,
    TakeStep: _take_step,
    AcceptOrder: _accept_order,
    ListOpenOrders: _list_open_orders,
    ListRestaurantOrders: _list_restaurant_orders,
    Disconnect: _disconnect,
}
