"""What the rooms are built on: time, threads, ids, tables, the queue and the gateway."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any, TypedDict

import botocore.config
import msgspec
from pynamodb.connection import Connection as DatabaseConnection

from chalicelib.domain.ids import IdSource, new_id
from chalicelib.domain.retries import Retries
from chalicelib.edge.aws.connections_api import ConnectionsApi
from chalicelib.edge.aws.queue import WakeupQueue
from chalicelib.services import ports
from chalicelib.settings import Settings
from chalicelib.store import tables
from chalicelib.store.allowances import Allowances
from chalicelib.store.chats import Chats
from chalicelib.store.connections import Connections
from chalicelib.store.counters import Counters
from chalicelib.store.couriers import Couriers
from chalicelib.store.mailboxes import Mailboxes
from chalicelib.store.orders import Orders
from chalicelib.store.payments import Payments
from chalicelib.store.people import People
from chalicelib.store.ratings import Ratings
from chalicelib.store.restaurants import Restaurants
from chalicelib.store.wallets import Wallets

# Threads wait for the network, not for a CPU: queries of one ring, posts to one person's sockets.
THREADS = 16


class Replacements(TypedDict, total=False):
    """What `build` is given in place of the real part. Tests give a clock, a gateway and faults.

    `database` is what tables.bind() returned, if that has been done. `pause` waits for so many
    seconds before a change that was beaten is tried again, and `sleep` (or else `pause`) before a
    message that came too early is.
    """

    clock: ports.Clock
    ids: IdSource | None
    gateway: ports.Gateway | None
    queue: ports.Queue | None
    orders: ports.OrderStore | None
    mailboxes: ports.MailboxStore | None
    connections: ports.ConnectionStore | None
    database: DatabaseConnection | None
    pause: Callable[[float], object]
    sleep: Callable[[float], object] | None


class Parts(msgspec.Struct, frozen=True):
    """Time, threads, ids, tables, the queue and the gateway: everything that touches the world."""

    clock: ports.Clock
    ids: IdSource
    pause: Callable[[float], object]
    sleep: Callable[[float], object]
    retries: Retries
    threads: ThreadPoolExecutor
    gateway: ports.Gateway
    queue: ports.Queue
    orders: ports.OrderStore
    couriers: ports.CourierStore
    people: ports.PeopleStore
    restaurants: ports.RestaurantStore
    ratings: ports.RatingStore
    chats: ports.ChatStore
    allowances: ports.AllowanceStore
    connections: ports.ConnectionStore
    mailboxes: ports.MailboxStore
    counters: ports.CounterStore
    wallets: ports.WalletStore
    payments: ports.PaymentStore


def build_parts(settings: Settings, given: Replacements) -> Parts:
    """Make the parts, but for those that are given."""
    database = given.get("database") or tables.bind(
        settings.table_prefix, settings.aws_region, settings.aws_endpoint
    )
    clock, pause = given.get("clock", utc_now), given.get("pause", time.sleep)
    retries = Retries(pause, clock)
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="waybill")
    return Parts(
        clock=clock,
        ids=given.get("ids") or (lambda: new_id(clock())),
        pause=pause,
        sleep=given.get("sleep") or pause,
        retries=retries,
        threads=threads,
        gateway=given.get("gateway") or _connections_api(database.session, settings),
        queue=given.get("queue") or wakeup_queue(database.session, settings),
        orders=given.get("orders") or Orders(database),
        couriers=Couriers(threads, retries, clock),
        people=People(retries),
        restaurants=Restaurants(),
        ratings=Ratings(database, retries),
        chats=Chats(),
        allowances=Allowances(),
        connections=given.get("connections") or Connections(),
        mailboxes=given.get("mailboxes") or Mailboxes(),
        counters=Counters(threads),
        wallets=Wallets(database),
        payments=Payments(),
    )


def _connections_api(session: Any, settings: Settings) -> ConnectionsApi:
    return ConnectionsApi(settings.connections_endpoint, session, settings.aws_region)


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


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(timezone.utc)
