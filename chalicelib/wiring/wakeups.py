"""Wakeups: what the queue and the schedule set off."""

from __future__ import annotations

from chalicelib.services.messaging.greeting import GreetingService
from chalicelib.services.messaging.liveness import KeepWatched
from chalicelib.services.money.settlements import Settlements
from chalicelib.services.ops.ticker import BoardTicker
from chalicelib.services.orders.waiting import NoShowNotices
from chalicelib.services.sweeper import Sweeper
from chalicelib.services.wakeup_handler import WakeupHandler
from chalicelib.wiring.dispatch import DispatchServices
from chalicelib.wiring.messaging import MessagingServices
from chalicelib.wiring.money import MoneyServices
from chalicelib.wiring.ops import OpsServices
from chalicelib.wiring.orders import OrderServices
from chalicelib.wiring.parts import Parts
from chalicelib.wiring.webhooks import WebhookServices, build_reminders


def build_greeting(
    parts: Parts, messaging: MessagingServices, orders: OrderServices, start_ticks: KeepWatched
) -> GreetingService:
    """Build the service that greets new connections. Who begins to watch the board has
    `start_ticks` called."""
    return GreetingService(
        parts.connections,
        messaging.connections,
        messaging.mailboxes,
        orders.customer,
        parts.gateway,
        messaging.resumer,
        messaging.renderer.render_first_frames,
        messaging.renderer.list_rooms,
        start_ticks,
        parts.clock,
    )


def build_wakeup_handler(
    parts: Parts,
    messaging: MessagingServices,
    money: MoneyServices,
    dispatch: DispatchServices,
    greeting: GreetingService,
    settlements: Settlements,
    webhooks: WebhookServices,
    ops: OpsServices,
    ticker: BoardTicker,
) -> WakeupHandler:
    """Build the service that handles each wakeup."""
    return WakeupHandler(
        messaging.loader.load_outbox,
        messaging.relay,
        (
            dispatch.orders.release_if_delivered,
            dispatch.releaser.release_losers,
            money.earnings.book_if_delivered,
            money.debts.book_if_due,
            settlements.settle_if_due,
        ),
        dispatch.sequential,
        NoShowNotices(parts.orders, dispatch.orders, parts.clock),
        greeting,
        messaging.connections,
        messaging.fanout,
        webhooks.replays,
        parts.queue,
        parts.threads,
        parts.clock,
        build_reminders(parts),
        build_sweeper(parts),
        ops.summaries.summarize_end,
        ticker,
    )


def build_sweeper(parts: Parts) -> Sweeper:
    """Build the service that queues what is due."""
    return Sweeper(parts.orders, parts.connections, parts.queue, parts.clock)
