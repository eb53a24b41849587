"""Does what is asked over a socket: one performer for each kind of ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.asks import (
    AcceptOrder,
    Ask,
    Leave,
    ListOpen,
    ListOwn,
    ReportFix,
    StayAwake,
    TakeStep,
)
from chalicelib.domain.connections import Connection
from chalicelib.domain.orders import Order
from chalicelib.domain.people import Actor
from chalicelib.edge.waybill import Waybill

Performer = Callable[[Waybill, Connection, Any], Any]


def perform(waybill: Waybill, connection: Connection, ask: Ask) -> Any:
    """Do one thing; what comes of it is the contract's to word. Raises WaybillError."""
    return PERFORMERS[type(ask)](waybill, connection, ask)


def actor_of(connection: Connection) -> Actor:
    """Who speaks on a connection."""
    return Actor(connection.person_id, connection.role, restaurant_ids=connection.restaurant_ids)


def _report_fix(waybill: Waybill, connection: Connection, ask: ReportFix) -> bool:
    return waybill.fleet.record_fix(actor_of(connection), ask.fix) is not None


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
    TakeStep: _take_step,
    AcceptOrder: _accept,
    ListOpen: _list_open,
    ListOwn: _list_own,
    Leave: _leave,
}
