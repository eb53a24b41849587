"""Dispatch: finding a courier for an order, and writing orders."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chalicelib.domain.orders.dispatch_policy import Policy
from chalicelib.services.dispatch.broadcast import Calling, Calls
from chalicelib.services.dispatch.holding import Holding
from chalicelib.services.dispatch.open_pool import Pool
from chalicelib.services.dispatch.order_commits import Changes, Follower
from chalicelib.services.dispatch.sequential import Dispatching
from chalicelib.settings import Settings
from chalicelib.wiring.messaging import Messaging
from chalicelib.wiring.parts import Parts


class Dispatch(msgspec.Struct, frozen=True):
    """What the other rooms need of this one."""

    holding: Holding
    orders: Changes
    sequential: Dispatching
    pool: Pool


def build_holding(parts: Parts) -> Holding:
    """Build what messaging needs of this room."""
    return Holding(parts.orders, parts.couriers, parts.queue, parts.clock)


def build_dispatch(
    settings: Settings,
    parts: Parts,
    messaging: Messaging,
    holding: Holding,
    listeners: Sequence[Follower],
) -> Dispatch:
    """Build the room. `listeners` hear of each commit, after those of this room."""
    policies = build_policies(settings)
    pool = Pool(
        parts.orders,
        parts.couriers,
        parts.connections,
        messaging.fanout,
        settings.food_ready_ttl,
        parts.clock,
    )
    calls = Calls(messaging.fanout, policies, parts.clock)
    orders = Changes(
        parts.orders,
        parts.couriers,
        messaging.relay,
        parts.queue,
        parts.clock,
        (pool.follow, calls.follow, *listeners),
        parts.retries,
    )
    calling = Calling(parts.couriers, orders, parts.clock)
    sequential = Dispatching(
        parts.orders, parts.couriers, orders, policies, calling, parts.clock, parts.pause
    )
    return Dispatch(holding, orders, sequential, pool)


def build_policies(settings: Settings) -> dict[str, Policy]:
    """Say by flow how couriers are looked for."""
    radius_m, fix_max_age = settings.dispatch_radius_m, settings.fix_max_age
    return {
        "delivery": Policy(
            flow="delivery",
            offer_ttl=settings.delivery_offer_ttl,
            radius_m=radius_m,
            fix_max_age=fix_max_age,
            exclude=settings.dispatch_exclude,
        ),
        "hail": Policy(
            flow="hail",
            offer_ttl=settings.hail_offer_ttl,
            radius_m=radius_m,
            fix_max_age=fix_max_age,
            search_ttl=settings.hail_search_ttl,
            ask_again=True,
        ),
        "ride": Policy(
            flow="ride",
            offer_ttl=settings.ride_search_ttl,
            radius_m=radius_m,
            fix_max_age=fix_max_age,
            search_ttl=settings.ride_search_ttl,
            calls=True,
        ),
        # Nobody is searched: a pool hears of it. The driver it is assigned to has as long to
        # collect it.
        "food": Policy(
            flow="food",
            offer_ttl=settings.food_ready_ttl,
            radius_m=radius_m,
            fix_max_age=fix_max_age,
        ),
    }
