"""A courier's wallet: a balance, and an append-only ledger of bookings that add up to it.

A booking's key says what it is for, so that nothing is booked twice: whoever books looks for the
key in the ledger first, and a key among the wallet's own latest bookings is refused here. Minor
units throughout; a balance is never negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Entry, Event, Outbox, draft_event
from chalicelib.domain.money import earnings
from chalicelib.domain.money.earnings import EarningBreakdown, MonthlyRecord
from chalicelib.domain.orders.model import Order
from chalicelib.domain.outbox import seal
from chalicelib.errors import AlreadyBooked, BalanceTooLow

# A delivery is booked in the month of its delivery, and a wakeup may come when the next has begun.
MONTHS_KEPT = 3
# Reasons for a change of a balance; no event has their names.
PAYOUT_REQUESTED = "payout_requested"
_STREAM_PREFIX = "wallet#"


class Booking(msgspec.Struct, frozen=True):
    """One line of the ledger. `balance_minor` is the balance after it."""

    key: str
    amount_minor: int
    balance_minor: int
    reason: str
    at: datetime


class Debt(msgspec.Struct, frozen=True):
    """What an order owes its courier beside its earning: a booking's key, its amount, and the
    reason that the courier is told."""

    key: str
    amount_minor: int
    reason: str


class Wallet(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a courier has earned and not set aside yet.

    `version` counts its writes; `entries` are the events of the last of them. `latest_bookings` are
    the bookings of the very last write, which are not in the ledger yet: a balance and its bookings
    change in one write that way.
    """

    courier_id: str
    balance_minor: int = 0
    version: int = 0
    months: dict[str, MonthlyRecord] = {}
    entries: tuple[Entry, ...] = msgspec.field(default=(), name="outbox")
    latest_bookings: tuple[Booking, ...] = msgspec.field(default=(), name="newest")

    @property
    def outbox(self) -> Outbox:
        """The events of the wallet's last versions."""
        return Outbox(name_wallet_stream(self.courier_id), None, self.entries)


def name_wallet_stream(courier_id: str) -> str:
    """Name the stream of a wallet's events."""
    return f"{_STREAM_PREFIX}{courier_id}"


def make_earning_key(order_id: int) -> str:
    """Make the key of the booking of what an order earned."""
    return f"earning#{order_id}"


def make_fee_key(order_id: int, kind: str) -> str:
    """Make the key of the booking of an order's fee: it has one of a kind."""
    return f"{kind}#{order_id}"


def make_tip_key(order_id: int, number: int) -> str:
    """Make the key of the booking of an order's tip, by its number among the order's tips."""
    return f"tip#{order_id}#{number}"


def make_payout_key(payout_id: str) -> str:
    """Make the key of the booking of what a payout set aside."""
    return f"payout#{payout_id}"


def book_earning(wallet: Wallet, order: Order, now: datetime) -> Wallet:
    """Return a wallet with what a delivered order earned, and with the month's bonus if this order
    reaches it. Raises AlreadyBooked if the earning is among the latest bookings."""
    _check_not_booked(wallet, make_earning_key(order.id))
    breakdown = earnings.compute_earning(order)
    month = earnings.format_period(earnings.get_delivery_time(order))
    record = wallet.months.get(month, MonthlyRecord()).with_delivery(earnings.was_on_time(order))

    after, updated = _add_booking(
        replace(wallet, latest_bookings=()),
        make_earning_key(order.id),
        breakdown.amount_minor,
        events.EARNING_RECORDED,
        now,
    )
    drafts = [_draft_earning_event(after, order.id, breakdown, now), updated]
    if record.deserves_bonus:
        # The record says that it is booked: the key alone would not do, as a bonus is not looked
        # for in the ledger.
        record = replace(record, rewarded=True)
        after, updated = _add_booking(
            after,
            f"bonus#{earnings.ON_TIME}#{month}",
            earnings.BONUS_MINOR,
            events.BONUS_EARNED,
            now,
        )
        drafts += [_draft_bonus_event(after, month, now), updated]
    return seal(_with_record(after, month, record), drafts, now)


def book_debts(wallet: Wallet, debts: Sequence[Debt], now: datetime) -> Wallet:
    """Return a wallet with what an order owes, each a booking. Raises AlreadyBooked if one of them
    is among the latest bookings."""
    for debt in debts:
        _check_not_booked(wallet, debt.key)
    after, drafts = replace(wallet, latest_bookings=()), []
    for debt in debts:
        after, updated = _add_booking(after, debt.key, debt.amount_minor, debt.reason, now)
        drafts.append(updated)
    return seal(after, drafts, now)


def reserve_payout(wallet: Wallet, payout_id: str, amount_minor: int, now: datetime) -> Wallet:
    """Return a wallet with an amount set aside for a payout. Raises BalanceTooLow; AlreadyBooked if
    that is among the latest bookings."""
    key = make_payout_key(payout_id)
    _check_not_booked(wallet, key)
    if amount_minor > wallet.balance_minor:
        raise BalanceTooLow("This is more than the balance.")
    wallet = replace(wallet, latest_bookings=())
    after, updated = _add_booking(wallet, key, -amount_minor, PAYOUT_REQUESTED, now)
    return seal(after, [updated], now)


def _check_not_booked(wallet: Wallet, key: str) -> None:
    """Raise AlreadyBooked for a key of the latest bookings. They are not in the ledger yet, and a
    caller who asked the ledger only would book them twice."""
    if any(booking.key == key for booking in wallet.latest_bookings):
        raise AlreadyBooked(key)


def _add_booking(
    wallet: Wallet, key: str, amount_minor: int, reason: str, now: datetime
) -> tuple[Wallet, Event]:
    """Return a wallet with one booking more, and the draft of the event that goes with every
    change of a balance."""
    balance = wallet.balance_minor + amount_minor
    booking = Booking(key, amount_minor, balance, reason, now)
    bookings = (*wallet.latest_bookings, booking)
    after = replace(wallet, balance_minor=balance, latest_bookings=bookings)
    data = {
        "previous_minor": wallet.balance_minor,
        "balance_minor": balance,
        "reason": reason,
    }
    return after, _draft_wallet_event(wallet, events.WALLET_UPDATED, now, data)


def _with_record(wallet: Wallet, month: str, record: MonthlyRecord) -> Wallet:
    """Return a wallet with a month's record; of the others, the newest few stay."""
    months = sorted({**wallet.months, month: record}.items())
    return replace(wallet, months=dict(months[-MONTHS_KEPT:]))


def _draft_earning_event(
    wallet: Wallet, order_id: int, breakdown: EarningBreakdown, now: datetime
) -> Event:
    data = {
        "order_id": order_id,
        "parts": msgspec.to_builtins(breakdown),
        "amount_minor": breakdown.amount_minor,
        "balance_minor": wallet.balance_minor,
    }
    return _draft_wallet_event(wallet, events.EARNING_RECORDED, now, data)


def _draft_bonus_event(wallet: Wallet, month: str, now: datetime) -> Event:
    data = {
        "kind": earnings.ON_TIME,
        "period": month,
        "amount_minor": earnings.BONUS_MINOR,
        "balance_minor": wallet.balance_minor,
    }
    return _draft_wallet_event(wallet, events.BONUS_EARNED, now, data)


def _draft_wallet_event(wallet: Wallet, type_: str, now: datetime, data: dict[str, Any]) -> Event:
    """Draft an event to the courier whose wallet it is."""
    return draft_event(
        type_, wallet.courier_id, name_wallet_stream(wallet.courier_id), now, data=data
    )
