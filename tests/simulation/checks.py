"""What must hold of every history, once it has come to rest. Each check is a sentence; it yields
what it finds to the contrary. (What can be seen at once is checked at once: see history and town.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from chalicelib.domain import events
from chalicelib.domain.messaging.pending import parse_arrival
from chalicelib.domain.messaging.wakeups import decode_wakeup
from chalicelib.domain.money import earnings, wallets
from chalicelib.domain.money.debts import list_debts
from chalicelib.domain.money.payments import Payment, PaymentStatus
from chalicelib.domain.money.payouts import Payout, PayoutStatus
from chalicelib.domain.money.pricing import is_price_final
from chalicelib.domain.money.settlements import compute_rest_minor
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.orders.changes import History, append_changes
from chalicelib.domain.orders.history_entries import list_entries
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.reattempts import has_ended_unmoved
from chalicelib.store.compression import unpack
from chalicelib.store.mailboxes import MailboxTable
from tests.documents import Undocumented, check_frame
from tests.ledgers import list_bookings
from tests.simulation.endpoints import ENDPOINTS, is_endpoints
from tests.simulation.gateway import FOR_EVER_S
from tests.simulation.history import DECODERS
from tests.simulation.joining import JOINING
from tests.simulation.positions import POSITIONS
from tests.simulation.telling import TELLING, list_mailboxes, read_log
from tests.simulation.town import Town

Check = Callable[[Town], Iterator[str]]

_OVERDUE_S = 60.0
_WAKEUPS_AN_EVENT = 12  # each may be relayed again and again while a socket fails, but not for ever
_WAKEUPS_A_SOCKET = 12


def check(town: Town) -> None:
    """Note whatever does not hold."""
    for one in (*CHECKS, *ENDPOINTS, *POSITIONS):
        for what in one(town):
            town.history.violate(one.__name__, what)


# Orders and couriers


def an_order_and_its_courier_agree(town: Town) -> Iterator[str]:
    """Whom an order occupies, and what a courier is occupied by, is one fact."""
    occupied, orders = town.history.occupied, town.history.orders
    for order in orders.values():
        for courier_id in order.occupied_ids:
            if order.id not in (held := occupied.get(courier_id, ())):
                yield f"{_brief(order)} is held by {courier_id}, who has {held}"
    for courier_id, order_ids in occupied.items():
        for order_id in order_ids:
            if courier_id not in orders[order_id].occupied_ids:
                yield f"{courier_id} is busy with {_brief(orders[order_id])}"
        if len(set(order_ids)) < len(order_ids) or len(order_ids) > town.history.most_orders:
            yield f"{courier_id} has {order_ids}"


def no_order_waits_for_a_machine(town: Town) -> Iterator[str]:
    """A deadline is met, a search ends."""
    for order in town.history.orders.values():
        due = order.deadline_at
        late = due and (town.scheduler.now - due).total_seconds() > _OVERDUE_S
        if late or order.status is Status.SEARCHING:
            yield f"{_brief(order)} is due since {due}"


def a_history_has_every_step(town: Town) -> Iterator[str]:
    """From the placing to where the order stands, with no step missing, twice or of another's
    commit: each leads from where the one before it led to."""
    archived = {
        (int(row["order_id"]["N"]), row["token"]["S"]): unpack(bytes(row["doc"]["B"]), History)
        for row in town.dynamo.rows("histories")
    }
    for order in town.history.orders.values():
        before = archived.get((order.id, order.history_token or ""), History())
        entries = list_entries(order, append_changes(before, order.changes), None)
        steps = [(entry.was, entry.to) for entry in entries]
        chained = [was for was, _ in steps[1:]] == [to for _, to in steps[:-1]]
        if not (chained and steps and steps[0][0] is None and steps[-1][1] == order.status.value):
            yield f"{_brief(order)}: {steps}"


def a_thing_is_tried_again_by_one_order_at_a_time(town: Town) -> Iterator[str]:
    """Of the children of an order at most one has moved the thing, or may yet."""
    children: dict[int, list[Order]] = {}
    for order in town.history.orders.values():
        if order.parent_id is not None and not has_ended_unmoved(order):
            children.setdefault(order.parent_id, []).append(order)
    for parent_id, orders in children.items():
        if len(orders) > 1 or not town.history.orders[parent_id].is_terminal:
            yield f"order {parent_id} is tried again by {[_brief(order) for order in orders]}"


def nothing_is_left_in_a_mailbox(town: Town) -> Iterator[str]:
    """What was left to the holder of a lease is taken in by somebody. (The arrival of a connection
    that has left again is nothing: the next holder skips it.)"""
    for name in list_mailboxes(town):
        box = MailboxTable().get_mailbox(name)
        arrivals = [(id_, parse_arrival(id_)) for id_ in box.pending]
        left = [id_ for id_, arrived in arrivals if arrived is None or box.find_subscriber(arrived)]
        if left:
            yield f"{name}: {left}"


def every_frame_is_in_the_document(town: Town) -> Iterator[str]:
    """Whatever a socket heard is what clients are told to expect of its contract."""
    for socket in town.gateway.sockets.values():
        for frame in dict.fromkeys(str(one) for one in socket.frames()):
            try:
                check_frame(socket.contract, frame)
            except (Undocumented, ValueError) as error:
                yield f"{socket.id}: {error}"


def _brief(order: Order) -> str:
    return f"order {order.id} ({order.status.value})"


# Money


def a_balance_is_the_sum_of_its_ledger(town: Town) -> Iterator[str]:
    """And never negative."""
    for wallet in _wallets(town):
        ledger = sum(b.amount_minor for b in _bookings(town, wallet))
        if wallet.balance_minor != ledger or wallet.balance_minor < 0:
            yield f"{wallet.courier_id}: balance {wallet.balance_minor}, ledger {ledger}"


def nothing_is_booked_twice(town: Town) -> Iterator[str]:
    """A key is booked by one version of its wallet."""
    for (courier_id, key), versions in town.history.bookings.items():
        if len(versions) > 1:
            yield f"{courier_id}: {key} by versions {sorted(versions)}"


def each_delivery_is_credited_once(town: Town) -> Iterator[str]:
    """To whoever brought it, and nothing else is."""
    booked = Counter(
        (wallet.courier_id, booking.key)
        for wallet in _wallets(town)
        for booking in _bookings(town, wallet)
        if booking.key.startswith("earning#")
    )
    earned = Counter(
        (str(order.courier_id), wallets.make_earning_key(order.id)) for order in _delivered(town)
    )
    for (courier_id, key), times in (earned - booked).items():
        yield f"{courier_id}: {key} is missing {times}x"
    for (courier_id, key), times in (booked - earned).items():
        yield f"{courier_id}: {key} was not earned ({times}x)"


def a_month_counts_its_deliveries(town: Town) -> Iterator[str]:
    """Each once."""
    for wallet in _wallets(town):
        mine = [order for order in _delivered(town) if order.courier_id == wallet.courier_id]
        months = Counter(
            earnings.format_period(earnings.get_delivery_time(order)) for order in mine
        )
        counted = {name: month.deliveries for name, month in wallet.months.items()}
        if counted != months:
            yield f"{wallet.courier_id}: counted {counted}, delivered {dict(months)}"


def a_payout_is_taken_from_its_wallet(town: Town) -> Iterator[str]:
    """Each has one entry of its amount, and no entry is without one."""
    asked = Counter(
        (payout.courier_id, wallets.make_payout_key(payout.id), -payout.amount_minor)
        for payout in _payouts(town)
    )
    booked = Counter(
        (wallet.courier_id, booking.key, booking.amount_minor)
        for wallet in _wallets(town)
        for booking in _bookings(town, wallet)
        if booking.key.startswith("payout#")
    )
    for entry in (asked - booked) + (booked - asked):
        yield f"{entry} is only one of the two"


def payouts_are_as_the_office_was_told(town: Town) -> Iterator[str]:
    """What was answered as completed is."""
    for payout in _payouts(town):
        if payout.id in town.history.confirmed and payout.status is not PayoutStatus.COMPLETED:
            yield f"{payout.id} is {payout.status.value}"


def payments_are_as_the_bank_said(town: Town) -> Iterator[str]:
    """A verdict that was taken stands; an order is paid at most once."""
    paying: Counter[int] = Counter()
    for payment in _payments(town):
        verdict = town.history.verdicts.get(payment.id)
        final = payment.status is not PaymentStatus.INITIATED
        paying[payment.order_id] += payment.status is not PaymentStatus.FAILED
        if final and (verdict is None or verdict.status is not payment.status):
            yield f"{payment.id} is {payment.status.value}, the bank said {verdict}"
        if payment.id in town.history.confirmed and not final:
            yield f"{payment.id}: the bank's verdict was taken and is not there"
    for order_id, times in paying.items():
        if times > 1:
            yield f"order {order_id} is paid {times} times"


def each_debt_is_booked_once(town: Town) -> Iterator[str]:
    """Fees and tips, in the wallet of whoever had the order; and nothing else is."""
    owed = Counter(
        (str(order.courier_id), debt.key, debt.amount_minor)
        for order in town.history.orders.values()
        for debt in list_debts(order)
    )
    booked = Counter(
        (wallet.courier_id, booking.key, booking.amount_minor)
        for wallet in _wallets(town)
        for booking in _bookings(town, wallet)
        if not booking.key.startswith(("earning#", "payout#"))
    )
    for entry in (owed - booked) + (booked - owed):
        yield f"{entry} is only one of the two"


def a_tip_is_given_once(town: Town) -> Iterator[str]:
    """Under a key once, however often it was asked for; without one as often as was answered, or
    more, as an answer may be lost."""
    answered = Counter(town.history.tipped)
    for order in town.history.orders.values():
        for key, times in Counter(tip.key for tip in order.tips).items():
            if key is not None and times > 1:
                yield f"{_brief(order)} has {times} tips under {key}"
    for (order_id, key), times in answered.items():
        tips = [tip for tip in town.history.orders[order_id].tips if tip.key == key]
        if len(tips) < (times if key is None else 1):
            yield f"order {order_id}: a tip under {key} was answered and is not there"


def what_was_paid_beyond_the_price_is_paid_back(town: Town) -> Iterator[str]:
    """To the last coin, once; and nothing else is."""
    told = Counter(
        fact.event.order_id
        for fact in town.history.facts.values()
        if fact.event.type == events.REFUND_DUE
    )
    for order in town.history.orders.values():
        due_minor = _compute_refund_minor(town, order)
        noted = order.refund
        if (noted.amount_minor if noted else 0) != due_minor or told[order.id] != bool(due_minor):
            yield f"{_brief(order)}: {due_minor} is due, {noted}, told {told[order.id]} times"
        if f"refund {order.id}" in town.history.confirmed and not (noted and noted.refunded_at):
            yield f"{_brief(order)}: the bank's word of its refund was taken and is not there"


def _compute_refund_minor(town: Town, order: Order) -> int:
    """Compute what was paid beyond an order's price, 0 before that is final."""
    payments = [payment for payment in _payments(town) if payment.order_id == order.id]
    is_paid = any(payment.status is PaymentStatus.COMPLETED for payment in payments)
    if not is_paid or not is_price_final(order):
        return 0
    return max(0, -compute_rest_minor(order, payments))


