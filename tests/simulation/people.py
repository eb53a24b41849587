"""What people do: customers, couriers, kitchens, the bank and the back office. Each runs as a
strand, asks as a client would, and asks again where no answer came or it was told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import OrderDetails, OrderItem, Place, TripRequest
from chalicelib.domain.money.payments import Payment, PaymentResult, PaymentStatus
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.hands import list_hands
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.reattempts import REATTEMPTABLE
from chalicelib.domain.orders.waiting import Failure
from chalicelib.domain.people import Fix
from chalicelib.domain.request_keys import RequestKey
from tests.builders import DEPOT, north_of
from tests.simulation.phones import Phone
from tests.simulation.town import Answer, Person, Town

T = TypeVar("T")

DOOR = north_of(DEPOT, 3000)
RESTAURANTS = ("789", "790")
COURIERS = ("d0", "d1")
FINISHING_S = 100.0  # after the faults: for what has been begun
_RUSH_EVERY_S = 8.0
_TRIES = 4
_NEXT: dict[Status, Command] = {
    Status.ACCEPTED: commands.Arrive(),
    Status.AT_PICKUP: commands.PickUp(),
    Status.READY: commands.PickUp(),
    Status.IN_TRANSIT: commands.Deliver(),
    Status.RETURNING: commands.FinishReturn(),
}
_ABSENT = Reason("recipient_absent")
_FAILURES: tuple[Failure, ...] = (
    commands.TakeBack(_ABSENT),
    commands.TakeBack(Reason("refused")),
    commands.LeaveBehind(_ABSENT),
    commands.Discard(Reason("damaged")),
)
_COOKING: dict[Status, Command] = {
    Status.PENDING: commands.Confirm(),
    Status.CONFIRMED: commands.Prepare(),
    Status.PREPARING: commands.MakeReady(),
}


@dataclass(eq=False)
class Somebody:
    """What all of them have."""

    town: Town
    person: Person
    phones: tuple[Phone, ...]
    flow: str = "delivery"

    @property
    def busy(self) -> bool:
        """Whether the day is not over yet."""
        return self.town.scheduler.now_s < self.town.plan.active_s

    @property
    def finishing(self) -> bool:
        """Whether there is time left to end what was begun."""
        return self.town.scheduler.now_s < self.town.plan.active_s + FINISHING_S

    def wait(self, least_s: float, most_s: float) -> None:
        """Do something else for a while."""
        self.town.scheduler.sleep(self.town.dice.uniform(least_s, most_s))

    def may(self, chance: float) -> bool:
        """Decide by dice."""
        return self.town.dice.random() < chance

    def ask(self, what: str, do: Callable[..., object], *given: object) -> Answer:
        """Send one request: what `do` makes of what is given."""
        return self.town.ask(f"{self.person.id} {what}", lambda: do(*given))

    def insist(self, what: str, do: Callable[..., object], *given: object) -> Answer:
        """Send a request, and again where no answer came (after 5 s) or a 503 (after a moment)."""
        answer = self.ask(what, do, *given)
        for _ in range(_TRIES - 1):
            if not answer.try_again:
                break
            self.wait(*((0.2, 1.0) if answer.status == 503 else (4.7, 5.3)))
            answer = self.ask(what, do, *given)
        return answer

    def live(self) -> None:
        """Live through the day."""
        raise NotImplementedError

    def write(self, order_id: int, text: str) -> None:
        """Write to the other side of an order."""
        text = f"{text} {self.town.new_id()}"
        self.ask("write", self.town.waybill.chats.send_message, self.person.actor, order_id, text)


class Customer(Somebody):
    """Places orders of one flow, changes their mind, writes to the courier, pays."""

    def live(self) -> None:
        while self.busy:
            self.wait(1, 10)
            self._rush()
            answer = self.ask("place", self.place)
            if isinstance(answer.body, Order):
                self._follow(answer.body)
        while self.finishing:
            self.wait(8, 20)
            for order in self._mine():
                if order.status in (Status.PENDING, Status.UNSERVED):
                    self.insist("cancel", self._cancel, order)
                elif order.status is Status.DONE:
                    self._pay(order)
                elif order.status in REATTEMPTABLE and self.may(0.3):
                    self.ask("reattempt", self._reattempt, order)
                self._tip(order)

    def place(self) -> Order:
        """Place an order of this customer's flow."""
        waybill = self.town.waybill
        if self.flow == "ride":
            wish = TripRequest(Place("here", *DEPOT), Place("there", *DOOR), "standard")
            return waybill.rides.request_ride(self.person.actor, wish).order
        food = {"items": (OrderItem("Soup", 2, 450),)} if self.flow == "food" else {}
        job = OrderDetails(
            flow=self.flow,
            customer_id=self.person.id,
            pickup=Place("1 Depot Road", *DEPOT),
            dropoff=Place("2 Door Street", *DOOR),
            created_at=waybill.clock(),
            merchant_id=self.town.dice.choice(RESTAURANTS) if self.flow == "food" else None,
            **food,  # type: ignore[arg-type]
        )
        return waybill.customer_orders.place_order(job).order

    def _rush(self) -> None:
        """Wait, now and then, for the moment at which others order as well."""
        if self.may(0.4):
            self.town.scheduler.sleep(-self.town.scheduler.now_s % _RUSH_EVERY_S)

    def _follow(self, order: Order) -> None:
        if self.may(0.15):
            self.wait(0, 15)
            self.insist("cancel", self._cancel, order)
        self.wait(2, 15)
        if self.may(0.15):
            self._pay_ahead(order)
        if self.may(0.5):
            self.write(order.id, "Where are you?")
        self.wait(2, 15)
        for done in self._mine():
            if done.status is Status.DONE and self.may(0.7):
                self._pay(done)
            elif done.status is Status.UNSERVED and self.may(0.3) and self.flow == "delivery":
                self.ask(
                    "retry",
                    self.town.waybill.customer_orders.retry_search,
                    self.person.actor,
                    done.id,
                )

    def _cancel(self, order: Order) -> Order:
        waybill, actor = self.town.waybill, self.person.actor
        if self.flow == "ride":
            return waybill.rides.cancel_ride(actor, order.id, None)
        return waybill.customer_orders.cancel_order(actor, order.id, None)

    def _reattempt(self, order: Order) -> Order:
        reattempt = self.town.waybill.reattempts.reattempt_order
        return reattempt(self.person.actor, order.id).order

    def _pay(self, order: Order) -> None:
        """Pay for an order, once as far as the customer knows."""
        if any(payment.order_id == order.id for payment in self.town.payments):
            return
        pay, actor = self.town.waybill.payments.pay_order, self.person.actor
        answer = self.insist("pay", lambda: pay(actor, order.id, "upi", "c@bank", None)[0])
        if isinstance(answer.body, Payment):
            self.town.payments.append(answer.body)

    def _pay_ahead(self, order: Order) -> None:
        """Pay for an order before its end, which may yet cost less."""
        pay, actor = self.town.waybill.payments.initiate_payment, self.person.actor
        answer = self.insist("pay ahead", lambda: pay(actor, order.id, "upi", "c@bank")[0])
        if isinstance(answer.body, Payment):
            self.town.payments.append(answer.body)

    def _tip(self, order: Order) -> None:
        """Tip the courier of an order that is over, now and then: under a key until it is answered,
        maybe that of the tip before; or without one, which is asked for once."""
        if not (order.is_terminal and self.may(0.1)):
            return
        tip, actor, key = self.town.waybill.tips.tip_order, self.person.actor, None
        if self.may(0.7):
            name = f"{self.person.id} {order.id} {self.town.dice.randrange(2)}"
            key = RequestKey(name, "tip")
        ask = self.insist if key else self.ask
        if ask("tip", tip, actor, order.id, 1_00, key).ok:
            self.town.history.tipped.append((order.id, key.name if key else None))

    def _mine(self) -> list[Order]:
        return [
            order
            for order in self.town.history.orders.values()
            if order.details.customer_id == self.person.id
        ]


