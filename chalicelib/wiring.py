"""Puts the parts together: settings, stores, services. The only module that knows everyone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import botocore.config
from pynamodb.connection import Connection as Database

from chalicelib.contracts.base import Contract, Request
from chalicelib.contracts.feed.events import worded
from chalicelib.contracts.food.socketio import FoodOverSocketIO
from chalicelib.contracts.registry import CONTRACTS
from chalicelib.domain.events import Event, Outbox
from chalicelib.domain.ids import IdSource, new_id
from chalicelib.domain.messaging.connections import Connection, Heartbeat, Listener
from chalicelib.domain.money.fares import Tariff
from chalicelib.domain.money.payments import key_of as payment_key
from chalicelib.domain.orders.chat import key_of as message_key
from chalicelib.domain.orders.dispatch_policy import Policy
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Actor
from chalicelib.domain.rate_limits import LIMITS
from chalicelib.domain.retries import Retries
from chalicelib.edge.app_services import Waybill
from chalicelib.edge.aws.connections_api import ConnectionsApi
from chalicelib.edge.aws.payment_signature import ProviderSignature
from chalicelib.edge.aws.queue import WakeupQueue
from chalicelib.edge.hurry import Patience
from chalicelib.errors import NotFound, WaybillError
from chalicelib.services import ports
from chalicelib.services.dispatch.broadcast import Calling, Calls
from chalicelib.services.dispatch.holding import Holding
from chalicelib.services.dispatch.open_pool import Pool
from chalicelib.services.dispatch.order_commits import Changes
from chalicelib.services.dispatch.sequential import Dispatching
from chalicelib.services.messaging.announcements import Announcing
from chalicelib.services.messaging.connections import Presence
from chalicelib.services.messaging.event_counts import Counting
from chalicelib.services.messaging.event_history import Feeds
from chalicelib.services.messaging.fanout import Broadcast
from chalicelib.services.messaging.greeting import Greeting
from chalicelib.services.messaging.mailboxes import Mailboxes
from chalicelib.services.messaging.outbox import Publishing
from chalicelib.services.messaging.posting import Posting
from chalicelib.services.messaging.relay import Relay
from chalicelib.services.money.earnings import Earnings, Wallets
from chalicelib.services.money.payments import Payments
from chalicelib.services.money.payouts import Payouts
from chalicelib.services.orders.chat import Chats
from chalicelib.services.orders.courier import Delivery
from chalicelib.services.orders.courier_status import Fleet
from chalicelib.services.orders.customer import Ordering
from chalicelib.services.orders.event_details import Particulars
from chalicelib.services.orders.ratings import Ratings
from chalicelib.services.people.profiles import Profiles
from chalicelib.services.people.restaurants import Restaurants
from chalicelib.services.rides.metering import Trips
from chalicelib.services.rides.progress import Tracking
from chalicelib.services.rides.requests import Followers, Rides
from chalicelib.services.sweeper import Sweeper
from chalicelib.services.wakeup_handler import Waking
from chalicelib.settings import Settings
from chalicelib.store import tables
from chalicelib.store.allowances import Allowances
from chalicelib.store.chats import Chats as ChatTable
from chalicelib.store.connections import Connections
from chalicelib.store.counters import Counters
from chalicelib.store.couriers import Couriers
from chalicelib.store.failures import FAULTS
from chalicelib.store.mailboxes import Mailboxes as MailboxTable
from chalicelib.store.orders import Orders
from chalicelib.store.payments import Payments as PaymentTable
from chalicelib.store.people import People
from chalicelib.store.ratings import Ratings as RatingTable
from chalicelib.store.restaurants import Restaurants as RestaurantTable
from chalicelib.store.wallets import Wallets as WalletTable

_POOL_SIZE = 16  # queries of one ring, posts to one person's sockets

_built: Waybill | None = None
_building = threading.Lock()


def waybill() -> Waybill:
    """The application, made once per cold start from the environment."""
    global _built
    with _building:
        if _built is None:
            _built = build(Settings.from_env())
        return _built


def use(made: Waybill | None) -> None:
    """Serve from this application, instead of one from the environment; None: back to that."""
    global _built
    with _building:
        _built = made


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(timezone.utc)


def build(
    settings: Settings,
    *,
    clock: ports.Clock = utc_now,
    ids: IdSource | None = None,
    gateway: ports.Gateway | None = None,
    queue: ports.Queue | None = None,
    orders: ports.OrderStore | None = None,
    mailboxes: ports.MailboxStore | None = None,
    connections: ports.ConnectionStore | None = None,
    database: Database | None = None,
    pause: Callable[[float], object] = time.sleep,
    sleep: Callable[[float], object] | None = None,
) -> Waybill:
    """Make the application. What is given replaces the real part; tests give a clock, a gateway
    and faults. `database` is what tables.bind() returned, if that has been done; `pause` waits for
    so many seconds before a change that was beaten is tried again, and `sleep` (or else `pause`)
    before a message that came too early is."""
    database = database or tables.bind(
        settings.table_prefix, settings.aws_region, settings.aws_endpoint
    )
    session: Any = database.session
    threads = ThreadPoolExecutor(_POOL_SIZE, thread_name_prefix="waybill")
    retries = Retries(pause, clock)
    orders = orders or Orders(database)
    couriers, people = Couriers(threads, retries, clock), People(retries)
    connections = connections or Connections()
    chats, allowances = ChatTable(), Allowances()
    gateway = gateway or ConnectionsApi(settings.connections_endpoint, session, settings.aws_region)
    queue = queue or wakeup_queue(session, settings)

    wallet_rows, payment_rows = WalletTable(database), PaymentTable()
    load = _loader(orders, wallet_rows, payment_rows, chats)
    ids = ids or (lambda: new_id(clock()))
    silence = {"feed": settings.feed_stale}
    holding = Holding(orders, couriers, queue, clock)
    contracts = {**CONTRACTS, "socketio": FoodOverSocketIO(settings.socketio_ping_interval)}
    voices = _Voices(contracts, settings.heartbeat)
    presence = Presence(
        connections,
        couriers,
        gateway,
        queue,
        holding,
        settings.auth_deadline,
        silence,
        voices.heartbeat,
        voices.last_words,
        threads,
        clock,
        retries,
    )
    broadcast = Broadcast(
        orders, connections, presence, gateway, voices.words, queue, threads, clock
    )
    mailboxes, counters = mailboxes or MailboxTable(), Counters(threads)
    posting = Posting(gateway, voices.words, presence.forget, FAULTS, threads, clock)
    tally = Counting(counters, worded).tally
    boxes = Mailboxes(mailboxes, posting, load, presence.cut_off, tally, FAULTS, clock)
    relay = Relay(boxes, ThreadPoolExecutor(_POOL_SIZE, thread_name_prefix="relay"))
    pool = Pool(orders, couriers, connections, broadcast, settings.food_ready_ttl, clock)
    publishing = Publishing(relay, queue, clock, retries)
    wallets = Wallets(wallet_rows, publishing)
    earnings = Earnings(wallets, orders, publishing, clock)
    payments = Payments(payment_rows, orders, publishing, clock)
    particulars = Particulars(couriers, RestaurantTable(), payments.status_of)
    policies = _policies(settings)
    calls = Calls(broadcast, policies, clock)
    followers = (pool.follow, calls.follow, earnings.follow)
    changes = Changes(orders, couriers, relay, queue, clock, followers, retries)

    def settle(outbox: Outbox) -> None:
        changes.settle(outbox)
        earnings.settle(outbox)

    calling = Calling(couriers, changes, clock)
    dispatching = Dispatching(orders, couriers, changes, policies, calling, clock, pause)
    tariffs = {name: Tariff(*prices) for name, *prices in settings.ride_tariffs}
    trips = Trips(couriers, tariffs, settings.start_ride_radius_m)
    prepares = {"ride": trips.prepare, "food": pool.prepare}
    delivery = Delivery(people, changes, dispatching, holding, particulars, prepares, clock)
    ordering = Ordering(
        orders, couriers, people, mailboxes, changes, dispatching, holding, ids, clock, retries
    )
    tracking = Tracking(orders, couriers, changes, holding, broadcast, clock)
    greeting = Greeting(
        connections, presence, boxes, ordering, gateway, voices.first_frames, voices.rooms, clock
    )
    return Waybill(
        authenticate=_Authenticate(settings, clock),
        patience=lambda: Patience(allowances, sleep or pause, clock),
        provider=ProviderSignature(settings.payment_webhook_secret, clock),
        origins=settings.cors_origins,
        contracts=voices.contracts,
        ordering=ordering,
        delivery=delivery,
        feeds=Feeds(mailboxes, connections, counters, threads, clock),
        payouts=Payouts(wallets, wallet_rows, publishing, ids, clock),
        payments=payments,
        fleet=Fleet(
            couriers,
            delivery,
            holding,
            (Followers(broadcast).follow, tracking.follow),
            settings.fix_max_accuracy_m,
            settings.fix_max_age,
            clock,
        ),
        profiles=Profiles(people, couriers),
        rides=Rides(
            people,
            ordering,
            delivery,
            dispatching,
            trips,
            tariffs,
            settings.reallocate_on_driver_cancel,
            clock,
        ),
        rides_ws_create=settings.rides_ws_create,
        chats=Chats(
            chats, allowances, ordering, relay, queue, LIMITS, ids, threads, clock, retries
        ),
        ratings=Ratings(RatingTable(database, retries), ordering, clock),
        announcing=Announcing(broadcast, clock),
        pool=pool,
        restaurants=Restaurants(RestaurantTable()),
        presence=presence,
        greeting=greeting,
        broadcast=broadcast,
        waking=Waking(
            load, relay, settle, dispatching, greeting, presence, broadcast, queue, threads, clock
        ),
        sweeper=Sweeper(orders, connections, queue, clock),
        queue=queue,
        queue_name=settings.queue_name,
        clock=clock,
    )


def _loader(
    orders: ports.OrderStore,
    wallets: ports.WalletStore,
    payments: ports.PaymentStore,
    chats: ports.ChatStore,
) -> Callable[[str], Outbox | None]:
    """Finds the outbox of a stream by its name: what kind of aggregate it is of, and which."""

    def payment(payment_id: str) -> Outbox | None:
        key = payment_key(payment_id)
        found = payments.get(*key) if key else None
        return found.told if found else None

    def message(name: str) -> Outbox | None:
        sent = chats.get(*message_key(name))
        return sent.told if sent else None

    kinds: dict[str, Callable[[str], Outbox | None]] = {
        "order": lambda id_: orders.get(int(id_)).told,
        "wallet": lambda id_: wallets.get(id_).told,
        "payout": lambda id_: wallets.payout(id_).told,
        "payment": payment,
        "chat": message,
    }

    def load(stream: str) -> Outbox | None:
        kind, _, id_ = stream.partition("#")
        try:
            return kinds[kind](id_)
        except NotFound:
            return None

    return load


def _policies(settings: Settings) -> dict[str, Policy]:
    return {
        "delivery": Policy(
            flow="delivery",
            offer_ttl=settings.delivery_offer_ttl,
            radius_m=settings.dispatch_radius_m,
            fix_max_age=settings.fix_max_age,
            exclude=settings.dispatch_exclude,
        ),
        "hail": Policy(
            flow="hail",
            offer_ttl=settings.hail_offer_ttl,
            radius_m=settings.dispatch_radius_m,
            fix_max_age=settings.fix_max_age,
            search_ttl=settings.hail_search_ttl,
            ask_again=True,
        ),
        "ride": Policy(
            flow="ride",
            offer_ttl=settings.ride_search_ttl,
            radius_m=settings.dispatch_radius_m,
            fix_max_age=settings.fix_max_age,
            search_ttl=settings.ride_search_ttl,
            calls=True,
        ),
        # Nobody is looked for: a pool is told. Whoever it is assigned to has as long to collect it.
        "food": Policy(
            flow="food",
            offer_ttl=settings.food_ready_ttl,
            radius_m=settings.dispatch_radius_m,
            fix_max_age=settings.fix_max_age,
        ),
    }


class _Voices:
    """The contracts as services need them: each listener and connection has one."""

    def __init__(self, contracts: Mapping[str, Contract], every: timedelta) -> None:
        self.contracts = contracts
        self._every = every

    def words(self, listener: Listener, event: Event) -> Sequence[str]:
        contract = self.contracts.get(listener.contract)
        return contract.words(event, listener) if contract else ()

    def rooms(self, connection: Connection) -> Sequence[str]:
        return self.contracts[connection.contract].rooms(connection)

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        return self.contracts[connection.contract].first_frames(connection, offered)

    def last_words(self, connection: Connection, why: WaybillError) -> Sequence[str]:
        return self.contracts[connection.contract].refusal(Request(), why)

    def heartbeat(self, contract: str) -> Heartbeat | None:
        """The contract's own heartbeat; else our sign of life, where one is asked for."""
        spoken = self.contracts[contract]
        if spoken.heartbeat or not self._every or not spoken.sign_of_life:
            return spoken.heartbeat
        return Heartbeat(self._every, spoken.sign_of_life)


def wakeup_queue(session: Any, settings: Settings) -> WakeupQueue:
    """Make the queue of the wakeups, over a botocore session."""
    config = botocore.config.Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"total_max_attempts": 3, "mode": "standard"},
        max_pool_connections=tables.POOL_SIZE,
        tcp_keepalive=True,
    )
    client = session.create_client(
        "sqs", settings.aws_region, endpoint_url=settings.aws_endpoint, config=config
    )
    return WakeupQueue(client, settings.queue_name)


class _Authenticate:
    """Imports pyjwt at the first token: wakeups and the sweep never see one."""

    def __init__(self, settings: Settings, clock: ports.Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._authenticator: Any = None

    def __call__(self, token: str | None) -> Actor:
        if self._authenticator is None:
            from chalicelib.edge.auth import Authenticator

            self._authenticator = Authenticator(self._settings, self._clock)
        actor: Actor = self._authenticator.actor(token)
        return actor