def _delivered(town: Town) -> list[Order]:
    return [order for order in town.history.orders.values() if order.status is Status.DONE]


def _wallets(town: Town) -> list[Wallet]:
    rows = map(DECODERS["wallets"], town.dynamo.rows("wallets"))
    return [wallet for wallet in rows if isinstance(wallet, Wallet)]


def _payouts(town: Town) -> list[Payout]:
    rows = map(DECODERS["payouts"], town.dynamo.rows("payouts"))
    return [payout for payout in rows if isinstance(payout, Payout)]


def _payments(town: Town) -> list[Payment]:
    rows = map(DECODERS["payments"], town.dynamo.rows("payments"))
    return [payment for payment in rows if isinstance(payment, Payment)]


def _bookings(town: Town, wallet: Wallet) -> list[wallets.Booking]:
    """Read a ledger as others see it: its rows, and what is still in the wallet."""
    return list_bookings(town.ledger, wallet.courier_id, 1000)


# Wakeups


def every_wakeup_ends(town: Town) -> Iterator[str]:
    """At rest nothing waits in the queue but what is due later; and, while a socket can't be posted
    to, the tries of that, which are counted."""
    sockets = town.gateway.sockets.values()
    in_vain = any(s.open and t.until_s == FOR_EVER_S for s in sockets for t in s.troubles)
    for message in town.queue.waiting.values():
        wakeup = decode_wakeup(message.body)
        due = getattr(wakeup, "due_at", None)
        counted = in_vain and bool(getattr(wakeup, "tries", 0))
        if not counted and (due is None or due <= town.scheduler.now):
            yield f"{message.body} ({message.receives} receives)"


