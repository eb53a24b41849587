"""Handles what clients ask for over a socket: one handler for each kind of request.

What a handler returns is what the contracts make an answer of. Each request says beside its fields
what that is (domain/orders/requests.py). Requests that change who hears what are not handled here,
but by edge/socket_admission.py: they are answered in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.details import OrderDetails
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
from chalicelib.domain.people import Actor, Courier
from chalicelib.edge.app_services import Services
from chalicelib.edge.tracing import note_order

Handler = Callable[[Services, Connection, Any], Any]
"""Handles one kind of request of a connection. Raises WaybillError, Stale, CourierTaken."""


def handle_request(services: Services, connection: Connection, request: ClientRequest) -> Any:
    """Do what a request asks for; return what its contract makes an answer of.

    Raises WaybillError where it is refused, Stale or CourierTaken where others were faster in each
    try: then the same request may succeed in a moment.
    """
    note_order(getattr(request, "order_id", None))
    return HANDLERS[type(request)](services, connection, request)


def _make_actor(connection: Connection) -> Actor:
    """Return the actor whom a connection was authenticated as, without name and phone."""
    return Actor(connection.person_id, connection.role, restaurant_ids=connection.restaurant_ids)


def _report_fix(services: Services, connection: Connection, request: ReportFix) -> bool:
    actor = _make_actor(connection)
    recorded = services.courier_status.record_fix(actor, request.fix, request.only_at_work)
    return recorded is not None


def _set_available(services: Services, connection: Connection, request: SetAvailability) -> Courier:
    actor = _make_actor(connection)
    if request.available and request.for_rides:
        # Refused now: a driver without a tariff would be on duty and never hear of a ride.
        services.rides.check_vehicle(actor)
    return services.courier_status.set_available(actor, request.available)


def _place_order(services: Services, connection: Connection, request: PlaceOrder) -> Order:
    if isinstance(request.order, OrderDetails):
        return services.customer_orders.place_order(request.order, request.extras).order
    rider = _make_actor(connection)
    return services.rides.request_ride(rider, request.order, request.extras).order


def _get_order(services: Services, connection: Connection, request: GetOrder) -> OrderView:
    return services.rides.get_ride(_make_actor(connection), request.order_id)


def _cancel_order(services: Services, connection: Connection, request: CancelOrder) -> Order:
    return services.rides.cancel_ride(_make_actor(connection), request.order_id, request.reason)


def _rate_courier(services: Services, connection: Connection, request: RateCourier) -> None:
    services.ratings.rate_courier(
        _make_actor(connection), request.order_id, request.stars, request.comment
    )


def _send_message(services: Services, connection: Connection, request: SendMessage) -> ChatMessage:
    return services.chats.send_message(
        _make_actor(connection), request.order_id, request.text, request.key
    )


def _get_messages(
    services: Services, connection: Connection, request: GetMessages
) -> list[ChatMessage]:
    return services.chats.list_messages(_make_actor(connection), request.order_id, request.before)


def _keep_alive(services: Services, connection: Connection, request: KeepAlive) -> None:
    services.connections.extend_deadline(connection)


def _take_step(services: Services, connection: Connection, request: TakeStep) -> Order:
    return services.courier_orders.take_step(
        _make_actor(connection), request.order_id, request.command
    )


def _accept_order(services: Services, connection: Connection, request: AcceptOrder) -> Order:
    return services.courier_orders.accept_order(_make_actor(connection), request.order_id)


def _list_open_orders(
    services: Services, connection: Connection, request: ListOpenOrders
) -> list[Order]:
    return services.open_pool.list_open_orders(_make_actor(connection), request.pool)


def _list_restaurant_orders(
    services: Services, connection: Connection, request: ListRestaurantOrders
) -> list[Order]:
    return services.open_pool.list_restaurant_orders(_make_actor(connection))


def _disconnect(services: Services, connection: Connection, request: Disconnect) -> None:
    services.connections.close_connection(connection.id)


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