class Courier(Somebody):
    """Goes on duty, takes orders or not, brings them, has money paid out."""

    def live(self) -> None:
        self.wait(0, 1)
        while self.busy or (self.finishing and self._holds()):
            if self.flow != "food" and self.may(0.5):
                self._report()
            self.wait(0.5, 4)
            order = self._active()
            if order:
                self._work(order)
            elif self.busy:
                self._look_for_work()
            if self.may(0.1):
                self._have_paid_out()

    def _report(self) -> None:
        """Report a position, or going on duty; now and then, off duty."""
        fleet, actor, clock = (
            self.town.waybill.courier_status,
            self.person.actor,
            self.town.waybill.clock,
        )
        place = north_of(DEPOT, self.town.dice.uniform(0, 150))
        if self.town.plan.with_hands and self.may(0.3):
            self._report_way(place)
            return
        if self.may(0.4):
            self.ask("position", lambda: fleet.record_fix(actor, Fix(*place, at=clock())))
            return
        on_duty = not self.busy or self.may(0.95)
        self.ask("duty", lambda: fleet.set_available(actor, on_duty, Fix(*place, at=clock())))

    def _report_way(self, place: tuple[float, float]) -> None:
        """Report several positions at once, as a phone does that had no network."""
        now = self.town.waybill.clock()
        fixes = [Fix(*place, at=now - timedelta(seconds=n)) for n in (6, 4, 2, 0)]
        self.ask("way", self.town.waybill.courier_status.record_fixes, self.person.actor, fixes)

    def _active(self) -> Order | None:
        find = self.town.waybill.customer_orders.poll_active_order
        answer = self.ask("active", find, self.person.id)
        return answer.body if isinstance(answer.body, Order) else None

    def _holds(self) -> bool:
        return any(self.person.id in o.occupied_ids for o in self.town.history.orders.values())

    def _work(self, order: Order) -> None:
        if order.status is Status.OFFERED:
            if self.may(0.75) or not self.busy:
                self._accept(order.id)
            elif self.may(0.4):
                self._step(order.id, commands.Decline())
            else:
                self.wait(5, 18)  # until it lapses
        elif order.status in _NEXT:
            if self.flow == "ride" and self.may(0.05):
                cancel = self.town.waybill.rides.cancel_ride
                self.insist("cancel", cancel, self.person.actor, order.id, Reason("vehicle"))
                return
            if self.may(0.3):
                self.write(order.id, "Coming.")
            if order.no_show_at and self.busy and self.may(0.2):
                self.wait(0, 8)  # too short, now and then
                self._report_no_show(order.id)
                return
            self._step(order.id, self._choose_step(order))

    def _choose_step(self, order: Order) -> Command:
        """Choose what comes next; now and then, what should not."""
        before_pickup = order.status in (Status.ACCEPTED, Status.AT_PICKUP, Status.READY)
        if self.flow != "ride" and self.busy and self.may(0.15):
            if before_pickup or (self.flow == "food" and self.may(0.5)):
                return commands.Release(Reason("vehicle"))
            if order.status is Status.IN_TRANSIT:
                return self.town.dice.choice(_FAILURES)
        if order.status is Status.IN_TRANSIT and "reached" not in order.timeline and self.may(0.3):
            return commands.ReachDropoff()
        return _NEXT[order.status]

    def _look_for_work(self) -> None:
        if self.flow == "ride":
            called = {id_ for phone in self.phones for id_ in phone.heard(events.ORDER_BROADCAST)}
            for order_id in sorted(called)[-2:]:
                if self.town.history.orders[order_id].status is Status.SEARCHING:
                    self._accept(order_id)
        elif self.flow == "food":
            answer = self.ask(
                "pool", self.town.waybill.open_pool.list_open_orders, self.person.actor, "food"
            )
            if answer.ok and answer.body:
                self._accept(self.town.dice.choice(answer.body).id)

    def _accept(self, order_id: int) -> None:
        self.insist(
            "accept", self.town.waybill.courier_orders.accept_order, self.person.actor, order_id
        )

    def _step(self, order_id: int, command: Command) -> None:
        step = self.town.waybill.courier_orders.take_step
        self.insist(command.verb, step, self.person.actor, order_id, command)

    def _report_no_show(self, order_id: int) -> None:
        report = self.town.waybill.courier_orders.report_no_show
        failure = replace(self.town.dice.choice(_FAILURES), is_no_show=True)
        self.insist("no-show", report, self.person.actor, order_id, failure)

    def _have_paid_out(self) -> None:
        request = self.town.waybill.payouts.request_payout
        answer = self.ask("payout", request, self.person.actor, 10_00, "DE12")
        if isinstance(answer.body, Payout):
            self.town.payouts.append(answer.body)


