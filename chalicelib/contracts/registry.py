"""The contracts by the name that connections carry.

`?contract=…` has it; infra/resources/websocket_paths.py says which path becomes which.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from chalicelib.contracts.base import Contract
from chalicelib.contracts.courier import socket as courier
from chalicelib.contracts.drivers import socket as drivers
from chalicelib.contracts.feed import socket as feed
from chalicelib.contracts.food import socket as food
from chalicelib.contracts.food.orders import render_food_order
from chalicelib.contracts.food.socketio import FoodSocketIOContract
from chalicelib.contracts.ops import socket as ops
from chalicelib.contracts.placing import render_order_options
from chalicelib.contracts.rides import socket as rides
from chalicelib.contracts.track import socket as track
from chalicelib.domain.orders.model import Order


class ContractSettings(Protocol):
    """What of the settings is the contracts'."""

    @property
    def feed_stale(self) -> timedelta: ...
    @property
    def rides_ws_create(self) -> bool: ...
    @property
    def socketio_ping_interval(self) -> timedelta: ...
    @property
    def ops_zone_resolution(self) -> int: ...


def build_contracts(settings: ContractSettings) -> dict[str, Contract]:
    """Make the contracts, by the name that connections carry."""
    return {
        "courier": courier.COURIER,
        "customer": courier.CUSTOMER,
        "feed": feed.FeedContract(settings.feed_stale),
        "drivers": drivers.DRIVERS,
        "food": food.FOOD,
        "socketio": FoodSocketIOContract(settings.socketio_ping_interval),
        rides.NAME: rides.RidesContract(settings.rides_ws_create),
        "track": track.TRACK,
        "ops": ops.OpsContract(settings.ops_zone_resolution),
    }


# How an order of each flow is shown by REST, where that is not spec 000's way.
ORDER_RENDERERS: dict[str, Callable[[Order], dict[str, Any]]] = {"food": render_food_order}


def render_order(order: Order) -> dict[str, Any]:
    """Render an order as REST shows it: in the words of the contract that it was placed by."""
    render = ORDER_RENDERERS.get(order.details.flow, courier.render_delivery_order)
    return {**render(order), **render_order_options(order)}
