"""Positions: what a courier's fixes mean for an order under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chalicelib.domain.money.fares import Tariff
from chalicelib.services.orders.courier_status import Follower
from chalicelib.services.rides.metering import Trips
from chalicelib.services.rides.progress import Tracking
from chalicelib.services.rides.requests import Followers
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import Dispatch
from chalicelib.wiring.messaging import Messaging
from chalicelib.wiring.parts import Parts


class Positions(msgspec.Struct, frozen=True):
    """What measures rides, and what hears of each fix, in this order."""

    tariffs: Mapping[str, Tariff]
    meter: Trips
    listeners: Sequence[Follower]


def build_positions(
    settings: Settings, parts: Parts, messaging: Messaging, dispatch: Dispatch
) -> Positions:
    """Build what `orders` and `rides` need of positions."""
    tariffs = {name: Tariff(*prices) for name, *prices in settings.ride_tariffs}
    tracking = Tracking(
        parts.orders,
        parts.couriers,
        dispatch.orders,
        dispatch.holding,
        messaging.fanout,
        parts.clock,
    )
    return Positions(
        tariffs,
        Trips(parts.couriers, tariffs, settings.start_ride_radius_m),
        (Followers(messaging.fanout).follow, tracking.follow),
    )
