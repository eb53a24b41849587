"""Positions: what a courier's fixes mean for an order under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chalicelib.domain.money.fares import Tariff
from chalicelib.services.orders.courier_status import FixListener
from chalicelib.services.rides.live_position import LivePosition
from chalicelib.services.rides.metering import RideMeter
from chalicelib.services.rides.progress import ProgressTracker
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import DispatchServices
from chalicelib.wiring.messaging import MessagingServices
from chalicelib.wiring.parts import Parts


class PositionServices(msgspec.Struct, frozen=True):
    """What measures rides, and what hears of each fix, in this order."""

    tariffs: Mapping[str, Tariff]
    meter: RideMeter
    listeners: Sequence[FixListener]


def build_positions(
    settings: Settings, parts: Parts, messaging: MessagingServices, dispatch: DispatchServices
) -> PositionServices:
    """Build what orders and rides need of positions."""
    tariffs = {name: Tariff(*prices) for name, *prices in settings.ride_tariffs}
    tracker = ProgressTracker(
        parts.orders,
        parts.couriers,
        dispatch.orders,
        dispatch.releaser,
        messaging.fanout,
        parts.clock,
    )
    return PositionServices(
        tariffs,
        RideMeter(parts.couriers, tariffs, settings.start_ride_radius_m),
        (LivePosition(messaging.fanout).on_fix, tracker.on_fix),
    )
