"""Tracking: what a courier's fixes mean for an order under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from chalicelib.domain.money.fares import Tariffs
from chalicelib.services.orders.courier_status import FixListener
from chalicelib.services.orders.proof import ProofService
from chalicelib.services.rides.metering import RideMeter
from chalicelib.services.tracking.link_notices import LinkNotices
from chalicelib.services.tracking.links import TrackingLinks
from chalicelib.services.tracking.live_position import LivePosition
from chalicelib.services.tracking.progress import ArrivalListener, ProgressTracker
from chalicelib.services.webhooks.positions import PositionTeller
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import DispatchServices
from chalicelib.wiring.messaging import MessagingServices
from chalicelib.wiring.money import list_tariffs
from chalicelib.wiring.parts import Parts


class TrackingServices(msgspec.Struct, frozen=True):
    """What measures rides, and what makes those who hear of each fix, in their order: with who
    watches for arrivals, if anybody does."""

    tariffs: Tariffs
    meter: RideMeter
    make_listeners: Callable[[ArrivalListener | None], Sequence[FixListener]]


def build_link_notices(
    settings: Settings, parts: Parts, messaging: MessagingServices
) -> LinkNotices:
    """Build what hears of each commit, and so comes before dispatch."""
    return LinkNotices(
        messaging.fanout,
        parts.connections,
        messaging.connections,
        settings.tracking_ends_after,
        settings.tracking_near_m,
        parts.clock,
    )


def build_tracking_links(
    settings: Settings,
    parts: Parts,
    dispatch: DispatchServices,
    proof: ProofService,
    notices: LinkNotices,
) -> TrackingLinks:
    """Build what makes and opens links."""
    return TrackingLinks(
        parts.links,
        parts.orders,
        parts.couriers,
        dispatch.orders,
        proof,
        notices,
        settings.tracking_ends_after,
        settings.tracking_near_m,
        parts.clock,
    )


def build_tracking(
    settings: Settings,
    parts: Parts,
    messaging: MessagingServices,
    dispatch: DispatchServices,
    notices: LinkNotices,
) -> TrackingServices:
    """Build what orders and rides need of tracking."""
    tariffs = list_tariffs(settings)["ride"]
    teller = PositionTeller(
        parts.known_endpoints, parts.orders, parts.mailboxes, messaging.mailboxes, parts.clock
    )

    def make_listeners(watch_arrivals: ArrivalListener | None) -> Sequence[FixListener]:
        tracker = ProgressTracker(
            parts.orders,
            parts.couriers,
            dispatch.orders,
            dispatch.releaser,
            messaging.fanout,
            notices,
            parts.clock,
            watch_arrivals,
        )
        return LivePosition(messaging.fanout).on_fix, tracker.on_fix, teller.on_fix

    meter = RideMeter(parts.couriers, tariffs, settings.start_ride_radius_m)
    return TrackingServices(tariffs, meter, make_listeners)
