"""Orders from the customer's and the admin's side: place, read, cancel, retry, assign."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from chalicelib.domain.details import Offer, OrderDetails
from chalicelib.domain.ids import IdSource
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.dispatch_policy import measure_to_pickup_m
from chalicelib.domain.orders.lifecycle import advance_order, create_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.permissions import can_see
from chalicelib.domain.people import Actor, Role
from chalicelib.domain.retries import Retries
from chalicelib.errors import CourierBusy, CourierTaken, NotFound, Stale
from chalicelib.services.dispatch.holding import CourierReleaser
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.orders.courier import read_contact
from chalicelib.services.ports import Clock, CourierStore, MailboxStore, OrderStore, PeopleStore

_INDEX_LAG = timedelta(minutes=1)  # more than any index is behind


class CustomerOrders:
    """What customers and admins do with orders."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        people: PeopleStore,
        mailboxes: MailboxStore,
        changes: OrderWriter,
        dispatching: SequentialDispatch,
        holding: CourierReleaser,
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

    def place_order(self, job: OrderDetails) -> Order:
        """Place an order and, unless its merchant comes first, look for its courier at once."""
        return self._retries.retry_while_stale(lambda: self._try_place(job))

    def _try_place(self, job: OrderDetails) -> Order:
        """Place an order under a new id. Raises Stale if the id is taken, or its courier's row."""
        now = self._clock()
        until = self._dispatching.compute_search_end(job.flow, now)
        order, told = create_order(self._ids(), job, now, until)
        try:
            if order.status is not Status.SEARCHING:
                return self._changes.commit_order(None, order, told)
            return self._dispatching.offer_next(None, order, told)
        except Stale:
            # Under another id it would be placed twice if it was this very order that took this
            # one: the write's answer got lost, and somebody has changed the order since.
            found = self._find_order(order.id)
            if found and found.details == job and found.timeline["placed"] == now:
                return found
            raise

    def _find_order(self, order_id: int) -> Order | None:
        try:
            return self._orders.get_order(order_id)
        except NotFound:
            return None

    def get_order(self, actor: Actor, order_id: int) -> Order:
        """Read an order. NotFound for everybody who has no part in it."""
        order = self._dispatching.expire_if_due(self._orders.get_order(order_id))
        if not can_see(order, actor):
            raise NotFound("There is no such order.")
        return order

    def find_active_for_customer(self, customer_id: str) -> Order | None:
        """The customer's newest order that is not finished."""
        order = self._orders.find_newest_active(customer_id) or self._find_in_mailbox(customer_id)
        if order is None:
            return None
        order = self._dispatching.expire_if_due(order)
        return None if order.is_terminal else order

    def _find_in_mailbox(self, customer_id: str) -> Order | None:
        """The newest order that a customer was told of. An index shows what was written a moment
        later; their mailbox shows it at once."""
        ids = self._mailboxes.get_mailbox(customer_id).list_recent_orders(
            self._clock() - _INDEX_LAG
        )
        order = self._orders.get_order(max(ids)) if ids else None
        return order if order and order.details.customer_id == customer_id else None

    def poll_active_order(self, courier_id: str) -> Order | None:
        """The one order that occupies a courier, by an offer or by work. One that is done, and
        still holds them, lets them go."""
        courier = self._couriers.get_courier(courier_id)
        if courier is None or courier.order_id is None:
            if courier:  # who polls is there to be asked
                self._couriers.note_alive(courier, self._clock())
            return None
        order = self._dispatching.expire_if_due(self._orders.get_order(courier.order_id))
        self._holding.release_if_done(courier_id, order)
        return order if order.occupied_courier_id == courier_id else None

    def poll_offer(self, courier_id: str) -> Order | None:
        """The order that a courier is asked to take, its distance as of their last fix."""
        order = self.poll_active_order(courier_id)
        if order is None or order.offer is None or order.status is not Status.OFFERED:
            return None
        courier = self._couriers.get_courier(courier_id)
        distance_m = measure_to_pickup_m(courier, order.details.pickup.point) if courier else None
        return replace(order, offer=replace(order.offer, distance_m=distance_m))

    def is_offer_current(self, order_id: int, offer: Offer) -> bool:
        """Whether an offer is still the one that an order waits on."""
        found = self._orders.get_order(order_id).offer
        return found is not None and found.seq == offer.seq

    def cancel_order(self, actor: Actor, order_id: int, reason: str | None) -> Order:
        """Cancel before pickup; the owner or an admin."""
        command = commands.Cancel(reason, by=actor.role.value if actor.role else "")

        def change(order: Order) -> Order:
            after, told = advance_order(order, command, actor, self._clock())
            return self._changes.commit_order(order, after, told) if told else order

        return self._changes.retry_change(order_id, change)

    def retry_search(self, actor: Actor, order_id: int) -> Order:
        """Look for a courier again, everybody anew; the owner."""

        def change(order: Order) -> Order:
            now = self._clock()
            until = self._dispatching.compute_search_end(order.details.flow, now)
            after, told = advance_order(order, commands.RetrySearch(until), actor, now)
            return self._dispatching.offer_next(order, after, told)

        return self._changes.retry_change(order_id, change)

    def assign_courier(self, actor: Actor, order_id: int, courier_id: str) -> Order:
        """Give an order to one courier by hand, on duty or not; an admin.

        Raises NotFound for an unknown courier, CourierBusy for one who holds another order.
        """
        courier = self._couriers.get_courier(courier_id)
        if courier is None:
            raise NotFound("There is no such courier.")
        shown = read_contact(self._people, Actor(courier_id, Role.COURIER))

        def change(order: Order) -> Order:
            now = self._clock()
            until = self._dispatching.compute_offer_end(order, now)
            distance_m = measure_to_pickup_m(courier, order.details.pickup.point)
            command = commands.AssignCourier(courier_id, until, distance_m, shown)
            after, told = advance_order(order, command, actor, now)
            if not told:
                return order
            return self._changes.commit_order(order, after, told, available_only=False)

        try:
            return self._holding.take_order(
                courier_id, lambda: self._changes.retry_change(order_id, change)
            )
        except CourierTaken:
            raise CourierBusy("This courier holds another order.") from None
