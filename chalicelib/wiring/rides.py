"""Rides: what riders ask for (spec 001)."""

from __future__ import annotations

from chalicelib.services.rides.requests import RideService
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import DispatchServices
from chalicelib.wiring.orders import OrderServices
from chalicelib.wiring.parts import Parts
from chalicelib.wiring.tracking import TrackingServices


def build_rides(
    settings: Settings,
    parts: Parts,
    dispatch: DispatchServices,
    orders: OrderServices,
    tracking: TrackingServices,
) -> RideService:
    """Build the service of rides."""
    return RideService(
        parts.people,
        orders.customer,
        orders.courier,
        dispatch.sequential,
        tracking.meter,
        tracking.tariffs,
        settings.reallocate_on_driver_cancel,
        parts.clock,
    )
