"""Offer an order to one courier after the other, or to those of one wave after the other, until
one accepts or the search is over.

What moves an order here (domain/orders/flows/delivery.py has the whole table):

 searching --offer--> offered          a courier is free: they are claimed
 searching --wait--> searching         nobody is free, and the flow searches on: look again later
 searching --give up--> unserved       nobody is free, and the search is over
 offered --expire, decline--> searching, and one of the three above in the same commit
 scheduled --activate--> searching     its time has come: likewise

So an order is stored as offered, as waiting for its next look, or as unserved: never as one that
somebody is about to offer. Whoever dies on the way has changed nothing (order_commits.py).

The claim. A courier's row names the order that occupies them. An offer is one transaction: the
order's row, if it is as it was read, and the courier's, if no order is named there and they are on
duty. So a courier never has two orders, nor an order two couriers, whatever was read before: reads
come from an index that is behind, and at half the price, as this condition decides.

 CourierTaken      Another order was quicker, or they went off duty. The next candidate is tried.
 CourierContended  Another write held the courier's row at that moment. The next candidate is tried;
                   where none is left this is raised, as it is Stale: the whole look is done again.
 Stale             Another has changed the order. It is read again, and the step tried on that.

Waves (domain/orders/waves.py). Where a flow has them, an offer is made to the best of a wave at
once: one transaction has the order and the rows of all of them. Who was taken is left out, and the
wave goes with the others. The first who accepts has the order; the others are let go in the same
transaction. Who declines is let go, and the order stays offered until the last of them has: that
decline's transaction asks the next wave. Each is on the order's version, and so on its wave: no
late answer advances another one. A wave is one offer to everything else here: it lapses as one.

The wakeups of the offer, `RelayDue` and `OfferDue`, do not depend on whom it is for, nor do the
lists that a new order comes into. They are sent and written from when the index names somebody,
while couriers are read. The transaction waits for their end.

Where the index names few, the heads of their mailboxes are read meanwhile, too. The transaction
then takes the lease of the courier's mailbox, so that the offer is posted right after it. What
hinders only the lease does not hinder the offer (messaging/planned_leases.py).

An offer ends by its timer (`OfferDue`), by the sweep, by whoever reads the order, or by an answer
that comes too late: all of them expire it by the same step, the order's version lets one of them
through, and the others find it done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.events import ORDER_ACTIVATED, Event
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.dispatch_policy import DispatchPolicy, measure_to_pickup_m
from chalicelib.domain.orders.lifecycle import advance_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.waves import Wave
from chalicelib.domain.people import SYSTEM, Courier
from chalicelib.errors import CourierContended, CourierTaken
from chalicelib.services.dispatch.attempts import EarlyPreparation, Search, SearchAttempt
from chalicelib.services.dispatch.broadcast import NearbyDispatch
from chalicelib.services.dispatch.candidates import find_candidates
from chalicelib.services.dispatch.order_commits import OrderWriter, Preparation
from chalicelib.services.dispatch.roster import Roster
from chalicelib.services.dispatch.schedules import Schedules, find_next_search
from chalicelib.services.dispatch.stacks import StackPrices
from chalicelib.services.messaging.planned_leases import LeasePlanner
from chalicelib.services.ports import Clock, CourierStore, OrderStore

INDEX_LAG_S = 0.3  # what is written shows in an index, and in reads at half the price, by then


class SequentialDispatch:
    """Offers orders to couriers, one at a time, by the policy of the order's flow. `pause` waits
    for so many seconds; `stacks` is there where a courier may have several orders."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        writer: OrderWriter,
        planner: LeasePlanner,
        policies: Mapping[str, DispatchPolicy],
        schedules: Schedules,
        nearby: NearbyDispatch,
        clock: Clock,
        pause: Callable[[float], object] = time.sleep,
        stacks: StackPrices | None = None,
    ) -> None:
        self._nearby = nearby
        self._orders = orders
        self._roster = Roster(couriers)
        self._pause = pause
        self._writer = writer
        self._planner = planner
        self._policies = policies
        self.schedules = schedules
        self._clock = clock
        self._stacks = stacks

    def get_policy(self, order: Order) -> DispatchPolicy:
        """Return how this order's flow searches for couriers."""
        return self._policies[order.details.flow]

    def compute_offer_end(self, order: Order, now: datetime) -> datetime:
        """Compute when an offer of this order made now would expire; now if its flow makes none."""
        policy = self._policies.get(order.details.flow)
        return now + policy.offer_ttl if policy else now

    def activate_order(self, stored: Order, order: Order, events: tuple[Event, ...] = ()) -> Order:
        """Commit a scheduled order as active: shown to its merchant, or searched at once, with the
        first offer in the same commit. Raises Stale, Unavailable.

        A timer, the sweep, a reader and an amendment may all try: the order's version lets one of
        them through, and the others find it done.
        """
        now = self._clock()
        schedule = self.schedules.schedule_search(order.details.flow, order.options.windows, now)
        command = commands.Activate(schedule.search_until, schedule.plan)
        order, more = advance_order(order, command, SYSTEM, now)
        events += more or self._writer.draft_for_endpoints(order, ORDER_ACTIVATED)
        if order.status is not Status.SEARCHING:
            return self._writer.commit_order(stored, order, events)
        return self.offer_next(stored, order, events)

    def complete_command(
        self, order: Order, actor_id: str, command: commands.Command, now: datetime
    ) -> commands.Command:
        """Set until when another is searched for who takes an order that is given back; return any
        other command as it is."""
        if isinstance(command, commands.Release):
            until = self.schedules.compute_search_end(order.details.flow, now)
            return replace(command, search_until=until)
        return command

    def offer_next(
        self,
        stored: Order | None,
        order: Order,
        events: tuple[Event, ...] = (),
        expired_ids: tuple[str, ...] = (),
        ask_again: bool = False,
    ) -> Order:
        """Commit a searching order as offered to the best courier there is, or to those of its next
        wave, or as waiting, or as unserved. The parameters are those of `Search`. Raises Stale,
        Unavailable."""
        order = self.schedules.begin_due_search(order, self._clock())
        if self.get_policy(order).is_broadcast:
            return self._nearby.open_to_nearby(stored, order, events, self.get_policy(order))
        search = Search(stored, order, events, expired_ids, ask_again)
        if order.plan and self._clock() >= order.plan.ends_at:
            return self._wait_or_give_up(search)  # too late to ask: its customer must hear in time
        offered = self._offer_to_best(search)
        if offered is None and not self._looks_again(order):
            # To give up is for good: who came on duty a moment ago must not be overlooked.
            self._pause(INDEX_LAG_S)
            offered = self._offer_to_best(search, is_consistent=True)
        return offered or self._wait_or_give_up(search)

    def _offer_to_best(self, search: Search, is_consistent: bool = False) -> Order | None:
        """Commit the order as offered to the best couriers who can be claimed, as many as its next
        wave has; None if there is nobody. A wave with nobody in it is passed over. Raises
        CourierContended if one was passed over who may well be free: it is too early then to say
        that nobody is."""
        attempt = SearchAttempt(
            search,
            self.get_policy(search.order),
            self._clock(),
            is_consistent,
            set(),
            {},
            self._stacks,
        )
        contended: CourierContended | None = None
        try:
            for number, wave, ask_again in attempt.list_waves():
                try:
                    if offered := self._ask_wave(attempt, number, wave, ask_again):
                        return offered
                except CourierContended as error:
                    contended = error
        finally:
            for preparation in attempt.preparations.values():
                preparation.wait()
        if contended:
            raise contended
        return None

    def _ask_wave(
        self, attempt: SearchAttempt, number: int | None, wave: Wave, ask_again: bool
    ) -> Order | None:
        """Commit the order as offered to the best of one wave. Who can't be claimed is left out of
        it. None if nobody can; raises CourierContended as _offer_to_best does."""
        preparation = self._get_preparation(attempt, wave)
        look = attempt.make_look(wave, ask_again, preparation.start)
        contended: CourierContended | None = None
        while candidates := find_candidates(self._roster, look, attempt.lost):
            while candidates:
                chosen = candidates[: wave.couriers]
                try:
                    return self._claim(attempt, chosen, number, wave, preparation)
                except CourierTaken as error:
                    attempt.lost.update(error.courier_ids)
                except CourierContended as error:
                    attempt.lost.update(error.courier_ids)
                    contended = error
                candidates = [one for one in candidates if one.id not in attempt.lost]
        if contended:
            raise contended
        return None

    def _get_preparation(self, attempt: SearchAttempt, wave: Wave) -> EarlyPreparation:
        """Return what an offer of a wave relies on: the same for all that end at the same time."""
        known, expires_at = attempt.preparations, attempt.compute_end(wave)
        if expires_at not in known:
            known[expires_at] = EarlyPreparation(
                lambda: self._start_preparation(attempt.search, expires_at),
                self._planner.start_reading,
            )
        return known[expires_at]

    def _claim(
        self,
        attempt: SearchAttempt,
        couriers: Sequence[Courier],
        number: int | None,
        wave: Wave,
        preparation: EarlyPreparation,
    ) -> Order:
        """Commit the order as offered to these couriers. Raises CourierTaken, CourierContended,
        Stale, and Unavailable if the preparation failed; nothing is written then."""
        search = attempt.search
        pickup = search.order.details.pickup.point
        first, *others = ((one.id, measure_to_pickup_m(one, pickup)) for one in couriers)
        offer = commands.MakeOffer(
            first[0],
            attempt.compute_end(wave),
            search.expired_courier_id,
            first[1],
            also_expired=search.expired_ids[1:],
            others=tuple(others),
            wave=number,
        )
        order, events = advance_order(search.order, offer, SYSTEM, attempt.now)
        return self._writer.commit_order(
            search.stored,
            order,
            search.events + events,
            preparation=preparation.start(),
            heads=preparation.heads,
        )

    def _start_preparation(self, search: Search, expires_at: datetime) -> Preparation:
        """Begin what the offer relies on. All who will hear of it are known by now, but for
        the courier to whom it is made; and nothing follows from the events of a search but that
        they are delivered."""
        order = search.order
        heard = (*(event.to for event in search.events), *search.expired_ids)
        recipients = tuple(dict.fromkeys(filter(None, (*heard, order.details.customer_id))))
        return self._writer.start_offer_preparation(search.stored, order, recipients, expires_at)

    def _may_wait(self, order: Order) -> bool:
        return order.search_until is not None and self._clock() < order.search_until

    def _looks_again(self, order: Order) -> bool:
        return self._may_wait(order) or find_next_search(order) is not None

    def _wait_or_give_up(self, search: Search) -> Order:
        """Commit an order for which nobody is free: as waiting, where its search goes on or another
        is planned, else as unserved. The next look is at the end of the search at the latest."""
        now, until = self._clock(), search.order.search_until
        command: commands.Command
        next_at = find_next_search(search.order)
        if until and now < until:
            next_at = min(now + self.get_policy(search.order).search_every, until)
        if next_at:
            command = commands.WaitForCourier(next_at, search.expired_courier_id)
        else:
            command = commands.GiveUp(search.expired_courier_id, search.expired_ids[1:])
        order, events = advance_order(search.order, command, SYSTEM, now)
        return self._writer.commit_order(search.stored, order, search.events + events)

    def expire_offer(self, order_id: int, seq: int) -> timedelta:
        """Expire the `seq`-th offer if its time is up, and ask the next courier.

        Safe to call by a timer, a look and a reader at once. Returns the time that the offer still
        has, zero if there is nothing left to do. Raises NotFound.
        """
        order = self._writer.retry_change(
            order_id, lambda order: self._expire_and_offer_next(order, seq, self._clock())
        )
        if order.offer and order.open_seq == seq:
            return max(timedelta(0), order.offer.expires_at - self._clock())
        return timedelta(0)

    def search_if_due(self, order_id: int, due_at: datetime) -> timedelta:
        """Look for couriers for an order that waits until `due_at`, if that has come.

        Returns the time that is left until then; zero once the look was taken, or if the order
        waits for nobody by now. Raises NotFound.
        """
        left = due_at - self._clock()
        if left <= timedelta(0):
            self.act_on_deadline(order_id)
        elif self._orders.get_order(order_id).deadline_at is None:
            return timedelta(0)
        return max(timedelta(0), left)

    def act_on_deadline(self, order_id: int) -> None:
        """Do what an order's deadline asks for, if it has passed. Harmless however often."""
        self._writer.retry_change(order_id, self._act_if_overdue)

    def expire_if_due(self, order: Order) -> Order:
        """Return an order that was read; expire its offer first, and offer it to the next, if the
        offer's time is up, or activate it, if its time has come: reading repairs what a lost wakeup
        left. May write and post."""
        now = self._clock()
        has_lapsed = order.offer is not None and order.offer.has_expired(now)
        if has_lapsed or order.is_due_to_activate(now):
            return self._writer.retry_change(order.id, self._act_if_overdue)
        return order

    def _act_if_overdue(self, order: Order) -> Order:
        """Commit what follows from an order's deadline; the order as it is, if that is to come."""
        due_at, now = order.deadline_at, self._clock()
        if due_at is None or due_at > now:
            return order
        if order.status is Status.SCHEDULED:
            return self.activate_order(order, order)
        if order.status is Status.SEARCHING:
            return self._search_again(order)
        if order.status is Status.READY:
            unserved, events = advance_order(order, commands.GiveUp(), SYSTEM, now)
            return self._writer.commit_order(order, unserved, events)
        seq = order.open_seq
        return order if seq is None else self._expire_and_offer_next(order, seq, now)

    def _expire_and_offer_next(self, order: Order, seq: int, now: datetime) -> Order:
        """Commit an order whose `seq`-th offer has expired, with those that were made beside it, as
        offered to the next couriers."""
        if order.status is not Status.OFFERED:
            return order
        searching, events = advance_order(order, commands.ExpireOffer(seq), SYSTEM, now)
        if not events:
            return order  # another offer, or still open
        return self.offer_next(order, searching, events, expired_ids=order.occupied_ids)

    def _search_again(self, order: Order) -> Order:
        ask_again = self._may_wait(order) and self.get_policy(order).ask_again
        return self.offer_next(order, order, ask_again=ask_again)