class Dispatcher(Somebody):
    """Lends a hand where it helps, and where it does not; pauses couriers, and resumes them."""

    def live(self) -> None:
        while self.busy:
            self.wait(1, 6)
            if self.may(0.6):
                self._lend_a_hand()
            elif self.may(0.4):
                pauses = self.town.waybill.pauses
                self._set_paused(pauses.pause_courier, self.town.dice.choice(COURIERS))
            else:
                self._resume_all()
        self._resume_all()

    def _resume_all(self) -> None:
        for courier_id in COURIERS:
            self._set_paused(self.town.waybill.pauses.resume_courier, courier_id)

    def _set_paused(self, change: Callable[..., object], courier_id: str) -> None:
        self.insist("pause", change, self.person.actor, courier_id)

    def _lend_a_hand(self) -> None:
        """Do something that is possible with one of the newest orders, as far as is known."""
        found = [(order, list_hands(order)) for order in self.town.history.orders.values()]
        possible = [(order.id, hand) for order, hands in found[-4:] for hand in hands]
        if not possible:
            return
        order_id, hand = self.town.dice.choice(possible)
        hands, actor = self.town.waybill.hands, self.person.actor
        if hand == "assign":
            to = self.town.dice.choice(COURIERS)
            self.insist(hand, hands.assign_courier, actor, order_id, to)
        else:
            self.insist(hand, getattr(hands, f"{hand}_order"), actor, order_id)