def wakeups_are_bounded(town: Town) -> Iterator[str]:
    """No wakeup renews itself for ever."""
    sent, sockets = town.queue.sent, len(town.gateway.sockets)
    most = {
        "Relay": _WAKEUPS_AN_EVENT * len(town.history.facts),
        "Greet": _WAKEUPS_A_SOCKET * sockets,
    }
    for kind, bound in most.items():
        if sent[kind] > bound:
            yield f"{sent[kind]} of {kind}, for {len(town.history.facts)} events, {sockets} sockets"


def only_poison_is_given_up(town: Town) -> Iterator[str]:
    """No message ends in the dead letters, or is too old, unless an event can't be worded."""
    given_up = town.queue.expired if town.poison.event else town.queue.expired + town.queue.dead
    for message in given_up:
        yield message.body


def every_event_is_once_in_its_log(town: Town) -> Iterator[str]:
    """Whatever was committed. (An endpoint's log is derived: see endpoints.py.)"""
    for name in list_mailboxes(town):
        if is_endpoints(name):
            continue
        logged = Counter((e.to, e.stream, e.version, e.ordinal) for e in read_log(name))
        committed = {identity for identity in town.history.facts if identity[0] == name}
        for identity in sorted(committed - logged.keys()):
            yield f"{identity} {town.history.facts[identity].event.type} is missing"
        for identity, times in logged.items():
            if times > 1 or identity not in committed:
                yield f"{identity} is there {times}x, committed: {identity in committed}"


CHECKS: tuple[Check, ...] = (
    an_order_and_its_courier_agree,
    no_order_waits_for_a_machine,
    a_history_has_every_step,
    a_thing_is_tried_again_by_one_order_at_a_time,
    nothing_is_left_in_a_mailbox,
    every_event_is_once_in_its_log,
    *TELLING,
    *JOINING,
    every_frame_is_in_the_document,
    a_balance_is_the_sum_of_its_ledger,
    nothing_is_booked_twice,
    each_delivery_is_credited_once,
    a_month_counts_its_deliveries,
    a_payout_is_taken_from_its_wallet,
    payouts_are_as_the_office_was_told,
    payments_are_as_the_bank_said,
    each_debt_is_booked_once,
    a_tip_is_given_once,
    what_was_paid_beyond_the_price_is_paid_back,
    every_wakeup_ends,
    wakeups_are_bounded,
    only_poison_is_given_up,
)
