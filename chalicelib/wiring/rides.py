"""Rides: what riders ask for (spec 001)."""

from __future__ import annotations

from chalicelib.services.rides.requests import Rides
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import Dispatch
from chalicelib.wiring.orders import Orders
from chalicelib.wiring.parts import Parts
from chalicelib.wiring.positions import Positions


def build_rides(
    settings: Settings, parts: Parts, dispatch: Dispatch, orders: Orders, positions: Positions
) -> Rides:
    """Build the room."""
    return Rides(
        parts.people,
        orders.customer,
        orders.courier,
        dispatch.sequential,
        positions.meter,
        positions.tariffs,
        settings.reallocate_on_driver_cancel,
        parts.clock,
    )
