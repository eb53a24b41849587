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
from chalicelib.domain.money.earnings import Breakdown, Month
from chalicelib.domain.orders.model import Order
from chalicelib.domain.outbox import draft, with_entry
from chalicelib.errors import AlreadyBooked, BalanceTooLow

MONTHS_KEPT = 3
_STREAM = "wallet#"


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
    months: dict[str, Month] = {}
    outbox: tuple[Entry, ...] = ()
    newest: tuple[Booking, ...] = ()

    @property
    def told(self) -> Outbox:
        """What has lately been told of this wallet."""
        return Outbox(stream(self.courier_id), None, self.outbox)


class Change(msgspec.Struct, frozen=True):
    """A wallet as it is to be written, and what is told of it."""

    wallet: Wallet
    told: tuple[Event, ...] = ()


def stream(courier_id: str) -> str:
    """The stream name of a wallet's events."""
    return f"{_STREAM}{courier_id}"


def earning_key(order_id: int) -> str:
    """What the earning of an order is booked under."""
    return f"earning#{order_id}"


def payout_key(payout_id: str) -> str:
    """What a payout is booked under."""
    return f"payout#{payout_id}"


def earn(wallet: Wallet, order: Order, now: datetime) -> Change:
    """Book what a delivered order earns, and the month's bonus if that reaches it. Raises
    AlreadyBooked if the wallet has it among its newest entries."""
    _check_new(wallet, earning_key(order.id))
    parts, period = earnings.breakdown(order), earnings.period(earnings.delivered_at(order))
    month = wallet.months.get(period, Month()).with_one(earnings.was_on_time(order))
    due = month.deserves_bonus
    months = {**wallet.months, period: replace(month, rewarded=month.rewarded or due)}
    kept = dict(sorted(months.items())[-MONTHS_KEPT:])
    change = _book(
        Change(replace(wallet, months=kept, newest=())),
        earning_key(order.id),
        parts.amount,
        events.EARNING_RECORDED,
        now,
    )
    change = _tell_earning(change, order.id, parts, now)
    if due:
        change = _with_bonus(change, period, now)
    return _sealed(change, now)


def reserve(wallet: Wallet, payout_id: str, amount_minor: int, now: datetime) -> Change:
    """Set an amount aside for a payout. Raises BalanceTooLow, AlreadyBooked."""
    _check_new(wallet, payout_key(payout_id))
    if amount_minor > wallet.balance_minor:
        raise BalanceTooLow("This is more than the balance.")
    change = Change(replace(wallet, newest=()))
    change = _book(change, payout_key(payout_id), -amount_minor, "payout_requested", now)
    return _sealed(change, now)


def _check_new(wallet: Wallet, key: str) -> None:
    if any(booking.key == key for booking in wallet.newest):
        raise AlreadyBooked(key)


def _book(change: Change, key: str, amount_minor: int, reason: str, now: datetime) -> Change:
    """One entry more, and the wallet_updated that goes with every change of a balance."""
    wallet = change.wallet
    _check_new(wallet, key)
    balance = wallet.balance_minor + amount_minor
    told = draft(
        events.WALLET_UPDATED,
        wallet.courier_id,
        stream(wallet.courier_id),
        now,
        previous_minor=wallet.balance_minor,
        balance_minor=balance,
        reason=reason,
    )
    booked = (*wallet.newest, Booking(key, amount_minor, balance, reason, now))
    return Change(
        replace(wallet, balance_minor=balance, newest=booked),
        (*change.told, told),
    )


def _tell_earning(change: Change, order_id: int, parts: Breakdown, now: datetime) -> Change:
    told = draft(
        events.EARNING_RECORDED,
        change.wallet.courier_id,
        stream(change.wallet.courier_id),
        now,
        order_id=order_id,
        parts=msgspec.to_builtins(parts),
        amount_minor=parts.amount,
        balance_minor=change.wallet.balance_minor,
    )
    return replace(change, told=(told, *change.told))


def _with_bonus(change: Change, period: str, now: datetime) -> Change:
    key = f"bonus#{earnings.ON_TIME}#{period}"
    booked = _book(change, key, earnings.BONUS_MINOR, events.BONUS_EARNED, now)
    told = draft(
        events.BONUS_EARNED,
        booked.wallet.courier_id,
        stream(booked.wallet.courier_id),
        now,
        kind=earnings.ON_TIME,
        period=period,
        amount_minor=earnings.BONUS_MINOR,
        balance_minor=booked.wallet.balance_minor,
    )
    return replace(booked, told=(*change.told, told, booked.told[-1]))


def _sealed(change: Change, now: datetime) -> Change:
    version = change.wallet.version + 1
    outbox = with_entry(change.wallet.outbox, version, now, change.told)
    return replace(change, wallet=replace(change.wallet, version=version, outbox=outbox))
