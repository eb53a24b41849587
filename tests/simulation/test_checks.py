"""A history without faults passes every check; each check finds what is planted for it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from copy import copy
from datetime import timedelta
from typing import TypeVar

import msgspec
import pytest
from msgspec.structs import replace

from chalicelib.domain.messaging.wakeups import RelayDue
from chalicelib.domain.money.payments import Payment, PaymentStatus
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.wallets import make_earning_key
from chalicelib.domain.orders.changes import Change
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.refund import Refund
from chalicelib.domain.orders.tip import Tip
from chalicelib.store.compression import pack, unpack
from chalicelib.store.database import bind_tables
from chalicelib.store.mailbox_subscribers import remove_subscriber
from chalicelib.store.mailboxes import MailboxTable, StoredHead
from chalicelib.store.tables import (
    ConnectionRow,
    CourierRow,
    LedgerRow,
    MailboxRow,
    PaymentRow,
    PayoutRow,
    WalletRow,
)
from tests.builders import NOW
from tests.simulation.checks import CHECKS, check
from tests.simulation.gateway import Heard, Socket, Telling
from tests.simulation.positions import POSITIONS
from tests.simulation.story import live
from tests.simulation.town import PREFIX, Plan, Town
from tests.simulation.values import Item

Plant = Callable[[Town], None]
T = TypeVar("T")


@pytest.fixture(scope="module")
def lived() -> Iterator[Town]:
    """A day without faults, come to rest: something was delivered, paid out and paid for."""
    logging.disable(logging.CRITICAL)
    made = Town(Plan(seed=7, faults="none", active_s=40, quiet_s=1200))
    with made.lasting():
        live(made)
        yield made
        bind(made)
        check(made)
        assert not made.history.violations  # all that was planted is gone
    logging.disable(logging.NOTSET)


@pytest.fixture
def town(lived: Town) -> Iterator[Town]:
    """That day, computed once for all tests: what one of them plants is taken away after it."""
    bind(lived)
    changed = (lived.history, lived.queue, lived.scheduler)
    sockets, tables = lived.gateway.sockets.values(), lived.dynamo.tables.values()
    before = [(vars(each), copied(vars(each))) for each in (*changed, *sockets, *tables)]
    yield lived
    for now, then in before:
        now.update(then)


def bind(town: Town) -> None:
    """Let the tables be this town's: another may have been made since."""
    bind_tables(PREFIX, town.settings.aws_region, None, town.database.client)


def copied(value: T) -> T:
    """Copy what is made of containers, and keep what is in them."""
    if not isinstance(value, (dict, list, set, deque)):
        return value
    new = copy(value)
    if isinstance(new, dict):
        new.update({name: copied(one) for name, one in new.items()})
    return new


def listener(town: Town) -> Socket:
    """A socket that is there at the end and has heard most."""
    there = [s for s in town.gateway.sockets.values() if s.open and s.contract != "feed"]
    return max(there, key=lambda socket: len(kept(socket)))


def kept(socket: Socket) -> list[Heard]:
    return [one for one in socket.heard if one.event is not None and one.event.seq]


def delivered(town: Town) -> Order:
    return next(o for o in town.history.orders.values() if o.status is Status.DONE)


def a_busy_courier(town: Town) -> None:
    town.history.occupied["d0"] = (delivered(town).id,)


def an_overdue_order(town: Town) -> None:
    order = delivered(town)
    due = NOW + timedelta(seconds=30)
    town.history.orders[1] = replace(order, id=1, status=Status.SEARCHING, next_search_at=due)


def a_lost_history(town: Town) -> None:
    order = delivered(town)
    change = Change(1, "deliver", "done", was="in_transit")
    kept = replace(order, changes=(change,), history_token=None)
    town.history.orders[order.id] = replace(kept, timeline={})


def a_step_twice(town: Town) -> None:
    order = delivered(town)
    again = Change(10**9, "deliver", "done", was="in_transit")
    town.history.orders[order.id] = replace(order, changes=(again,))


def two_children(town: Town) -> None:
    parent = delivered(town)
    for id_ in (7, 8):
        town.history.orders[id_] = replace(parent, id=id_, parent_id=parent.id)


def a_mark(town: Town) -> None:
    MailboxRow("c0").update(actions=[MailboxRow.pending.set(["order#1@1"])])


def a_lost_event(town: Town) -> None:
    (to, stream, _, ordinal), fact = next(iter(town.history.facts.items()))
    town.history.facts[to, stream, 99, ordinal] = fact


def a_gap(town: Town) -> None:
    row = MailboxRow.get("c0")
    head = unpack(row.doc, StoredHead)
    last = MailboxTable().list_events_from(MailboxTable().get_mailbox("c0"), 1, 1000)[-1]
    moved = replace(
        head, next_seq=head.next_seq + 5, tail=(*head.tail, replace(last, seq=head.next_seq + 4))
    )
    row.update(actions=[MailboxRow.doc.set(pack(moved))])


