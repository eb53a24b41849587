"""Does what is asked over a socket: one performer for each kind of ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.orders.chat import Message
from chalicelib.domain.orders.model import Order, View
from chalicelib.domain.orders.requests import (
    AcceptOrder,
    Ask,
    CancelRide,
    Leave,
    ListOpen,
    ListOwn,
    Rate,
    ReadMessages,
    ReportFix,
    RequestRide,
    SeeRide,
    SendMessage,
    SetAvailable,
    StayAwake,
    TakeStep,
)
from chalicelib.domain.people import Actor
from chalicelib.edge.app_services import Waybill
from chalicelib.errors import UseRest

Performer = Callable[[Waybill, Connection, Any], Any]


def perform(waybill: Waybill, connection: Connection, ask: Ask) -> Any:
    """Do one thing; what comes of it is the contract's to word. Raises WaybillError."""
    return PERFORMERS[type(ask)](waybill, connection, ask)


def actor_of(connection: Connection) -> Actor:
    """Who speaks on a connection."""
    return Actor(connection.person_id, connection.role, restaurant_ids=connection.restaurant_ids)


def _report_fix(waybill: Waybill, connection: Connection, ask: ReportFix) -> bool:
    return waybill.fleet.record_fix(actor_of(connection), ask.fix, ask.at_work) is not None


def _set_available(waybill: Waybill, connection: Connection, ask: SetAvailable) -> None:
    actor = actor_of(connection)
    if ask.available and ask.drives:
        waybill.rides.check_vehicle(actor)
    waybill.fleet.set_available(actor, ask.available)


def _request_ride(waybill: Waybill, connection: Connection, ask: RequestRide) -> Order:
    _allow_over_socket(waybill)
    return waybill.rides.request(actor_of(connection), ask.wish)


def _see_ride(waybill: Waybill, connection: Connection, ask: SeeRide) -> View:
    return waybill.rides.see(actor_of(connection), ask.order_id)


def _cancel_ride(waybill: Waybill, connection: Connection, ask: CancelRide) -> Order:
    return waybill.rides.cancel(actor_of(connection), ask.order_id, ask.reason)


def _rate(waybill: Waybill, connection: Connection, ask: Rate) -> None:
    _allow_over_socket(waybill)
    waybill.ratings.rate(actor_of(connection), ask.order_id, ask.stars, ask.comment)


def _send_message(waybill: Waybill, connection: Connection, ask: SendMessage) -> Message:
    return waybill.chats.send(actor_of(connection), ask.order_id, ask.text)


def _read_messages(waybill: Waybill, connection: Connection, ask: ReadMessages) -> list[Message]:
    return waybill.chats.read(actor_of(connection), ask.order_id, ask.before)


def _allow_over_socket(waybill: Waybill) -> None:
    """Spec 001 has these by REST in its one part, and over the socket in its other."""
    if not waybill.rides_ws_create:
        raise UseRest("This is done by REST here.")


def _stay_awake(waybill: Waybill, connection: Connection, ask: StayAwake) -> None:
    waybill.presence.stay_awake(connection)


def _take_step(waybill: Waybill, connection: Connection, ask: TakeStep) -> Order:
    return waybill.delivery.step(actor_of(connection), ask.order_id, ask.command)


def _accept(waybill: Waybill, connection: Connection, ask: AcceptOrder) -> Order:
    return waybill.delivery.accept(actor_of(connection), ask.order_id)


def _list_open(waybill: Waybill, connection: Connection, ask: ListOpen) -> list[Order]:
    return waybill.pool.open_orders(ask.pool)


def _list_own(waybill: Waybill, connection: Connection, ask: ListOwn) -> list[Order]:
    return waybill.pool.restaurant_orders(actor_of(connection))


def _leave(waybill: Waybill, connection: Connection, ask: Leave) -> None:
    waybill.presence.end(connection.id)


PERFORMERS: Mapping[type, Performer] = {
    ReportFix: _report_fix,
    StayAwake: _stay_awake,
    SetAvailable: _set_available,
    RequestRide: _request_ride,
    SeeRide: _see_ride,
    CancelRide: _cancel_ride,
    Rate: _rate,
    SendMessage: _send_message,
    ReadMessages: _read_messages,
    TakeStep: _take_step,
    AcceptOrder: _accept,
    ListOpen: _list_open,
    ListOwn: _list_own,
    Leave: _leave,
}
