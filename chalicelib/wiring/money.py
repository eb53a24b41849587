"""Money: couriers' earnings and payouts, customers' payments."""

from __future__ import annotations

import msgspec

from chalicelib.services.money.earnings import Earnings
from chalicelib.services.money.payments import Payments
from chalicelib.services.money.payouts import Payouts
from chalicelib.services.money.wallets import WalletService
from chalicelib.wiring.messaging import MessagingServices
from chalicelib.wiring.parts import Parts


class MoneyServices(msgspec.Struct, frozen=True):
    """What other rooms and the edge need of money."""

    earnings: Earnings
    payments: Payments
    payouts: Payouts


def build_money(parts: Parts, messaging: MessagingServices) -> MoneyServices:
    """Build the services of money."""
    wallets = WalletService(parts.wallets, messaging.outboxes)
    return MoneyServices(
        earnings=Earnings(wallets, parts.orders, messaging.outboxes, parts.clock),
        payments=Payments(
            parts.payments, parts.orders, parts.request_keys, messaging.outboxes, parts.clock
        ),
        payouts=Payouts(
            wallets,
            parts.wallets,
            parts.request_keys,
            messaging.outboxes,
            parts.ids,
            parts.clock,
        ),
    )
