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

from chalicelib.contracts.base import Contract, SocketMessage
from chalicelib.contracts.feed.events import is_feed_event
from chalicelib.contracts.food.socketio import FoodSocketIOContract
from chalicelib.contracts.registry import CONTRACTS
from chalicelib.domain.events import Event, Outbox
from chalicelib.domain.ids import IdSource, make_id
from chalicelib.domain.messaging.connections import Connection, Heartbeat, Subscriber
from chalicelib.domain.money.fares import Tariff
from chalicelib.domain.money.payments import parse_payment_id as payment_key
from chalicelib.domain.orders.chat import parse_message_key as message_key
from chalicelib.domain.orders.dispatch_policy import DispatchPolicy
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Actor
from chalicelib.domain.rate_limits import DEFAULT_LIMITS
from chalicelib.domain.retries import Retries
from chalicelib.edge.app_services import Services
from chalicelib.edge.aws.connections_api import ConnectionsApi
from chalicelib.edge.aws.payment_signature import ProviderSignature
from chalicelib.edge.aws.queue import WakeupQueue
from chalicelib.edge.hurry import WaitBudget
from chalicelib.errors import NotFound, WaybillError
from chalicelib.services import ports
from chalicelib.services.dispatch.broadcast import NearbyDispatch, NearbyNotifier
from chalicelib.services.dispatch.holding import CourierReleaser
from chalicelib.services.dispatch.open_pool import OpenPool
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.messaging.announcements import Announcements
from chalicelib.services.messaging.connections import ConnectionRegistry
from chalicelib.services.messaging.event_counts import EventCounter
from chalicelib.services.messaging.event_history import EventHistory
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.messaging.greeting import GreetingService
from chalicelib.services.messaging.mailboxes import Mailboxes
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.messaging.posting import EventPoster
from chalicelib.services.messaging.relay import OutboxRelay
from chalicelib.services.money.earnings import Earnings, WalletService
from chalicelib.services.money.payments import Payments
from chalicelib.services.money.payouts import Payouts
from chalicelib.services.orders.chat import ChatService
from chalicelib.services.orders.courier import CourierOrders
from chalicelib.services.orders.courier_status import CourierStatusService
from chalicelib.services.orders.customer import CustomerOrders
from chalicelib.services.orders.event_details import EventDetails
from chalicelib.services.orders.ratings import RatingService
from chalicelib.services.people.profiles import Profiles
from chalicelib.services.people.restaurants import Restaurants
from chalicelib.services.rides.metering import RideMeter
from chalicelib.services.rides.progress import ProgressTracker
from chalicelib.services.rides.requests import LivePosition, RideService
from chalicelib.services.sweeper import Sweeper
from chalicelib.services.wakeup_handler import WakeupHandler
from chalicelib.settings import Settings
from chalicelib.store import tables
from chalicelib.store.allowances import AllowanceTable
from chalicelib.store.chats import ChatTable as ChatTable
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.counters import CounterTable
from chalicelib.store.couriers import CourierTable
from chalicelib.store.failures import FAULTS
from chalicelib.store.mailboxes import MailboxTable as MailboxTable
from chalicelib.store.orders import OrderTable
from chalicelib.store.payments import PaymentTable as PaymentTable
from chalicelib.store.people import PeopleTable
from chalicelib.store.ratings import RatingTable as RatingTable
from chalicelib.store.restaurants import RestaurantTable as RestaurantTable
from chalicelib.store.wallets import WalletTable as WalletTable

_POOL_SIZE = 16  # queries of one ring, posts to one person's sockets

_built: Services | None = None
_building = threading.Lock()


def waybill() -> Services:
    """The application, made once per cold start from the environment."""
    global _built
    with _building:
        if _built is None:
            _built = build(Settings.from_env())
        return _built


