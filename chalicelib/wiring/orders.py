"""Orders: what customers and couriers do with them, and what people say of them."""

from __future__ import annotations

from functools import partial

import msgspec

from chalicelib.domain.measures import Zones
from chalicelib.domain.money.fares import estimate_anew
from chalicelib.domain.rate_limits import DEFAULT_LIMITS
from chalicelib.services.orders.amending import OrderAmendments
from chalicelib.services.orders.arrivals import ArrivalWatch
from chalicelib.services.orders.chat import ChatService
from chalicelib.services.orders.courier import CourierOrders
from chalicelib.services.orders.courier_status import CourierStatusService
from chalicelib.services.orders.customer import CustomerOrders
from chalicelib.services.orders.event_details import EventDetails
from chalicelib.services.orders.hands import OrderHands
from chalicelib.services.orders.held import HeldOrders
from chalicelib.services.orders.history import OrderHistory
from chalicelib.services.orders.lists import OrderLists
from chalicelib.services.orders.measuring import OrderMeter
from chalicelib.services.orders.proof import ProofService
from chalicelib.services.orders.ratings import RatingService
from chalicelib.services.orders.reattempts import Reattempts
from chalicelib.services.orders.waiting import WaitClocks
from chalicelib.services.tracking.progress import ArrivalListener
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import DispatchServices
from chalicelib.wiring.messaging import MessagingServices
from chalicelib.wiring.money import MoneyServices, list_tariffs
from chalicelib.wiring.parts import Parts
from chalicelib.wiring.tracking import TrackingServices


class OrderServices(msgspec.Struct, frozen=True):
    """What other rooms and the edge need of orders."""

    customer: CustomerOrders
    held: HeldOrders
    lists: OrderLists
    amendments: OrderAmendments
    history: OrderHistory
    courier: CourierOrders
    status: CourierStatusService
    chats: ChatService
    ratings: RatingService
    proof: ProofService
    reattempts: Reattempts
    hands: OrderHands


def build_meter(settings: Settings, parts: Parts) -> OrderMeter:
    """Build what counts each commit of an order."""
    zones = Zones(settings.ops_zone_resolution, settings.metrics_zones)
    return OrderMeter(parts.recorder.record, zones)


def build_orders(
    settings: Settings,
    parts: Parts,
    messaging: MessagingServices,
    money: MoneyServices,
    dispatch: DispatchServices,
    tracking: TrackingServices,
) -> OrderServices:
    """Build the services of orders."""
    proof = _build_proof(settings, parts, dispatch)
    held = _build_held(settings, parts, dispatch)
    customer = _build_customer(parts, money, dispatch, held, proof)
    courier = _build_courier(settings, parts, money, dispatch, tracking, proof)
    reattempts = _build_reattempts(settings, parts, dispatch, proof)
    return OrderServices(
        customer=customer,
        held=held,
        lists=OrderLists(
            parts.listings, parts.orders, parts.request_keys, settings.orders_kept, parts.clock
        ),
        amendments=_build_amendments(parts, money, dispatch, tracking),
        history=OrderHistory(parts.orders, dispatch.sequential, dispatch.archive),
        courier=courier,
        status=_build_status(settings, parts, dispatch, tracking, courier),
        chats=_build_chats(parts, messaging, customer),
        reattempts=reattempts,
        hands=_build_hands(parts, money, dispatch, reattempts),
        ratings=RatingService(parts.ratings, customer, parts.request_keys, parts.clock),
        proof=proof,
    )


def _build_held(settings: Settings, parts: Parts, dispatch: DispatchServices) -> HeldOrders:
    return HeldOrders(
        parts.orders,
        parts.couriers,
        dispatch.sequential,
        dispatch.releaser,
        settings.fix_max_age,
        parts.clock,
    )


