"""What happens by itself: connections are greeted, wakeups handled, the sweep made."""

from __future__ import annotations

from chalicelib.domain.events import Outbox
from chalicelib.services.messaging.greeting import Greeting
from chalicelib.services.sweeper import Sweeper
from chalicelib.services.wakeup_handler import Waking
from chalicelib.wiring.dispatch import Dispatch
from chalicelib.wiring.messaging import Messaging
from chalicelib.wiring.money import Money
from chalicelib.wiring.orders import Orders
from chalicelib.wiring.parts import Parts


def build_greeting(parts: Parts, messaging: Messaging, orders: Orders) -> Greeting:
    """Build what greets new connections."""
    return Greeting(
        parts.connections,
        messaging.connections,
        messaging.mailboxes,
        orders.customer,
        parts.gateway,
        messaging.renderer.render_first_frames,
        messaging.renderer.list_rooms,
        parts.clock,
    )


def build_wakeup_handler(
    parts: Parts, messaging: Messaging, money: Money, dispatch: Dispatch, greeting: Greeting
) -> Waking:
    """Build what handles each wakeup off the queue."""

    def settle(outbox: Outbox) -> None:
        dispatch.orders.settle(outbox)
        money.earnings.settle(outbox)

    return Waking(
        messaging.loader.load_outbox,
        messaging.relay,
        settle,
        dispatch.sequential,
        greeting,
        messaging.connections,
        messaging.fanout,
        parts.queue,
        parts.threads,
        parts.clock,
    )


def build_sweeper(parts: Parts) -> Sweeper:
    """Build what lists what is due and queues it."""
    return Sweeper(parts.orders, parts.connections, parts.queue, parts.clock)
