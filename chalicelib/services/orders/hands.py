"""Orders by hand: what a dispatcher does with them (domain/orders/hands.py).

A hand is one commit, as any step is: the order with the change in its history, and, in the same
transaction, a row in the history of each courier who got or lost it. A write whose answer got lost,
and a dispatcher who asks again, find it done.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from chalicelib.domain.courier_changes import make_change
from chalicelib.domain.events import Event
from chalicelib.domain.ids import IdSource
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.dispatch_policy import measure_to_pickup_m
from chalicelib.domain.orders.hands import (
    Failure,
    Hand,
    choose_failure,
    choose_release,
    list_courier_steps,
    permit_hand,
)
from chalicelib.domain.orders.lifecycle import apply_step
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.offers import list_holders
from chalicelib.domain.orders.permissions import Permission, check_permission
from chalicelib.domain.orders.placing import PlacedOrder, Repeat
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.reattempts import REATTEMPTABLE
from chalicelib.domain.people import Actor, Courier, Role
from chalicelib.domain.request_keys import RequestKey
from chalicelib.errors import (
    AlreadyReattempted,
    CourierBusy,
    CourierPaused,
    CourierTaken,
    NotFound,
)
from chalicelib.services.dispatch.courier_releaser import PAUSED, CourierReleaser
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.orders.contacts import read_contact
from chalicelib.services.orders.event_details import EventDetails
from chalicelib.services.orders.reattempts import Reattempts
from chalicelib.services.ports import Clock, CourierStore, OrderStore, PeopleStore

MakeCommand = Callable[[Order, datetime], Command]


class OrderHands:
    """What admins, and merchants with their own orders, do by hand."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        people: PeopleStore,
        writer: OrderWriter,
        dispatch: SequentialDispatch,
        releaser: CourierReleaser,
        event_details: EventDetails,
        reattempts: Reattempts,
        ids: IdSource,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._couriers = couriers
        self._people = people
        self._writer = writer
        self._dispatch = dispatch
        self._releaser = releaser
        self._event_details = event_details
        self._reattempts = reattempts
        self._ids = ids
        self._clock = clock

    def assign_courier(
        self, actor: Actor, order_id: int, courier_id: str, reason: Reason | None = None
    ) -> Order:
        """Give an order to one courier, on duty or not, whoever has it now.

        Raises NotFound for an unknown courier too, CourierBusy for one who has another order,
        CourierPaused, InvalidTransition.
        """
        check_permission(Permission.HAND, self._orders.get_order(order_id), actor)
        courier = self._couriers.get_courier(courier_id)
        if courier is None:
            raise NotFound("There is no such courier.")
        contact = read_contact(self._people, Actor(courier_id, Role.COURIER))

        def make_command(stored: Order, now: datetime) -> Command:
            until = self._dispatch.compute_offer_end(stored, now)
            distance_m = measure_to_pickup_m(courier, stored.details.pickup.point)
            return commands.AssignCourier(courier_id, until, distance_m, contact, reason)

        def take() -> Order:
            return self._take_step(actor, order_id, Hand.ASSIGN, make_command, courier=courier)

        try:
            return self._releaser.take_order(courier_id, take)
        except CourierTaken:
            raise CourierBusy("This courier holds another order.") from None

    def release_order(
        self,
        actor: Actor,
        order_id: int,
        reason: Reason | None = None,
        courier_id: str | None = None,
    ) -> Order:
        """Take an order from who has it, or is asked, before its pickup; another is searched for.
        With `courier_id` only from that one: it is as it is where another has it. Raises NotFound,
        InvalidTransition."""

        def make_command(stored: Order, now: datetime) -> Command:
            until = self._compute_search_end(stored, now)
            return choose_release(stored, reason, until, courier_id)

        return self._take_step(actor, order_id, Hand.RELEASE, make_command, only_from=courier_id)

    def cancel_order(self, actor: Actor, order_id: int, reason: Reason | None = None) -> Order:
        """Cancel an order in every state in which an admin may. Raises NotFound,
        InvalidTransition."""
        command = commands.Cancel(reason, by=_name_role(actor))
        return self._take_step(actor, order_id, Hand.CANCEL, lambda stored, now: command)

    def fail_order(
        self,
        actor: Actor,
        order_id: int,
        reason: Reason | None = None,
        then: Failure | None = None,
    ) -> Order:
        """End an order at whose pickup nobody is, or say what becomes of a thing that can't be
        handed over. Raises NotFound, InvalidTransition; ProofRequired for what is left where a
        photo is asked for."""

        def make_command(stored: Order, now: datetime) -> Command:
            return choose_failure(stored, reason, then, _name_role(actor))

        return self._take_step(actor, order_id, Hand.FAIL, make_command, then=then)

    def retry_order(
        self,
        actor: Actor,
        order_id: int,
        reason: Reason | None = None,
        key: RequestKey | None = None,
    ) -> PlacedOrder | Order:
        """Search anew for an unserved order, or try again, by an order of its own, what was not
        handed over: that one is a PlacedOrder. Raises NotFound, InvalidTransition, KeyReused."""
        order = self._orders.get_order(order_id)
        check_permission(Permission.HAND, order, actor)
        if order.status in REATTEMPTABLE:
            return self._reattempt_order(actor, order_id, reason, key)

        def make_command(stored: Order, now: datetime) -> Command:
            return commands.RetrySearch(self._compute_search_end(stored, now), reason)

        return self._take_step(actor, order_id, Hand.RETRY, make_command)

    def _reattempt_order(
        self, actor: Actor, order_id: int, reason: Reason | None, key: RequestKey | None
    ) -> PlacedOrder:
        """Place the child of an order, or return the one that tries it again already: whoever asks
        twice, without a key, wants one."""
        try:
            return self._reattempts.reattempt_order(actor, order_id, key, reason=reason)
        except AlreadyReattempted as error:
            if "id" not in error.details:
                raise
            child = self._orders.get_order(int(error.details["id"]))
            return PlacedOrder(child, Repeat.KEY)

    def _take_step(
        self,
        actor: Actor,
        order_id: int,
        hand: Hand,
        make_command: MakeCommand,
        *,
        courier: Courier | None = None,
        then: Failure | None = None,
        only_from: str | None = None,
    ) -> Order:
        """Take one step with an order as it is now, and again whenever another write came first."""

        def change(stored: Order) -> Order:
            now = self._clock()
            command = make_command(stored, now)
            if only_from is not None and only_from not in list_holders(stored):
                check_permission(Permission.HAND, stored, actor)
                return stored
            status = permit_hand(stored, command, actor, now, then)
            if status is None:
                return stored
            if courier and courier.is_paused and courier.has_room:
                raise CourierPaused(PAUSED)
            order, events = apply_step(stored, status, command, actor, now)
            order = self._note_couriers(stored, order, actor, hand, command)
            return self._commit_step(stored, order, events)

        return self._writer.retry_change(order_id, change)

    def _commit_step(self, stored: Order, order: Order, events: tuple[Event, ...]) -> Order:
        if order.status is Status.SEARCHING:
            return self._dispatch.offer_next(stored, order, events)
        order, events = self._event_details.add_details(order, events)
        return self._writer.commit_order(stored, order, events, available_only=False)

    def _note_couriers(
        self, before: Order, after: Order, actor: Actor, hand: Hand, command: Command
    ) -> Order:
        """Return an order with what its commit notes of the couriers who got or lost it."""
        reason: Reason | None = getattr(command, "reason", None)
        code, note = (reason.code, reason.short_note) if reason else (None, None)
        changes = tuple(
            make_change(
                self._ids(), courier_id, step, actor, after.updated_at, code, note, after.id
            )
            for courier_id, step in list_courier_steps(before, after, hand)
        )
        return replace(after, courier_changes=changes)

    def _compute_search_end(self, order: Order, now: datetime) -> datetime | None:
        """Compute until when another courier is looked for, or may take a meal from the pool."""
        if order.details.flow == FOOD_FLOW:
            return self._dispatch.compute_offer_end(order, now)
        return self._dispatch.schedules.compute_search_end(order.details.flow, now)


FOOD_FLOW = "food"


def _name_role(actor: Actor) -> str:
    return actor.role.value if actor.role else ""