def _build_status(
    settings: Settings,
    parts: Parts,
    dispatch: DispatchServices,
    tracking: TrackingServices,
    courier: CourierOrders,
) -> CourierStatusService:
    return CourierStatusService(
        parts.couriers,
        courier,
        dispatch.releaser,
        tracking.make_listeners(_build_arrival_watch(settings, parts, dispatch, courier)),
        settings.fix_max_accuracy_m,
        settings.fix_max_age,
        parts.clock,
    )


def _build_reattempts(
    settings: Settings, parts: Parts, dispatch: DispatchServices, proof: ProofService
) -> Reattempts:
    return Reattempts(
        parts.orders,
        parts.request_keys,
        dispatch.orders,
        dispatch.sequential,
        proof,
        list_tariffs(settings),
        parts.ids,
        parts.clock,
        parts.retries,
    )


def _build_hands(
    parts: Parts, money: MoneyServices, dispatch: DispatchServices, reattempts: Reattempts
) -> OrderHands:
    return OrderHands(
        parts.orders,
        parts.couriers,
        parts.people,
        dispatch.orders,
        dispatch.sequential,
        dispatch.releaser,
        EventDetails(parts.couriers, parts.restaurants, money.payments.get_payment_status),
        reattempts,
        parts.ids,
        parts.clock,
    )


def _build_proof(settings: Settings, parts: Parts, dispatch: DispatchServices) -> ProofService:
    return ProofService(
        parts.orders,
        dispatch.orders,
        parts.proof_bucket,
        settings.signing_secret,
        parts.clock,
    )


def _build_customer(
    parts: Parts,
    money: MoneyServices,
    dispatch: DispatchServices,
    held: HeldOrders,
    proof: ProofService,
) -> CustomerOrders:
    return CustomerOrders(
        parts.orders,
        parts.request_keys,
        parts.couriers,
        parts.people,
        parts.mailboxes,
        dispatch.orders,
        dispatch.sequential,
        dispatch.releaser,
        held,
        money.quotes.redeem_quote,
        proof,
        parts.ids,
        parts.clock,
        parts.retries,
    )


def _build_amendments(
    parts: Parts, money: MoneyServices, dispatch: DispatchServices, tracking: TrackingServices
) -> OrderAmendments:
    return OrderAmendments(
        dispatch.orders,
        dispatch.sequential,
        {"ride": partial(estimate_anew, tariffs=tracking.tariffs)},
        money.quotes.redeem_quote,
        money.payments.find_free_attempt,
        parts.clock,
    )


def _build_courier(
    settings: Settings,
    parts: Parts,
    money: MoneyServices,
    dispatch: DispatchServices,
    tracking: TrackingServices,
    proof: ProofService,
) -> CourierOrders:
    return CourierOrders(
        parts.people,
        dispatch.orders,
        dispatch.sequential,
        dispatch.releaser,
        EventDetails(parts.couriers, parts.restaurants, money.payments.get_payment_status),
        # What a command lacks until the order's flow has completed it.
        {
            "delivery": dispatch.sequential.complete_command,
            "hail": dispatch.sequential.complete_command,
            "ride": tracking.meter.complete_command,
            "food": dispatch.pool.complete_command,
        },
        proof,
        WaitClocks(settings.no_show_after_pickup, settings.no_show_after_dropoff),
        settings.releases_max,
        parts.threads,
        parts.clock,
    )


def _build_arrival_watch(
    settings: Settings, parts: Parts, dispatch: DispatchServices, courier: CourierOrders
) -> ArrivalListener | None:
    if settings.auto_arrive == "off":
        return None
    takes_steps = settings.auto_arrive == "do"
    return ArrivalWatch(dispatch.orders, courier, takes_steps, parts.clock).on_fix


def _build_chats(
    parts: Parts, messaging: MessagingServices, customer: CustomerOrders
) -> ChatService:
    return ChatService(
        parts.chats,
        parts.allowances,
        customer,
        parts.request_keys,
        messaging.relay,
        parts.queue,
        DEFAULT_LIMITS,
        parts.ids,
        parts.threads,
        parts.clock,
        parts.retries,
    )
