"""Money: couriers' earnings and payouts, customers' quotes and payments."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chalicelib.domain.money.fares import STANDARD, Tariff, Tariffs
from chalicelib.domain.money.fees import CancelFee, FeePolicy
from chalicelib.domain.money.quotes import PURPOSE
from chalicelib.domain.signed_tokens import TokenSigner
from chalicelib.services.money.debts import Debts
from chalicelib.services.money.earnings import Earnings
from chalicelib.services.money.payments import Payments
from chalicelib.services.money.payouts import Payouts
from chalicelib.services.money.quotes import QuoteService
from chalicelib.services.money.settlements import Settlements
from chalicelib.services.money.tips import Tips
from chalicelib.services.money.wallets import WalletService
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import DispatchServices, build_policies
from chalicelib.wiring.messaging import MessagingServices
from chalicelib.wiring.parts import Parts


class MoneyServices(msgspec.Struct, frozen=True):
    """What other rooms and the edge need of money."""

    earnings: Earnings
    debts: Debts
    payments: Payments
    payouts: Payouts
    quotes: QuoteService


def build_money(settings: Settings, parts: Parts, messaging: MessagingServices) -> MoneyServices:
    """Build the services of money."""
    wallets = WalletService(parts.wallets, messaging.outboxes)
    return MoneyServices(
        earnings=Earnings(wallets, parts.orders, messaging.outboxes, parts.clock),
        debts=Debts(wallets, parts.orders, messaging.outboxes, parts.clock),
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
        quotes=_build_quotes(settings, parts),
    )


def build_fees(settings: Settings) -> FeePolicy:
    """Build the policy of fees."""
    return FeePolicy(
        {flow: CancelFee(*fees) for flow, *fees in settings.cancel_fees},
        dict(settings.no_show_fees),
        settings.return_fee_percent,
        settings.waiting_per_minute,
        settings.free_waiting,
    )


def build_tips(parts: Parts, dispatch: DispatchServices) -> Tips:
    """Build the service of tips: they are written with their order, so after dispatch."""
    return Tips(dispatch.orders, parts.request_keys, parts.clock)


def build_settlements(parts: Parts, dispatch: DispatchServices) -> Settlements:
    """Build the service of settlements: they are noted on their order, so after dispatch."""
    return Settlements(parts.orders, parts.payments, dispatch.orders, parts.clock)


def _build_quotes(settings: Settings, parts: Parts) -> QuoteService:
    secret = settings.signing_secret
    return QuoteService(
        parts.couriers,
        parts.connections,
        parts.restaurants,
        list_tariffs(settings),
        build_policies(settings),
        TokenSigner(secret, PURPOSE) if secret else None,
        settings.quote_ttl,
        settings.schedule_lead,
        parts.clock,
    )


def list_tariffs(settings: Settings) -> Mapping[str, Tariffs]:
    """List the tariffs by flow, and by vehicle type where the flow asks for one."""
    return {
        "delivery": {STANDARD: Tariff(*settings.delivery_tariff)},
        "hail": {STANDARD: Tariff(*settings.hail_tariff)},
        "food": {STANDARD: Tariff(*settings.food_tariff)},
        "ride": {name: Tariff(*prices) for name, *prices in settings.ride_tariffs},
    }
