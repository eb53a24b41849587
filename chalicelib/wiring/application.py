"""The application: its rooms, one after another, and the services of them that the edge calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from chalicelib.contracts.base import Contract
from chalicelib.contracts.registry import build_contracts
from chalicelib.contracts.renderer import ContractRenderer
from chalicelib.edge.app_services import Services
from chalicelib.edge.aws.payment_signature import ProviderSignature
from chalicelib.edge.cursors import CursorSigner
from chalicelib.edge.lazy_auth import LazyAuthenticator
from chalicelib.edge.wait_budget import WaitBudget
from chalicelib.services.messaging.greeting import GreetingService
from chalicelib.services.rides.requests import RideService
from chalicelib.services.tracking.links import TrackingLinks
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import DispatchServices, build_dispatch, build_releaser
from chalicelib.wiring.messaging import MessagingServices, build_messaging
from chalicelib.wiring.money import (
    MoneyServices,
    build_fees,
    build_money,
    build_settlements,
    build_tips,
)
from chalicelib.wiring.ops import build_ops
from chalicelib.wiring.orders import OrderServices, build_meter, build_orders
from chalicelib.wiring.parts import Parts, Replacements, build_parts
from chalicelib.wiring.people import PeopleServices, build_people
from chalicelib.wiring.rides import build_rides
from chalicelib.wiring.ticking import build_positions, build_tick_starter, build_ticker
from chalicelib.wiring.tracking import build_link_notices, build_tracking, build_tracking_links
from chalicelib.wiring.wakeups import build_greeting, build_sweeper, build_wakeup_handler
from chalicelib.wiring.webhooks import WebhookServices, build_webhook_sender, build_webhooks

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Rooms(msgspec.Struct, frozen=True):
    """What each room has built."""

    contracts: Mapping[str, Contract]
    messaging: MessagingServices
    money: MoneyServices
    dispatch: DispatchServices
    orders: OrderServices
    rides: RideService
    people: PeopleServices
    webhooks: WebhookServices
    greeting: GreetingService
    tracking_links: TrackingLinks


def build(settings: Settings, **given: Unpack[Replacements]) -> Services:
    """Build the application. What is given replaces the real part."""
    parts = build_parts(settings, given)
    return build_services(settings, parts, build_rooms(settings, parts))


def build_rooms(
    settings: Settings, parts: Parts, renderer: ContractRenderer | None = None
) -> Rooms:
    """Build the rooms, each after those that it calls. `renderer` replaces the contracts' own."""
    contracts = build_contracts(settings)
    renderer = renderer or ContractRenderer(
        contracts, settings.heartbeat, build_positions(parts).find_position
    )
    # Of dispatch, messaging calls this alone: a courier whose last socket has gone may have an
    # order that is over.
    releaser = build_releaser(parts)
    starter = build_tick_starter(parts)
    messaging = build_messaging(settings, parts, renderer, releaser, starter.keep_running)
    # Before dispatch, whose commits book what a courier has earned.
    money = build_money(settings, parts, messaging)
    notices = build_link_notices(settings, parts, messaging)
    listeners = [
        money.earnings.on_committed,
        money.debts.on_committed,
        notices.on_committed,
        build_meter(settings, parts).on_committed,
    ]
    charge_end = build_fees(settings).charge_end
    dispatch = build_dispatch(settings, parts, messaging, releaser, charge_end, listeners)
    tracking = build_tracking(settings, parts, messaging, dispatch, notices)
    orders = build_orders(settings, parts, messaging, money, dispatch, tracking)
    return Rooms(
        contracts=contracts,
        messaging=messaging,
        money=money,
        dispatch=dispatch,
        orders=orders,
        rides=build_rides(settings, parts, dispatch, orders, tracking),
        people=build_people(parts),
        webhooks=build_webhooks(parts, messaging),
        greeting=build_greeting(parts, messaging, orders, starter.start),
        tracking_links=build_tracking_links(settings, parts, dispatch, orders.proof, notices),
    )


def build_services(settings: Settings, parts: Parts, rooms: Rooms) -> Services:
    """Put what the edge calls into one hand."""
    messaging, money = rooms.messaging, rooms.money
    dispatch, orders = rooms.dispatch, rooms.orders
    settlements = build_settlements(parts, dispatch)
    ops = build_ops(settings, parts, dispatch)
    ticker = build_ticker(settings, parts, messaging, ops.board)
    return Services(
        authenticate=LazyAuthenticator(settings, parts.clock).authenticate,
        make_wait_budget=lambda: WaitBudget(parts.allowances, parts.sleep, parts.clock),
        payment_signature=ProviderSignature(settings.payment_webhook_secret, parts.clock),
        cors_origins=settings.cors_origins,
        public_url=settings.public_url,
        map_style=settings.map_style,
        oidc=settings.oidc,
        contracts=rooms.contracts,
        renderer=messaging.renderer,
        customer_orders=orders.customer,
        held_orders=orders.held,
        order_lists=orders.lists,
        board=ops.board,
        figures=ops.figures,
        cursors=CursorSigner(settings.signing_secret),
        amendments=orders.amendments,
        order_history=orders.history,
        courier_orders=orders.courier,
        courier_status=orders.status,
        chats=orders.chats,
        ratings=orders.ratings,
        proof=orders.proof,
        tracking_links=rooms.tracking_links,
        reattempts=orders.reattempts,
        hands=orders.hands,
        pauses=rooms.people.pauses,
        open_pool=dispatch.pool,
        rides=rooms.rides,
        payments=money.payments,
        payouts=money.payouts,
        tips=build_tips(parts, dispatch),
        settlements=settlements,
        quotes=money.quotes,
        profiles=rooms.people.profiles,
        restaurants=rooms.people.restaurants,
        webhooks=rooms.webhooks.endpoints,
        webhook_attempts=rooms.webhooks.attempts,
        redelivery=rooms.webhooks.redelivery,
        event_history=messaging.history,
        event_stream=messaging.stream,
        announcements=messaging.announcements,
        connections=messaging.connections,
        fanout=messaging.fanout,
        welcome=rooms.greeting,
        wakeup_handler=build_wakeup_handler(
            parts,
            messaging,
            money,
            dispatch,
            rooms.greeting,
            settlements,
            rooms.webhooks,
            ops,
            ticker,
        ),
        sweeper=build_sweeper(parts),
        webhook_sender=build_webhook_sender(settings, parts, messaging),
        recorder=parts.recorder,
        queue=parts.queue,
        queue_name=settings.queue_name,
        webhook_queue_name=settings.webhook_queue_name,
        clock=parts.clock,
    )
