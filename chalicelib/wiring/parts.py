"""Parts: what touches the world. Time, threads, ids, tables, the queue and the gateway."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import cache
from typing import Any, TypedDict

import botocore.config
import msgspec
from pynamodb.connection import Connection as DatabaseConnection

from chalicelib.domain.ids import IdSource, make_id
from chalicelib.domain.measures import POST_FAILURES, Metric, Sample
from chalicelib.domain.retries import Retries
from chalicelib.edge.aws.connections_api import ConnectionsApi
from chalicelib.edge.aws.proof_bucket import S3ProofBucket
from chalicelib.edge.aws.queue import SqsWebhookQueue, WakeupQueue
from chalicelib.edge.recorder import Recorder
from chalicelib.edge.threads import ContextPool
from chalicelib.edge.webhooks.client import WebhookClient
from chalicelib.services import ports
from chalicelib.services.request_keys import RequestKeys
from chalicelib.services.webhooks.known_endpoints import KnownEndpoints
from chalicelib.settings import Settings
from chalicelib.store.allowances import AllowanceTable
from chalicelib.store.chats import ChatTable
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.counters import CounterTable
from chalicelib.store.courier_histories import CourierHistoryTable
from chalicelib.store.couriers import CourierTable
from chalicelib.store.database import POOL_SIZE, bind_tables
from chalicelib.store.deliveries import DeliveryTable
from chalicelib.store.histories import HistoryTable
from chalicelib.store.keys import KeyTable
from chalicelib.store.listings import ListingTable
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.orders import OrderTable
from chalicelib.store.payments import PaymentTable
from chalicelib.store.people import PeopleTable
from chalicelib.store.ratings import RatingTable
from chalicelib.store.restaurants import RestaurantTable
from chalicelib.store.ticks import TickTable
from chalicelib.store.tracking_links import LinkTable
from chalicelib.store.wallets import WalletTable
from chalicelib.store.watchers import WatcherTable
from chalicelib.store.webhooks import EndpointTable

# Threads wait for the network, not for a CPU: queries of one ring, posts to one person's sockets.
THREADS = 16


class Replacements(TypedDict, total=False):
    """Parts that `build` takes instead of the real ones. Tests give a clock, a gateway, faults.

    `database` is what bind_tables() returned, if that has been done. `pause` waits for so many
    seconds before a change that was beaten is tried again, and `sleep` (or else `pause`) before a
    message that came too early is.
    """

    clock: ports.Clock
    ids: IdSource | None
    gateway: ports.FrameSender | None
    queue: ports.WakeupSender | None
    webhook_queue: ports.WebhookQueue | None
    orders: ports.OrderStore | None
    histories: ports.HistoryStore | None
    wallets: ports.WalletStore | None
    payments: ports.PaymentStore | None
    mailboxes: ports.MailboxStore | None
    connections: ports.ConnectionStore | None
    endpoints: ports.EndpointStore | None
    known_endpoints: KnownEndpoints | None
    deliveries: ports.DeliveryStore | None
    webhook_client: WebhookClient | None
    database: DatabaseConnection | None
    proof_bucket: ports.ProofBucket | None
    recorder: Recorder
    pause: Callable[[float], object]
    sleep: Callable[[float], object] | None


class Parts(msgspec.Struct, frozen=True):
    """What services are built on. Tables stand here by their ports."""

    clock: ports.Clock
    ids: IdSource
    pause: Callable[[float], object]
    sleep: Callable[[float], object]
    retries: Retries
    threads: ThreadPoolExecutor
    # Of their own: a delivery waits for posts, and posts must not wait for deliveries.
    relay_threads: ThreadPoolExecutor
    gateway: ports.FrameSender
    queue: ports.WakeupSender
    webhook_queue: ports.WebhookQueue
    orders: ports.OrderStore
    listings: ports.ListingStore
    histories: ports.HistoryStore
    request_keys: RequestKeys
    links: ports.LinkStore
    couriers: ports.CourierStore
    courier_histories: ports.CourierHistoryStore
    people: ports.PeopleStore
    restaurants: ports.RestaurantStore
    ratings: ports.RatingStore
    chats: ports.ChatStore
    allowances: ports.AllowanceStore
    connections: ports.ConnectionStore
    watchers: ports.WatcherStore
    ticks: ports.TickStore
    mailboxes: ports.MailboxStore
    counters: ports.CounterStore
    wallets: ports.WalletStore
    payments: ports.PaymentStore
    endpoints: ports.EndpointStore
    deliveries: ports.DeliveryStore
    webhook_client: WebhookClient
    known_endpoints: KnownEndpoints
    proof_bucket: ports.ProofBucket | None
    recorder: Recorder


def build_parts(settings: Settings, given: Replacements) -> Parts:
    """Make the parts, but for those that are given."""
    database = given.get("database") or bind_tables(
        settings.table_prefix, settings.aws_region, settings.aws_endpoint
    )
    clock, pause = given.get("clock", utc_now), given.get("pause", time.sleep)
    retries = Retries(pause, clock)
    threads = ContextPool(THREADS, thread_name_prefix="waybill")
    recorder = given.get("recorder") or Recorder(settings.table_prefix, clock)
    endpoints = given.get("endpoints") or EndpointTable(database)
    return Parts(
        clock=clock,
        ids=given.get("ids") or (lambda: make_id(clock())),
        pause=pause,
        sleep=given.get("sleep") or pause,
        retries=retries,
        threads=threads,
        relay_threads=ContextPool(THREADS, thread_name_prefix="relay"),
        gateway=given.get("gateway") or _build_gateway(database.session, settings, recorder),
        queue=given.get("queue") or build_wakeup_queue(database.session, settings),
        webhook_queue=(
            given.get("webhook_queue") or build_webhook_queue(database.session, settings)
        ),
        orders=given.get("orders")
        or OrderTable(
            database,
            settings.orders_kept,
            settings.history_kept,
            settings.courier_max_orders,
            settings.ops_zone_resolution if settings.batch_window else None,
            settings.ranks_by_time,
        ),
        listings=ListingTable(threads),
        histories=given.get("histories") or HistoryTable(),
        request_keys=RequestKeys(KeyTable(), clock),
        links=LinkTable(),
        couriers=CourierTable(
            threads, retries, clock, settings.courier_max_orders, settings.ranks_by_time
        ),
        courier_histories=CourierHistoryTable(
            database, retries, settings.history_kept, clock, settings.courier_max_orders
        ),
        people=PeopleTable(retries),
        restaurants=RestaurantTable(),
        ratings=RatingTable(database, retries),
        chats=ChatTable(database),
        allowances=AllowanceTable(),
        connections=given.get("connections") or ConnectionTable(retries),
        watchers=WatcherTable(),
        ticks=TickTable(),
        mailboxes=given.get("mailboxes") or MailboxTable(),
        counters=CounterTable(threads),
        wallets=given.get("wallets") or WalletTable(database),
        payments=given.get("payments") or PaymentTable(database),
        endpoints=endpoints,
        deliveries=given.get("deliveries") or DeliveryTable(clock),
        webhook_client=(
            given.get("webhook_client") or WebhookClient(settings.webhooks_to_loopback)
        ),
        known_endpoints=given.get("known_endpoints") or KnownEndpoints(endpoints, clock),
        proof_bucket=given.get("proof_bucket") or _build_proof_bucket(database.session, settings),
        recorder=recorder,
    )


def _build_gateway(session: Any, settings: Settings, recorder: Recorder) -> ConnectionsApi:
    return ConnectionsApi(
        settings.connections_endpoint,
        session,
        settings.aws_region,
        report_failure=lambda: recorder.record(Sample(POST_FAILURES, 1)),
    )


def _build_proof_bucket(session: Any, settings: Settings) -> S3ProofBucket | None:
    if not settings.proof_bucket:
        return None
    return S3ProofBucket(session, settings.proof_bucket, settings.aws_region, settings.aws_endpoint)


def build_wakeup_queue(session: Any, settings: Settings) -> WakeupQueue:
    """Make the queue of the wakeups, over a botocore session."""
    return WakeupQueue(_build_sqs_client(session, settings), settings.queue_name)


def build_webhook_queue(session: Any, settings: Settings) -> SqsWebhookQueue:
    """Make the queue of the webhooks, over a botocore session. A stage that has no endpoint never
    makes its client."""
    get_client = cache(lambda: _build_sqs_client(session, settings))
    return SqsWebhookQueue(get_client, settings.webhook_queue_name)


def _build_sqs_client(session: Any, settings: Settings) -> Any:
    config = botocore.config.Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"total_max_attempts": 3, "mode": "standard"},
        max_pool_connections=POOL_SIZE,
        tcp_keepalive=True,
    )
    return session.create_client(
        "sqs", settings.aws_region, endpoint_url=settings.aws_endpoint, config=config
    )


def make_lag_report(parts: Parts, metric: Metric) -> Callable[[datetime], object]:
    """Make what records, of something that began at a time, how many milliseconds ago that was."""

    def report_since(at: datetime) -> None:
        lag_ms = round((parts.clock() - at).total_seconds() * 1000)
        parts.recorder.record(Sample(metric, max(0, lag_ms)))

    return report_since


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(timezone.utc)
