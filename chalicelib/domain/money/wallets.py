"""A courier's wallet: a balance, and an append-only ledger whose entries add up to it.

An entry's key says what it is for, so that nothing is booked twice: whoever books looks for it in
the ledger, and a key that the wallet itself still has is refused here. Minor units throughout; a
balance is never negative.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.domain.money import earnings
from chalicelib.domain.money.earnings import EarningBreakdown, MonthlyRecord
from chalicelib.domain.orders.model import Order
from chalicelib.domain.outbox import append_entry, draft_event
from chalicelib.errors import AlreadyBooked, BalanceTooLow

MONTHS_KEPT = 3
_STREAM_PREFIX = "wallet#"


class Booking(msgspec.Struct, frozen=True):
    """One entry of the ledger. `balance_minor` is the balance after it."""

    key: str
    amount_minor: int
    balance_minor: int
    reason: str
    at: datetime


class Wallet(msgspec.Struct, frozen=True, omit_defaults=True):
    """`version` counts commits; `outbox` holds the events of the last of them, and `newest` the
    entries of the very last, which are not in the ledger yet: so that a balance changes with them
    in one write."""

    courier_id: str
    balance_minor: int = 0
    version: int = 0
    months: dict[str, MonthlyRecord] = {}
    entries: tuple[Entry, ...] = msgspec.field(default=(), name="outbox")
    latest_bookings: tuple[Booking, ...] = msgspec.field(default=(), name="newest")

    @property
    def outbox(self) -> Outbox:
        """What has lately been told of this wallet."""
        return Outbox(wallet_stream(self.courier_id), None, self.entries)


class WalletChange(msgspec.Struct, frozen=True):
    """A wallet as it is to be written, and what is told of it."""

    wallet: Wallet
    events: tuple[Event, ...] = ()


def wallet_stream(courier_id: str) -> str:
    """The stream name of a wallet's events."""
    return f"{_STREAM_PREFIX}{courier_id}"


def make_earning_key(order_id: int) -> str:
    """What the earning of an order is booked under."""
    return f"earning#{order_id}"


def make_payout_key(payout_id: str) -> str:
    """What a payout is booked under."""
    return f"payout#{payout_id}"


def book_earning(wallet: Wallet, order: Order, now: datetime) -> WalletChange:
    """Book what a delivered order earns, and the month's bonus if that reaches it. Raises
    AlreadyBooked if the wallet has it among its newest entries."""
    _check_not_booked(wallet, make_earning_key(order.id))
    parts, period = (
        earnings.compute_earning(order),
        earnings.format_period(earnings.get_delivery_time(order)),
    )
    month = wallet.months.get(period, MonthlyRecord()).with_delivery(earnings.was_on_time(order))
    due = month.deserves_bonus
    months = {**wallet.months, period: replace(month, rewarded=month.rewarded or due)}
    kept = dict(sorted(months.items())[-MONTHS_KEPT:])
    change = _add_booking(
        WalletChange(replace(wallet, months=kept, latest_bookings=())),
        make_earning_key(order.id),
        parts.amount_minor,
        events.EARNING_RECORDED,
        now,
    )
    change = _add_earning_event(change, order.id, parts, now)
    if due:
        change = _add_bonus(change, period, now)
    return _seal_change(change, now)


def reserve_payout(
    wallet: Wallet, payout_id: str, amount_minor: int, now: datetime
) -> WalletChange:
    """Set an amount aside for a payout. Raises BalanceTooLow, AlreadyBooked."""
    _check_not_booked(wallet, make_payout_key(payout_id))
    if amount_minor > wallet.balance_minor:
        raise BalanceTooLow("This is more than the balance.")
    change = WalletChange(replace(wallet, latest_bookings=()))
    change = _add_booking(
        change, make_payout_key(payout_id), -amount_minor, "payout_requested", now
    )
    return _seal_change(change, now)


def _check_not_booked(wallet: Wallet, key: str) -> None:
    if any(booking.key == key for booking in wallet.latest_bookings):
        raise AlreadyBooked(key)


def _add_booking(
    change: WalletChange, key: str, amount_minor: int, reason: str, now: datetime
) -> WalletChange:
    """One entry more, and the wallet_updated that goes with every change of a balance."""
    wallet = change.wallet
    _check_not_booked(wallet, key)
    balance = wallet.balance_minor + amount_minor
    told = draft_event(
        events.WALLET_UPDATED,
        wallet.courier_id,
        wallet_stream(wallet.courier_id),
        now,
        previous_minor=wallet.balance_minor,
        balance_minor=balance,
        reason=reason,
    )
    booked = (*wallet.latest_bookings, Booking(key, amount_minor, balance, reason, now))
    return WalletChange(
        replace(wallet, balance_minor=balance, latest_bookings=booked),
        (*change.events, told),
    )


def _add_earning_event(
    change: WalletChange, order_id: int, parts: EarningBreakdown, now: datetime
) -> WalletChange:
    told = draft_event(
        events.EARNING_RECORDED,
        change.wallet.courier_id,
        wallet_stream(change.wallet.courier_id),
        now,
        order_id=order_id,
        parts=msgspec.to_builtins(parts),
        amount_minor=parts.amount_minor,
        balance_minor=change.wallet.balance_minor,
    )
    return replace(change, events=(told, *change.events))


def _add_bonus(change: WalletChange, period: str, now: datetime) -> WalletChange:
    key = f"bonus#{earnings.ON_TIME}#{period}"
    booked = _add_booking(change, key, earnings.BONUS_MINOR, events.BONUS_EARNED, now)
    told = draft_event(
        events.BONUS_EARNED,
        booked.wallet.courier_id,
        wallet_stream(booked.wallet.courier_id),
        now,
        kind=earnings.ON_TIME,
        period=period,
        amount_minor=earnings.BONUS_MINOR,
        balance_minor=booked.wallet.balance_minor,
    )
    return replace(booked, events=(*change.events, told, booked.events[-1]))


def _seal_change(change: WalletChange, now: datetime) -> WalletChange:
    version = change.wallet.version + 1
    outbox = append_entry(change.wallet.entries, version, now, change.events)
    return replace(change, wallet=replace(change.wallet, version=version, entries=outbox))