class Kitchen(Somebody):
    """An owner who takes, cooks and hands out what their restaurants are asked for."""

    def live(self) -> None:
        while self.finishing:
            self.wait(2, 7) if self.busy else self.wait(5, 15)
            answer = self.ask(
                "own", self.town.waybill.open_pool.list_restaurant_orders, self.person.actor
            )
            for order in answer.body if answer.ok else ():
                command = _COOKING.get(order.status)
                if command is None or self.may(0.3):
                    continue
                if order.status is Status.PENDING and self.may(0.1):
                    command = commands.Reject()
                self._step(order.id, command)

    def _step(self, order_id: int, command: Command) -> None:
        step = self.town.waybill.courier_orders.take_step
        self.ask(command.verb, step, self.person.actor, order_id, command)


class Bank(Somebody):
    """Says how payments went: more than once, and at its leisure."""

    def live(self) -> None:
        decided: dict[str, PaymentResult] = self.town.history.verdicts
        while self.finishing:
            self.wait(2, 8)
            for payment in list(self.town.payments):
                verdict = decided.setdefault(payment.id, self._verdict(payment))
                if self.may(0.5):
                    settle = self.town.waybill.payments.apply_result
                    answer = self.insist("verdict", settle, payment.id, verdict)
                    if answer.ok:
                        self.town.history.confirmed.add(payment.id)
            self._pay_back()

    def _pay_back(self) -> None:
        """Say of refunds that they are paid back."""
        for order in list(self.town.history.orders.values()):
            if order.refund and order.refund.refunded_at is None and self.may(0.5):
                confirm = self.town.waybill.settlements.confirm_refund
                if self.insist("refund", confirm, order.refund.payment_id).ok:
                    self.town.history.confirmed.add(f"refund {order.id}")

    def _verdict(self, payment: Payment) -> PaymentResult:
        if self.may(0.8):
            return PaymentResult(PaymentStatus.COMPLETED, transaction_id=f"txn {payment.id}")
        return PaymentResult(PaymentStatus.FAILED, error="no funds")


class Office(Somebody):
    """Approves payouts and notes their transfer."""

    def live(self) -> None:
        while self.finishing:
            self.wait(3, 10)
            payouts = self.town.waybill.payouts
            for payout in list(self.town.payouts):
                if self.may(0.5):
                    continue
                self.insist("approve", payouts.approve_payout, payout.id)
                done = self.insist(
                    "complete", payouts.complete_payout, payout.id, f"txn {payout.id}"
                )
                if done.ok:
                    self.town.history.confirmed.add(payout.id)
                    self.town.payouts.remove(payout)
