"""Orders from the customer's and the admin's side: place, read, cancel, retry, assign."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from chalicelib.domain.details import Job, Offer
from chalicelib.domain.ids import IdSource
from chalicelib.domain.orders import commands, lifecycle
from chalicelib.domain.orders.dispatch_policy import distance_to
from chalicelib.domain.orders.lifecycle import advance
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Actor, Role
from chalicelib.domain.retries import Retries
from chalicelib.errors import CourierBusy, CourierTaken, NotFound, Stale
from chalicelib.services.dispatch.holding import Holding
from chalicelib.services.dispatch.order_commits import Changes
from chalicelib.services.dispatch.sequential import Dispatching
from chalicelib.services.orders.courier import contact
from chalicelib.services.ports import Clock, CourierStore, MailboxStore, OrderStore, PeopleStore

_LAG = timedelta(minutes=1)  # more than any index is behind


class Ordering:
    """What customers and admins do with orders."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        people: PeopleStore,
        mailboxes: MailboxStore,
        changes: Changes,
        dispatching: Dispatching,
        holding: Holding,
        ids: IdSource,
        clock: Clock,
        retries: Retries | None = None,
    ) -> None:
        self._retries = retries or Retries()
        self._orders = orders
        self._couriers = couriers
        self._people = people
        self._mailboxes = mailboxes
        self._changes = changes
        self._dispatching = dispatching
        self._holding = holding
        self._ids = ids
        self._clock = clock

    def place(self, job: Job) -> Order:
        """Place an order and, unless its merchant comes first, look for its courier at once."""
        return self._retries.run(lambda: self._place(job))

    def _place(self, job: Job) -> Order:
        """Place an order under a new id. Raises Stale if the id is taken, or its courier's row."""
        now = self._clock()
        until = self._dispatching.search_until(job.flow, now)
        order, told = lifecycle.place(self._ids(), job, now, until)
        try:
            if order.status is not Status.SEARCHING:
                return self._changes.commit(None, order, told)
            return self._dispatching.settle(None, order, told)
        except Stale:
            # Under another id it would be placed twice if it was this very order that took this
            # one: the write's answer got lost, and somebody has changed the order since.
            found = self._find(order.id)
            if found and found.job == job and found.timeline["placed"] == now:
                return found
            raise

    def _find(self, order_id: int) -> Order | None:
        try:
            return self._orders.get(order_id)
        except NotFound:
            return None

    def get(self, actor: Actor, order_id: int) -> Order:
        """Read an order. NotFound for everybody who has no part in it."""
        order = self._dispatching.fresh(self._orders.get(order_id))
        if not lifecycle.known_to(order, actor):
            raise NotFound("There is no such order.")
        return order

    def active_for_customer(self, customer_id: str) -> Order | None:
        """The customer's newest order that is not finished."""
        order = self._orders.newest_active_of(customer_id) or self._lately_told_to(customer_id)
        if order is None:
            return None
        order = self._dispatching.fresh(order)
        return None if order.terminal else order

    def _lately_told_to(self, customer_id: str) -> Order | None:
        """The newest order that a customer was told of. An index shows what was written a moment
        later; their mailbox shows it at once."""
        ids = self._mailboxes.read(customer_id).orders_since(self._clock() - _LAG)
        order = self._orders.get(max(ids)) if ids else None
        return order if order and order.job.customer_id == customer_id else None

    def active_for_courier(self, courier_id: str) -> Order | None:
        """The one order that occupies a courier, by an offer or by work. One that is done, and
        still holds them, lets them go."""
        courier = self._couriers.get(courier_id)
        if courier is None or courier.order_id is None:
            if courier:  # who polls is there to be asked
                self._couriers.note_alive(courier, self._clock())
            return None
        order = self._dispatching.fresh(self._orders.get(courier.order_id))
        self._holding.let_go_if_done(courier_id, order)
        return order if order.holder == courier_id else None

    def offered_to(self, courier_id: str) -> Order | None:
        """The order that a courier is asked to take, its distance as of their last fix."""
        order = self.active_for_courier(courier_id)
        if order is None or order.offer is None or order.status is not Status.OFFERED:
            return None
        courier = self._couriers.get(courier_id)
        distance_m = distance_to(courier, order.job.pickup.point) if courier else None
        return replace(order, offer=replace(order.offer, distance_m=distance_m))

    def stands(self, order_id: int, offer: Offer) -> bool:
        """Whether an offer is still the one that an order waits on."""
        found = self._orders.get(order_id).offer
        return found is not None and found.seq == offer.seq

    def cancel(self, actor: Actor, order_id: int, reason: str | None) -> Order:
        """Cancel before pickup; the owner or an admin."""
        command = commands.Cancel(reason, by=actor.role.value if actor.role else "")

        def change(order: Order) -> Order:
            after, told = advance(order, command, actor, self._clock())
            return self._changes.commit(order, after, told) if told else order

        return self._changes.retrying(order_id, change)

    def retry(self, actor: Actor, order_id: int) -> Order:
        """Look for a courier again, everybody anew; the owner."""

        def change(order: Order) -> Order:
            now = self._clock()
            until = self._dispatching.search_until(order.job.flow, now)
            after, told = advance(order, commands.Retry(until), actor, now)
            return self._dispatching.settle(order, after, told)

        return self._changes.retrying(order_id, change)

    def assign(self, actor: Actor, order_id: int, courier_id: str) -> Order:
        """Give an order to one courier by hand, on duty or not; an admin.

        Raises NotFound for an unknown courier, CourierBusy for one who holds another order.
        """
        courier = self._couriers.get(courier_id)
        if courier is None:
            raise NotFound("There is no such courier.")
        shown = contact(self._people, Actor(courier_id, Role.COURIER))

        def change(order: Order) -> Order:
            now = self._clock()
            until = self._dispatching.offer_until(order, now)
            distance_m = distance_to(courier, order.job.pickup.point)
            command = commands.Assign(courier_id, until, distance_m, shown)
            after, told = advance(order, command, actor, now)
            if not told:
                return order
            return self._changes.commit(order, after, told, available_only=False)

        try:
            return self._holding.taking(
                courier_id, lambda: self._changes.retrying(order_id, change)
            )
        except CourierTaken:
            raise CourierBusy("This courier holds another order.") from None
