"""The services that the edge calls, in one struct. wiring.build() makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from chalicelib.contracts.base import Contract
from chalicelib.contracts.renderer import ContractRenderer
from chalicelib.domain.people import Actor
from chalicelib.edge.aws.payment_signature import ProviderSignature
from chalicelib.edge.cursors import CursorSigner
from chalicelib.edge.recorder import Recorder
from chalicelib.edge.wait_budget import WaitBudget
from chalicelib.services.dispatch.open_pool import OpenPool
from chalicelib.services.messaging.announcements import Announcements
from chalicelib.services.messaging.connections import ConnectionRegistry
from chalicelib.services.messaging.event_history import EventHistory
from chalicelib.services.messaging.event_stream import EventStream
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.messaging.greeting import GreetingService
from chalicelib.services.money.payments import Payments
from chalicelib.services.money.payouts import Payouts
from chalicelib.services.money.quotes import QuoteService
from chalicelib.services.money.settlements import Settlements
from chalicelib.services.money.tips import Tips
from chalicelib.services.ops.board import BoardReader
from chalicelib.services.ops.figures import FiguresReader
from chalicelib.services.orders.amending import OrderAmendments
from chalicelib.services.orders.chat import ChatService
from chalicelib.services.orders.courier import CourierOrders
from chalicelib.services.orders.courier_status import CourierStatusService
from chalicelib.services.orders.customer import CustomerOrders
from chalicelib.services.orders.hands import OrderHands
from chalicelib.services.orders.held import HeldOrders
from chalicelib.services.orders.history import OrderHistory
from chalicelib.services.orders.lists import OrderLists
from chalicelib.services.orders.proof import ProofService
from chalicelib.services.orders.ratings import RatingService
from chalicelib.services.orders.reattempts import Reattempts
from chalicelib.services.people.pauses import CourierPauses
from chalicelib.services.people.profiles import Profiles
from chalicelib.services.people.restaurants import Restaurants
from chalicelib.services.ports import Clock, WakeupSender
from chalicelib.services.rides.requests import RideService
from chalicelib.services.sweeper import Sweeper
from chalicelib.services.tracking.links import TrackingLinks
from chalicelib.services.wakeup_handler import WakeupHandler
from chalicelib.services.webhooks.attempts import AttemptHistory
from chalicelib.services.webhooks.endpoints import WebhookEndpoints
from chalicelib.services.webhooks.redelivery import Redelivery
from chalicelib.services.webhooks.sending import WebhookSender
from chalicelib.settings import OidcClient


class Services(msgspec.Struct, frozen=True):
    """Hold the services that the edge calls, and the contracts by name.

    `authenticate` makes an actor of a token; raises Unauthenticated, Unavailable. A message that
    comes too early waits within a budget of its own, made by `make_wait_budget`.
    `payment_signature` verifies what the payment provider sends. Pages of `cors_origins` may call
    the REST API, which is reached at `public_url`, if that is known. The console's map is drawn by
    `map_style`: a style's URL and the origins it loads from, or nothing. People sign in to it by
    `oidc`, where there is one. Wakeups are sent by `queue`, whose name is `queue_name`.
    """

    authenticate: Callable[[str | None], Actor]
    make_wait_budget: Callable[[], WaitBudget]
    payment_signature: ProviderSignature
    cors_origins: Sequence[str]
    public_url: str
    map_style: Sequence[str]
    oidc: OidcClient | None
    contracts: Mapping[str, Contract]
    renderer: ContractRenderer
    customer_orders: CustomerOrders
    held_orders: HeldOrders
    order_lists: OrderLists
    board: BoardReader
    figures: FiguresReader
    cursors: CursorSigner
    amendments: OrderAmendments
    order_history: OrderHistory
    courier_orders: CourierOrders
    courier_status: CourierStatusService
    event_history: EventHistory
    event_stream: EventStream
    payouts: Payouts
    tips: Tips
    settlements: Settlements
    payments: Payments
    quotes: QuoteService
    profiles: Profiles
    open_pool: OpenPool
    restaurants: Restaurants
    rides: RideService
    chats: ChatService
    ratings: RatingService
    proof: ProofService
    tracking_links: TrackingLinks
    reattempts: Reattempts
    hands: OrderHands
    pauses: CourierPauses
    webhooks: WebhookEndpoints
    webhook_attempts: AttemptHistory
    redelivery: Redelivery
    announcements: Announcements
    connections: ConnectionRegistry
    welcome: GreetingService
    fanout: FanOut
    wakeup_handler: WakeupHandler
    sweeper: Sweeper
    webhook_sender: WebhookSender
    recorder: Recorder
    queue: WakeupSender
    queue_name: str
    webhook_queue_name: str
    clock: Clock


ServicesFactory = Callable[[], Services]
"""Builds the services at the first call: a cold start connects no sooner than it must."""
