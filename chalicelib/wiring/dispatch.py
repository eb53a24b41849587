"""Dispatch: finding a courier for an order, and writing orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec

from chalicelib.domain.orders.dispatch_policy import DispatchPolicy
from chalicelib.domain.orders.time_rank import TimeRank
from chalicelib.domain.orders.waves import Wave
from chalicelib.services.dispatch.broadcast import NearbyDispatch, NearbyNotifier
from chalicelib.services.dispatch.courier_releaser import CourierReleaser
from chalicelib.services.dispatch.history_archive import HistoryArchive
from chalicelib.services.dispatch.open_pool import OpenPool
from chalicelib.services.dispatch.order_commits import ChargeEnd, CommitListener, OrderWriter
from chalicelib.services.dispatch.schedules import Schedules
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.dispatch.stacks import StackPrices
from chalicelib.settings import Settings, Waves
from chalicelib.wiring.messaging import MessagingServices
from chalicelib.wiring.parts import Parts


class DispatchServices(msgspec.Struct, frozen=True):
    """What other rooms and the edge need of dispatch."""

    releaser: CourierReleaser
    orders: OrderWriter
    sequential: SequentialDispatch
    pool: OpenPool
    archive: HistoryArchive


def build_releaser(parts: Parts) -> CourierReleaser:
    """Build what messaging, which is built before the rest of dispatch, needs of it."""
    return CourierReleaser(parts.orders, parts.couriers, parts.queue, parts.clock)


def build_dispatch(
    settings: Settings,
    parts: Parts,
    messaging: MessagingServices,
    releaser: CourierReleaser,
    charge_end: ChargeEnd,
    listeners: Sequence[CommitListener],
) -> DispatchServices:
    """Build the services of dispatch. `charge_end` adds what an end costs;
    `listeners` hear of each commit, after those of dispatch."""
    policies = build_policies(settings)
    pool = _build_pool(settings, parts, messaging)
    archive = HistoryArchive(parts.histories, settings.history_kept, parts.clock)
    notifier = NearbyNotifier(messaging.fanout, policies, parts.clock)
    orders = OrderWriter(
        parts.orders,
        parts.couriers,
        messaging.relay,
        parts.queue,
        parts.threads,
        parts.clock,
        archive,
        messaging.planner,
        charge_end,
        (pool.on_committed, notifier.on_committed, *listeners),
        parts.retries,
    )
    sequential = _build_sequential(settings, parts, messaging, policies, orders)
    return DispatchServices(releaser, orders, sequential, pool, archive)


def _build_sequential(
    settings: Settings,
    parts: Parts,
    messaging: MessagingServices,
    policies: Mapping[str, DispatchPolicy],
    orders: OrderWriter,
) -> SequentialDispatch:
    shared = (
        parts.orders,
        parts.couriers,
        orders,
        messaging.planner,
        policies,
        Schedules(policies, settings.schedule_lead),
        NearbyDispatch(parts.couriers, orders, parts.clock),
        parts.clock,
        parts.pause,
        _build_stacks(settings, parts),
    )
    if not settings.batch_window:
        return SequentialDispatch(*shared)
    from chalicelib.services.dispatch.batches import BatchDispatch  # where it is asked for only

    prices = _build_prices(settings, parts)
    return BatchDispatch(
        *shared,
        window=settings.batch_window,
        resolution=settings.ops_zone_resolution,
        prices=prices,
    )


def _build_stacks(settings: Settings, parts: Parts) -> StackPrices | None:
    """Build what several orders a courier need; None where they have one at most."""
    if settings.courier_max_orders == 1:
        return None
    return _build_prices(settings, parts)


def _build_prices(settings: Settings, parts: Parts) -> StackPrices:
    return StackPrices(parts.orders, settings.stack_extra, parts.clock, _make_rank(settings))


def _build_pool(settings: Settings, parts: Parts, messaging: MessagingServices) -> OpenPool:
    return OpenPool(
        parts.orders,
        parts.couriers,
        parts.connections,
        messaging.fanout,
        settings.food_ready_ttl,
        parts.clock,
    )


def build_policies(settings: Settings) -> dict[str, DispatchPolicy]:
    """List by flow how couriers are searched."""
    near = (settings.dispatch_radius_m, settings.fix_max_age)
    rank = _make_rank(settings)
    return {
        "delivery": DispatchPolicy(
            settings.delivery_offer_ttl,
            *near,
            exclude=settings.dispatch_exclude,
            waves=_make_waves(settings.dispatch_waves),
            rank=rank,
        ),
        "hail": DispatchPolicy(
            settings.hail_offer_ttl,
            *near,
            search_ttl=settings.hail_search_ttl,
            ask_again=True,
            waves=_make_waves(settings.hail_waves),
            rank=rank,
        ),
        "ride": DispatchPolicy(
            settings.ride_search_ttl,
            *near,
            search_ttl=settings.ride_search_ttl,
            is_broadcast=True,
        ),
        # Nobody is searched: a pool hears of it. The driver to whom it is assigned has as long to
        # collect it.
        "food": DispatchPolicy(settings.food_ready_ttl, *near),
    }


def _make_waves(waves: Waves) -> tuple[Wave, ...]:
    return tuple(
        Wave(radius_m, couriers, timedelta(seconds=seconds))
        for radius_m, couriers, seconds in waves
    )


def _make_rank(settings: Settings) -> TimeRank | None:
    return TimeRank(settings.vehicle_speeds) if settings.ranks_by_time else None