def another_event_of_that_id(town: Town) -> None:
    socket = listener(town)
    event = kept(socket)[-1].event
    assert event is not None
    frame = kept(socket)[-1].frame
    assert isinstance(frame, Telling)
    other = Telling.of("", replace(event, version=99), frame.listener)
    socket.heard.append(Heard(1.0, other, 1.0))


def frames_the_wrong_way_round(town: Town) -> None:
    listener(town).heard.reverse()


def an_unknown_field(town: Town) -> None:
    socket = listener(town)
    frame = socket.heard[-1].frame
    socket.heard.append(Heard(1.0, f'{frame[:-1]},"more":1{frame[-1]}', 1.0))


def a_repeated_frame(town: Town) -> None:
    socket = listener(town)
    socket.heard += [kept(socket)[-1]] * 10


def a_late_frame(town: Town) -> None:
    socket = listener(town)
    last = kept(socket)[-1]
    socket.heard[socket.heard.index(last)] = Heard(last.at_s + 100, last.frame, last.begun_s + 100)


def an_untold_event(town: Town) -> None:
    socket = listener(town)
    socket.heard.remove(kept(socket)[-1])


def an_untold_event_of_one_who_left(town: Town) -> None:
    socket = listener(town)
    socket.closed_s = socket.gone_s = town.scheduler.now_s
    socket.heard.remove(kept(socket)[-2])


def a_socket_that_is_forgotten(town: Town) -> None:
    ConnectionRow(listener(town).id).delete()


def a_socket_in_no_room(town: Town) -> None:
    remove_subscriber(listener(town).person_id, listener(town).id)


def a_ghost(town: Town) -> None:
    CourierRow("d0").update(actions=[CourierRow.sockets.add({"1e12@d0-courier-99"})])


def a_lost_booking(town: Town) -> None:
    courier_id, key = str(delivered(town).courier_id), make_earning_key(delivered(town).id)
    wallet = town.ledger.get_wallet(courier_id)
    spared = replace(
        wallet, latest_bookings=tuple(b for b in wallet.latest_bookings if b.key != key)
    )
    WalletRow(courier_id).update(actions=[WalletRow.doc.set(pack(spared))])
    LedgerRow(courier_id, key).delete()


def a_double_booking(town: Town) -> None:
    next(iter(town.history.bookings.values())).add(99)


def an_uncredited_delivery(town: Town) -> None:
    order = delivered(town)
    town.history.orders[1] = replace(order, id=1)


def a_payout_without_an_entry(town: Town) -> None:
    payout = Payout("payout_1", "d0", 5, "DE", NOW)
    PayoutRow(payout.id, doc=msgspec.json.encode(payout).decode(), version=1).save()


def an_unfinished_payout(town: Town) -> None:
    a_payout_without_an_entry(town)
    town.history.confirmed.add("payout_1")


def a_payment_that_ended_otherwise(town: Town) -> None:
    payment = Payment(7, 1, "c0", 5, "upi", NOW, status=PaymentStatus.FAILED)
    PaymentRow(7, 1, doc=msgspec.json.encode(payment).decode(), version=1).save()


def an_order_paid_twice(town: Town) -> None:
    for attempt in (1, 2):
        payment = Payment(7, attempt, "c0", 5, "upi", NOW)
        PaymentRow(7, attempt, doc=msgspec.json.encode(payment).decode(), version=1).save()


def a_tip_that_is_not_booked(town: Town) -> None:
    order = delivered(town)
    town.history.orders[order.id] = replace(order, tips=(*order.tips, Tip(77, "t", "planted")))


def a_tip_twice(town: Town) -> None:
    a_tip_that_is_not_booked(town)
    a_tip_that_is_not_booked(town)


def a_lost_tip(town: Town) -> None:
    town.history.tipped.append((delivered(town).id, "planted"))


def a_refund_of_nothing(town: Town) -> None:
    order = delivered(town)
    town.history.orders[order.id] = replace(order, refund=Refund("pay_1", 5, NOW))


def a_refund_that_is_not_noted(town: Town) -> None:
    order = delivered(town)
    payment = Payment(order.id, 9, "c0", 10**6, "upi", NOW, status=PaymentStatus.COMPLETED)
    PaymentRow(order.id, 9, doc=msgspec.json.encode(payment).decode(), version=1).save()


def a_lost_word_of_a_refund(town: Town) -> None:
    town.history.confirmed.add(f"refund {delivered(town).id}")


def a_wakeup(town: Town) -> None:
    town.scheduler.begin(
        lambda: town.queue.send_wakeups([(RelayDue("order#1"), timedelta(seconds=900))])
    )
    town.scheduler.run_until(town.scheduler.now_s + 1)


def many_wakeups(town: Town) -> None:
    town.queue.sent["Relay"] += 10_000


