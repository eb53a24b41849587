"""Everything an edge may call, in one hand. wiring.build() makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.contracts.base import Contract
from chalicelib.domain.people import Actor
from chalicelib.edge.aws.payment_signature import ProviderSignature
from chalicelib.edge.hurry import Patience
from chalicelib.services.dispatch.open_pool import Pool
from chalicelib.services.messaging.announcements import Announcing
from chalicelib.services.messaging.connections import Presence
from chalicelib.services.messaging.event_history import Feeds
from chalicelib.services.messaging.fanout import Broadcast
from chalicelib.services.messaging.greeting import Greeting
from chalicelib.services.money.payments import Payments
from chalicelib.services.money.payouts import Payouts
from chalicelib.services.orders.chat import Chats
from chalicelib.services.orders.courier import Delivery
from chalicelib.services.orders.courier_status import Fleet
from chalicelib.services.orders.customer import Ordering
from chalicelib.services.orders.ratings import Ratings
from chalicelib.services.people.profiles import Profiles
from chalicelib.services.people.restaurants import Restaurants
from chalicelib.services.ports import Clock, Queue
from chalicelib.services.rides.requests import Rides
from chalicelib.services.sweeper import Sweeper
from chalicelib.services.wakeup_handler import Waking


@dataclass(frozen=True)
class Waybill:
    """The services, the contracts by name, and `authenticate`: a token becomes an actor. Each
    message that comes too early has a `patience` of its own.
    `provider` knows what the payment provider has signed, pages of `origins` may call us,
    wakeups are sent by `queue`, and `queue_name` is its name."""

    authenticate: Callable[[str | None], Actor]
    patience: Callable[[], Patience]
    provider: ProviderSignature
    origins: Sequence[str]
    contracts: Mapping[str, Contract]
    ordering: Ordering
    delivery: Delivery
    fleet: Fleet
    feeds: Feeds
    payouts: Payouts
    payments: Payments
    profiles: Profiles
    pool: Pool
    restaurants: Restaurants
    rides: Rides
    rides_ws_create: bool
    chats: Chats
    ratings: Ratings
    announcing: Announcing
    presence: Presence
    greeting: Greeting
    broadcast: Broadcast
    waking: Waking
    sweeper: Sweeper
    queue: Queue
    queue_name: str
    clock: Clock


Provider = Callable[[], Waybill]
"""Builds it at the first call: a cold start imports and connects no more than it must."""
