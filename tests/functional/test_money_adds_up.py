"""Money adds up, whatever everybody does, dies of or asks again: all flows, every actor, random
commands, clocks and faults, over the whole application and a DynamoDB in memory.

What the provider charged and paid back, and what was tipped and paid out, is counted here, by the
answers; what Waybill made of it is read from its rows.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.money.earnings import compute_earning
from chalicelib.domain.money.payments import Payment, PaymentStatus
from chalicelib.domain.money.pricing import compute_final_price, is_price_final
from chalicelib.domain.money.wallets import Booking
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import CourierTaken, Stale, WaybillError
from chalicelib.store.payments import PaymentTable
from chalicelib.store.wallets import WalletTable
from tests.builders import DEPOT, north_of
from tests.faults import Crash
from tests.functional import rides
from tests.functional.memory import AFTER, BEFORE, LOST, MortalWorld
from tests.functional.schedules import later
from tests.functional.test_money import SECRET, webhook
from tests.functional.test_quotes import PLACINGS, ask, open_restaurant
from tests.functional.world import Answer, Someone
from tests.ledgers import list_bookings

FLOWS = tuple(PLACINGS)
SETTINGS: dict[str, Any] = {
    "payment_webhook_secret": SECRET,
    "waiting_per_minute": 1_50,
    "cancel_fees": tuple((flow, 20_00, 30_00) for flow in FLOWS),
    "no_show_fees": tuple((flow, 25_00) for flow in FLOWS),
    "hail_search_ttl": timedelta(seconds=60),
    "ride_search_ttl": timedelta(seconds=60),
}
WHY = Reason("vehicle")
FAILURES = (commands.TakeBack(WHY), commands.LeaveBehind(WHY), commands.Discard(WHY))
# What comes next, so that stories go on; any other command comes now and then.
NEXT: dict[Status, Command] = {
    Status.PENDING: commands.Confirm(),
    Status.CONFIRMED: commands.Prepare(),
    Status.PREPARING: commands.MakeReady(),
    Status.ACCEPTED: commands.Arrive(),
    Status.AT_PICKUP: commands.PickUp(),
    Status.IN_TRANSIT: commands.ReachDropoff(),
    Status.RETURNING: commands.FinishReturn(),
}
ANY: tuple[Command, ...] = (
    *NEXT.values(),
    *FAILURES,
    commands.Decline(),
    commands.Deliver(),
    commands.Reject(),
)
PAUSES_S = (0, 1, 4, 20, 200, 320, 500)
# While a courier is looked for every few seconds somebody should soon take it.
SHORT_PAUSES_S = (0, 0, 0, 0, 1, 4, 20)
SEARCHED = frozenset({Status.SEARCHING, Status.OFFERED, Status.READY})
RATES = (0.03, 0.0, 0.01)  # of writes that go wrong


class Story:
    """What happens to some customers, couriers, a restaurant and a provider of payments."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        reallocates = {"reallocate_on_driver_cancel": bool(seed % 2)}
        self.world = MortalWorld({**SETTINGS, **reallocates})
        self.rate = 0.0
        self._thread = threading.current_thread()
        self.world.memory.choose_fault = self.choose_fault
        connection = self.world.engine.connection
        self.payments, self.wallets = PaymentTable(connection), WalletTable(connection)
        self.kitchen = Actor("77", Role.MERCHANT, restaurant_ids=("789",))
        self.ada = self.world.admin()
        open_restaurant(self.world)
        self.customers = [self.world.customer(id_) for id_ in ("cara", "bob")]
        self.couriers = [rides.a_driver(self.world, id_).person for id_ in ("dan", "eve")]
        for person in self.customers:
            rides.register(self.world, person)
        self.ids: list[str] = []
        self.seen: dict[str, Order] = {}  # as each order was when it was last looked at
        self.charged: dict[str, int] = {}  # by payment, as the provider was heard
        self.paid_back: dict[str, int] = {}  # by order
        self.tips: Counter[str] = Counter()
        self.payouts: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self._keys = 0

    def choose_fault(self) -> str:
        """Choose by dice; only for this thread, as the turns of others come by chance."""
        is_mine = threading.current_thread() is self._thread
        if not is_mine or self.dice.random() >= self.rate:
            return ""
        return self.dice.choice((BEFORE, AFTER, LOST))

    # Asking, and asking again

    def insist(self, run: Callable[[], Any]) -> Any:
        """Ask until there is an answer; None where it is a refusal."""
        while True:
            try:
                return run()
            except Crash:
                continue
            except (WaybillError, Stale, CourierTaken):
                return None

    def call(
        self, path: str, body: Any, by: Someone, method: str = "POST", **headers: str
    ) -> Answer:
        """Ask with a key of its own, so that it is done once."""
        self._keys += 1
        sent = {"Idempotency-Key": f"key {self._keys}", **headers}
        if method == "PATCH":
            del sent["Idempotency-Key"]
        answer: Answer = self.insist(lambda: self.world.call(method, path, body, by, sent))
        assert answer.status < 500, answer
        return answer

    # What may happen

    def place(self) -> None:
        """Place an order: mostly quoted, some for later."""
        flow, by = self.dice.choice(FLOWS), self.dice.choice(self.customers)
        self.report_couriers()
        _, path, body = PLACINGS[flow]
        start = {"pickup_from": later(self.world, 60)} if self.dice.random() < 0.3 else {}
        extra: dict[str, Any] = dict(start)
        if self.dice.random() < 0.7:
            quoted = self.insist(lambda: ask(self.world, by, flow, **start))
            if quoted.status == 200:
                extra["quote_id"] = quoted.body["quote_id"]
        answer = self.call(path, {**body, **extra}, by)
        if answer.status == 201:
            self.ids.append(str(answer.body.get("id") or answer.body["ride_id"]))

    def report_couriers(self) -> None:
        """Let all couriers say where they are."""
        for courier in self.couriers:
            self.insist(partial(self.world.courier, courier.id))

    def go_on(self, order: Order) -> None:
        """Take the step that comes next."""
        if order.status is Status.OFFERED or (order.status in (Status.READY, Status.SEARCHING)):
            self.accept(order)
            return
        command = NEXT.get(order.status)
        if "reached" in order.timeline and order.status is Status.IN_TRANSIT:
            command = commands.Deliver()
        if command is None:
            return
        is_kitchens = order.courier_id is None
        self.step(order, command, self.kitchen if is_kitchens else self.courier_of(order).actor)

    def accept(self, order: Order) -> None:
        """Accept it, wherever one is by now."""
        self.report_couriers()
        by = self.courier_of(order)
        accept = self.world.waybill.courier_orders.accept_order
        self.insist(lambda: accept(by.actor, order.id))

    def do_anything(self, order: Order) -> None:
        """Take any step, as any courier or the restaurant."""
        actors = [self.kitchen, *(courier.actor for courier in self.couriers)]
        self.step(order, self.dice.choice(ANY), self.dice.choice(actors))

    def step(self, order: Order, command: Command, actor: Any) -> None:
        take_step = self.world.waybill.courier_orders.take_step
        self.insist(lambda: take_step(actor, order.id, command))

    def give_up(self, order: Order) -> None:
        """Release it, withdraw, say that nobody is there, or that it failed."""
        by, waybill = self.courier_of(order).actor, self.world.waybill
        failure = self.dice.choice(FAILURES)
        run = self.dice.choice(
            (
                lambda: waybill.rides.release_order(by, order.id, WHY),
                lambda: waybill.rides.cancel_ride(by, order.id, WHY),
                lambda: waybill.courier_orders.report_no_show(by, order.id, failure),
                lambda: waybill.courier_orders.take_step(by, order.id, failure),
            )
        )
        self.insist(run)

    def interfere(self, order: Order) -> None:
        """Cancel it, search again, assign it, or try it again."""
        path = f"/v1/orders/{order.id}"
        by = self.dice.choice((self.customer_of(order), self.customer_of(order), self.ada))
        choice = self.dice.random()
        if choice < 0.5:
            self.call(f"{path}/cancel", {}, by)
        elif choice < 0.7:
            self.call(f"{path}/retry", {}, by)
        elif choice < 0.85:
            body = {"courier_id": self.dice.choice(self.couriers).id}
            self.call(f"/v1/admin/orders/{order.id}/assign", body, self.ada)
        else:
            again = self.call(f"{path}/reattempt", {}, by)
            if again.status == 201 and str(again.body["id"]) not in self.ids:
                self.ids.append(str(again.body["id"]))

    def amend(self, order: Order) -> None:
        """Give a scheduled order another destination, and so another price."""
        by, nearer = self.customer_of(order), north_of(DEPOT, self.dice.randrange(1000, 9000))
        field = {"delivery": "dropoff_lat", "hail": "latitude_to"}.get(order.details.flow)
        if field:
            body = {field: nearer[0], "quote_id": None}
            self.call(f"/v1/orders/{order.id}", body, by, "PATCH", **{"If-Match": "*"})

    def pay(self, order: Order) -> None:
        body = {"order_id": str(order.id), "method": "upi"}
        self.call("/v1/payments", body, self.customer_of(order))

    def settle(self, order: Order) -> None:
        """Let the provider speak: of a payment, more than once, and of a refund."""
        for payment in self.payments.list_attempts(order.id):
            if payment.status is PaymentStatus.INITIATED:
                said = self.dice.choice(("completed", "completed", "failed"))
                assert self.hear(payment.id, status=said, transaction_id="t1").status == 200
                if said == "completed":
                    self.charged[payment.id] = payment.amount_minor
        if order.refund and self.dice.random() < 0.5:
            heard = self.hear(order.refund.payment_id, status="refunded")
            assert heard.status == 200
            self.paid_back[str(order.id)] = order.refund.amount_minor

    def hear(self, payment_id: str, **said: Any) -> Answer:
        answer: Answer = self.insist(lambda: webhook(self.world, payment_id, **said))
        return answer

    def tip(self, order: Order) -> None:
        amount = self.dice.randrange(1, 900)
        path, by = f"/v1/orders/{order.id}/tip", self.customer_of(order)
        if self.call(path, {"amount": amount / 100}, by).status == 201:
            self.tips[str(order.id)] += amount

    def pay_out(self, _: Order) -> None:
        by, amount = self.dice.choice(self.couriers), self.dice.randrange(1, 6000)
        body = {"amount": amount / 100, "bank_account": "DE89 3704 1234"}
        asked = self.call("/v1/payouts", body, by)
        if asked.status == 201:
            self.payouts[by.id] += amount
            for verb in ("approve", "complete"):
                path = f"/v1/admin/payouts/{asked.body['id']}/{verb}"
                assert self.call(path, {"transaction_id": "t"}, self.ada).status == 200

    def courier_of(self, order: Order) -> Someone:
        mine = [one for one in self.couriers if one.id == order.courier_id]
        return mine[0] if mine else self.dice.choice(self.couriers)

    def customer_of(self, order: Order) -> Someone:
        return next(one for one in self.customers if one.id == order.details.customer_id)

    def act(self) -> None:
        """Let one thing happen, and time pass."""
        live = [id_ for id_ in self.ids if not self.seen[id_].is_terminal]
        if not live or (len(live) < 2 and self.dice.random() < 0.2):
            self.place()
        else:
            among = live if self.dice.random() < 0.6 else self.ids[-6:]
            order = self.world.order(self.dice.choice(among))
            self.dice.choices(tuple(ACTIONS), tuple(ACTIONS.values()))[0](self, order)
        statuses = {self.world.order(id_).status for id_ in self.ids[-6:]}
        self.world.pass_time(self.dice.choice(SHORT_PAUSES_S if statuses & SEARCHED else PAUSES_S))

    # What must hold

    def check(self, order_id: str) -> None:
        """Check what holds of an order at every moment."""
        order, before = self.world.order(order_id), self.seen.get(order_id)
        attempts = self.payments.list_attempts(order.id)
        done = [one for one in attempts if one.status is PaymentStatus.COMPLETED]
        assert sum(one.status is PaymentStatus.INITIATED for one in attempts) <= 1
        assert len(done) <= 1 or is_price_final(order)
        assert {one.id: one.amount_minor for one in done} == self.charges_of(order)
        if before:
            self.check_kept(before, order, attempts)
        booked = self.bookings_of(order)
        owed = self.debts_of(order)
        assert set(booked.items()) <= set(owed.items()), (booked, owed)
        self.seen[order_id] = order

    def check_kept(self, before: Order, order: Order, attempts: list[Payment]) -> None:
        """Nothing that was decided changes, and nobody pays after a refund."""
        assert order.tips[: len(before.tips)] == before.tips
        assert before.fees in ((), order.fees)
        if before.refund:
            assert order.refund
            assert order.refund.amount_minor == before.refund.amount_minor
            assert attempts[-1].initiated_at <= before.refund.due_at
        if before.status is Status.SCHEDULED and self.is_being_paid(attempts):
            paid = next(one for one in attempts if one.status is not PaymentStatus.FAILED)
            if order.status is Status.SCHEDULED:
                assert paid.amount_minor == compute_final_price(order).total_minor

    def check_wallets(self) -> None:
        """Every balance is the sum of its ledger, and is never negative."""
        for courier in self.couriers:
            balance = self.wallets.get_wallet(courier.id).balance_minor
            assert balance == sum(one.amount_minor for one in self.ledger(courier)) >= 0

    def check_at_rest(self) -> None:
        """Check what holds once all has been made up for: each order is even, and so is the sum."""
        owed: Counter[str] = Counter()
        for order_id in self.ids:
            self.check(order_id)
            order = self.seen[order_id]
            assert self.bookings_of(order) == self.debts_of(order), order
            assert sum(tip.amount_minor for tip in order.tips) == self.tips[order_id]
            owed[str(order.courier_id)] += sum(self.debts_of(order).values())
            self.check_settlement(order)
        for courier in self.couriers:
            balance = self.wallets.get_wallet(courier.id).balance_minor
            bonus = sum(b.amount_minor for b in self.ledger(courier) if b.key.startswith("bonus"))
            assert balance == owed[courier.id] + bonus - self.payouts[courier.id]

    def check_settlement(self, order: Order) -> None:
        """What its customer was charged is what the order costs and what is to be paid back, less
        what is still due; before its end, or of nobody who paid, nothing is said of it."""
        charged = self.charges_of(order)
        refund = order.refund.amount_minor if order.refund else 0
        assert not (refund and order.due_minor)
        assert self.paid_back.get(str(order.id), 0) in (0, refund)
        if charged and is_price_final(order):
            due = "due" if order.due_minor else "even"
            self.outcomes["refund" if refund else due] += 1
            price_minor = compute_final_price(order).total_minor
            assert sum(charged.values()) - refund + order.due_minor == price_minor, order
        else:
            assert (refund, order.due_minor) == (0, 0)

    def charges_of(self, order: Order) -> dict[str, int]:
        prefix = f"pay_{order.id}_"
        return {id_: n for id_, n in self.charged.items() if id_.startswith(prefix)}

    def debts_of(self, order: Order) -> dict[str, int]:
        """What an order owes its courier, by the keys of their ledger."""
        found = {f"{fee.kind}#{order.id}": fee.amount_minor for fee in order.fees}
        found |= {f"tip#{order.id}#{n}": t.amount_minor for n, t in enumerate(order.tips, 1)}
        if order.status is Status.DONE:
            found[f"earning#{order.id}"] = compute_earning(order).amount_minor
        return found

    def bookings_of(self, order: Order) -> dict[str, int]:
        """What is booked of an order, in whosever ledger."""
        every = [(one.id, b) for one in self.couriers for b in self.ledger(one)]
        mine = [(id_, b) for id_, b in every if b.key.split("#")[1:2] == [str(order.id)]]
        assert {id_ for id_, _ in mine} <= {order.courier_id}
        return {b.key: b.amount_minor for _, b in mine}

    def ledger(self, courier: Someone) -> list[Booking]:
        return list_bookings(self.wallets, courier.id, 1000)

    @staticmethod
    def is_being_paid(attempts: list[Payment]) -> bool:
        return any(one.status is not PaymentStatus.FAILED for one in attempts)