def a_dead_letter(town: Town) -> None:
    a_wakeup(town)
    town.queue.dead += town.queue.waiting.values()


PLANTED: dict[str, tuple[Plant, ...]] = {
    "an_order_and_its_courier_agree": (a_busy_courier,),
    "no_order_waits_for_a_machine": (an_overdue_order,),
    "a_history_has_every_step": (a_lost_history, a_step_twice),
    "a_thing_is_tried_again_by_one_order_at_a_time": (two_children,),
    "nothing_is_left_in_a_mailbox": (a_mark,),
    "every_event_is_once_in_its_log": (a_lost_event,),
    "places_have_no_gaps": (a_gap,),
    "an_id_stands_for_one_event": (another_event_of_that_id,),
    "first_tellings_come_in_order": (frames_the_wrong_way_round,),
    "nothing_is_told_again_and_again": (a_repeated_frame,),
    "who_is_well_is_not_kept_waiting": (a_late_frame,),
    "every_socket_is_told_everything": (an_untold_event, an_untold_event_of_one_who_left),
    "who_was_let_in_is_in_every_room": (a_socket_that_is_forgotten, a_socket_in_no_room),
    "nobody_counts_as_connected_who_is_gone": (a_ghost,),
    "every_frame_is_in_the_document": (an_unknown_field,),
    "a_balance_is_the_sum_of_its_ledger": (a_lost_booking,),
    "nothing_is_booked_twice": (a_double_booking,),
    "each_delivery_is_credited_once": (an_uncredited_delivery, a_lost_booking),
    "a_month_counts_its_deliveries": (an_uncredited_delivery,),
    "a_payout_is_taken_from_its_wallet": (a_payout_without_an_entry,),
    "payouts_are_as_the_office_was_told": (an_unfinished_payout,),
    "payments_are_as_the_bank_said": (a_payment_that_ended_otherwise, an_order_paid_twice),
    "each_debt_is_booked_once": (a_tip_that_is_not_booked,),
    "a_tip_is_given_once": (a_tip_twice, a_lost_tip),
    "what_was_paid_beyond_the_price_is_paid_back": (
        a_refund_of_nothing,
        a_refund_that_is_not_noted,
        a_lost_word_of_a_refund,
    ),
    "every_wakeup_ends": (a_wakeup,),
    "wakeups_are_bounded": (many_wakeups,),
    "only_poison_is_given_up": (a_dead_letter,),
}


def test_a_history_without_faults_passes(town: Town) -> None:
    check(town)
    assert not town.history.violations
    assert delivered(town)
    assert town.history.bookings
    assert len(kept(listener(town))) > 1


def test_each_check_has_something_planted_for_it() -> None:
    assert [one.__name__ for one in CHECKS] == list(PLANTED)


@pytest.mark.parametrize(
    ("name", "plant"), [(name, plant) for name, plants in PLANTED.items() for plant in plants]
)
def test_a_check_finds_what_is_planted(town: Town, name: str, plant: Plant) -> None:
    plant(town)
    check(town)
    assert name in {violation.check for violation in town.history.violations}


def test_two_orders_of_one_courier_are_seen_at_once(town: Town) -> None:
    order = delivered(town)
    for number in (1, 2):
        town.history.orders[number] = replace(order, id=number, status=Status.ACCEPTED)
    town.history.wrote([])
    assert [v.check for v in town.history.violations] == ["no_courier_has_too_many_orders"]


def test_two_couriers_of_one_order_are_seen_at_once(town: Town) -> None:
    town.history.occupied.update(d0=(1,), d1=(1,))
    town.history.wrote([])
    assert [v.check for v in town.history.violations] == ["no_order_has_two_couriers"]


def test_a_step_out_of_an_end_is_seen_at_once(town: Town) -> None:
    order = delivered(town)
    town.history.wrote([("orders", as_row(replace(order, status=Status.IN_TRANSIT)))])
    assert "no_step_leads_out_of_an_end" in {v.check for v in town.history.violations}


def as_row(order: Order) -> Item:
    return {"doc": {"B": pack(order)}}


def test_what_whoever_holds_a_position_misses_is_seen() -> None:
    town = Town(Plan(seed=7, faults="none", active_s=30, quiet_s=300, with_positions=True))
    with town.lasting():
        live(town)
        check(town)
        assert not town.history.violations
        phone = next(one for one in town.phones if one.holds_position and kept(one.sockets[-1]))
        event = kept(phone.sockets[-1])[-1].event
        for socket in phone.sockets:
            socket.heard = [one for one in socket.heard if one.event != event]
        gap = Heard(0.0, '{"event":"gap","data":{}}', 0.0)
        phone.sockets[0].heard.append(gap)
        check(town)
    found = {violation.check for violation in town.history.violations}
    assert {one.__name__ for one in POSITIONS} <= found