def use(made: Services | None) -> None:
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
    gateway: ports.FrameSender | None = None,
    queue: ports.WakeupSender | None = None,
    orders: ports.OrderStore | None = None,
    mailboxes: ports.MailboxStore | None = None,
    connections: ports.ConnectionStore | None = None,
    database: Database | None = None,
    pause: Callable[[float], object] = time.sleep,
    sleep: Callable[[float], object] | None = None,
) -> Services:
    """Make the application. What is given replaces the real part; tests give a clock, a gateway
    and faults. `database` is what tables.bind() returned, if that has been done; `pause` waits for
    so many seconds before a change that was beaten is tried again, and `sleep` (or else `pause`)
    before a message that came too early is."""
    database = database or tables.bind_tables(
        settings.table_prefix, settings.aws_region, settings.aws_endpoint
    )
    session: Any = database.session
    threads = ThreadPoolExecutor(_POOL_SIZE, thread_name_prefix="waybill")
    retries = Retries(pause, clock)
    orders = orders or OrderTable(database)
    couriers, people = CourierTable(threads, retries, clock), PeopleTable(retries)
    connections = connections or ConnectionTable()
    chats, allowances = ChatTable(), AllowanceTable()
    gateway = gateway or ConnectionsApi(settings.connections_endpoint, session, settings.aws_region)
    queue = queue or wakeup_queue(session, settings)

    wallet_rows, payment_rows = WalletTable(database), PaymentTable()
    load = _loader(orders, wallet_rows, payment_rows, chats)
    ids = ids or (lambda: make_id(clock()))
    silence = {"feed": settings.feed_stale}
    holding = CourierReleaser(orders, couriers, queue, clock)
    contracts = {**CONTRACTS, "socketio": FoodSocketIOContract(settings.socketio_ping_interval)}
    voices = _Voices(contracts, settings.heartbeat)
    presence = ConnectionRegistry(
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
    broadcast = FanOut(orders, connections, presence, gateway, voices.words, queue, threads, clock)
    mailboxes, counters = mailboxes or MailboxTable(), CounterTable(threads)
    posting = EventPoster(gateway, voices.words, presence.remove_connection, FAULTS, threads, clock)
    tally = EventCounter(counters, is_feed_event).count_events
    boxes = Mailboxes(mailboxes, posting, load, presence.close_or_raise, tally, FAULTS, clock)
    relay = OutboxRelay(boxes, ThreadPoolExecutor(_POOL_SIZE, thread_name_prefix="relay"))
    pool = OpenPool(orders, couriers, connections, broadcast, settings.food_ready_ttl, clock)
    publishing = OutboxWriter(relay, queue, clock, retries)
    wallets = WalletService(wallet_rows, publishing)
    earnings = Earnings(wallets, orders, publishing, clock)
    payments = Payments(payment_rows, orders, publishing, clock)
    particulars = EventDetails(couriers, RestaurantTable(), payments.get_payment_status)
    policies = _policies(settings)
    calls = NearbyNotifier(broadcast, policies, clock)
    followers = (pool.on_committed, calls.on_committed, earnings.on_committed)
    changes = OrderWriter(orders, couriers, relay, queue, clock, followers, retries)

    def settle(outbox: Outbox) -> None:
        changes.release_if_delivered(outbox)
        earnings.book_if_delivered(outbox)

    calling = NearbyDispatch(couriers, changes, clock)
    dispatching = SequentialDispatch(orders, couriers, changes, policies, calling, clock, pause)
    tariffs = {name: Tariff(*prices) for name, *prices in settings.ride_tariffs}
    trips = RideMeter(couriers, tariffs, settings.start_ride_radius_m)
    prepares = {"ride": trips.complete_command, "food": pool.complete_command}
    delivery = CourierOrders(people, changes, dispatching, holding, particulars, prepares, clock)
    ordering = CustomerOrders(
        orders, couriers, people, mailboxes, changes, dispatching, holding, ids, clock, retries
    )
    tracking = ProgressTracker(orders, couriers, changes, holding, broadcast, clock)
    greeting = GreetingService(
        connections, presence, boxes, ordering, gateway, voices.first_frames, voices.rooms, clock
    )
    return Services(
        authenticate=_Authenticate(settings, clock),
        make_wait_budget=lambda: WaitBudget(allowances, sleep or pause, clock),
        payment_signature=ProviderSignature(settings.payment_webhook_secret, clock),
        cors_origins=settings.cors_origins,
        contracts=voices.contracts,
        customer_orders=ordering,
        courier_orders=delivery,
        event_history=EventHistory(mailboxes, connections, counters, threads, clock),
        payouts=Payouts(wallets, wallet_rows, publishing, ids, clock),
        payments=payments,
        courier_status=CourierStatusService(
            couriers,
            delivery,
            holding,
            (LivePosition(broadcast).on_fix, tracking.on_fix),
            settings.fix_max_accuracy_m,
            settings.fix_max_age,
            clock,
        ),
        profiles=Profiles(people, couriers),
        rides=RideService(
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
        chats=ChatService(
            chats, allowances, ordering, relay, queue, DEFAULT_LIMITS, ids, threads, clock, retries
        ),
        ratings=RatingService(RatingTable(database, retries), ordering, clock),
        announcements=Announcements(broadcast, clock),
        open_pool=pool,
        restaurants=Restaurants(RestaurantTable()),
        connections=presence,
        welcome=greeting,
        fanout=broadcast,
        wakeup_handler=WakeupHandler(
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
        found = payments.get_attempt(*key) if key else None
        return found.outbox if found else None

    def message(name: str) -> Outbox | None:
        sent = chats.get_message(*message_key(name))
        return sent.outbox if sent else None

    kinds: dict[str, Callable[[str], Outbox | None]] = {
        "order": lambda id_: orders.get_order(int(id_)).outbox,
        "wallet": lambda id_: wallets.get_wallet(id_).outbox,
        "payout": lambda id_: wallets.get_payout(id_).outbox,
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


def _policies(settings: Settings) -> dict[str, DispatchPolicy]:
    return {
        "delivery": DispatchPolicy(
            flow="delivery",
            offer_ttl=settings.delivery_offer_ttl,
            radius_m=settings.dispatch_radius_m,
            fix_max_age=settings.fix_max_age,
            exclude=settings.dispatch_exclude,
        ),
        "hail": DispatchPolicy(
            flow="hail",
            offer_ttl=settings.hail_offer_ttl,
            radius_m=settings.dispatch_radius_m,
            fix_max_age=settings.fix_max_age,
            search_ttl=settings.hail_search_ttl,
            ask_again=True,
        ),
        "ride": DispatchPolicy(
            flow="ride",
            offer_ttl=settings.ride_search_ttl,
            radius_m=settings.dispatch_radius_m,
            fix_max_age=settings.fix_max_age,
            search_ttl=settings.ride_search_ttl,
            is_broadcast=True,
        ),
        # Nobody is looked for: a pool is told. Whoever it is assigned to has as long to collect it.
        "food": DispatchPolicy(
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

    def words(self, listener: Subscriber, event: Event) -> Sequence[str]:
        contract = self.contracts.get(listener.contract)
        return contract.render_event(event, listener) if contract else ()

    def rooms(self, connection: Connection) -> Sequence[str]:
        return self.contracts[connection.contract].rooms_for(connection)

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        return self.contracts[connection.contract].first_frames(connection, offered)

    def last_words(self, connection: Connection, why: WaybillError) -> Sequence[str]:
        return self.contracts[connection.contract].error_frames(SocketMessage(), why)

    def heartbeat(self, contract: str) -> Heartbeat | None:
        """The contract's own heartbeat; else our sign of life, where one is asked for."""
        spoken = self.contracts[contract]
        if spoken.heartbeat or not self._every or not spoken.keepalive_frame:
            return spoken.heartbeat
        return Heartbeat(self._every, spoken.keepalive_frame)


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
        actor: Actor = self._authenticator.authenticate(token)
        return actor