ACTIONS: dict[Callable[[Story, Order], None], int] = {
    Story.go_on: 40,
    Story.do_anything: 6,
    Story.give_up: 8,
    Story.interfere: 6,
    Story.amend: 4,
    Story.pay: 14,
    Story.settle: 14,
    Story.tip: 6,
    Story.pay_out: 2,
}


@pytest.fixture
def forget_wiring() -> Iterator[None]:
    yield
    wiring.use(None)


def tell(seed: int, rate: float, steps: int) -> Story:
    """Let a story happen, and check it."""
    story = Story(seed)
    for _ in range(steps):
        story.rate = rate
        story.act()
        story.rate = 0.0
        for order_id in story.ids[-6:]:
            story.check(order_id)
        story.check_wallets()
    story.world.pass_time(700)
    assert story.world.queue.dead == []
    story.check_at_rest()
    return story


@pytest.mark.usefixtures("forget_wiring")
def test_money_adds_up_at_each_step_and_once_all_is_made_up_for() -> None:
    stories = [tell(seed, RATES[seed % len(RATES)], 180) for seed in range(6)]
    outcomes = sum((story.outcomes for story in stories), Counter[str]())
    assert set(outcomes) == {"even", "refund", "due"}
    assert sum(story.tips.total() for story in stories)
    assert sum(story.payouts.total() for story in stories)
