"""Money: couriers' earnings and payouts, customers' payments."""

from __future__ import annotations

import msgspec

from chalicelib.services.money.earnings import Earnings, Wallets
from chalicelib.services.money.payments import Payments
from chalicelib.services.money.payouts import Payouts
from chalicelib.wiring.messaging import Messaging
from chalicelib.wiring.parts import Parts


class Money(msgspec.Struct, frozen=True):
    """What the other rooms and the edge need of this one."""

    earnings: Earnings
    payments: Payments
    payouts: Payouts


def build_money(parts: Parts, messaging: Messaging) -> Money:
    """Build the room."""
    wallets = Wallets(parts.wallets, messaging.outboxes)
    return Money(
        earnings=Earnings(wallets, parts.orders, messaging.outboxes, parts.clock),
        payments=Payments(parts.payments, parts.orders, messaging.outboxes, parts.clock),
        payouts=Payouts(wallets, parts.wallets, messaging.outboxes, parts.ids, parts.clock),
    )
