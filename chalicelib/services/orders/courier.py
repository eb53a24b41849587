"""Orders from the courier's side: accept or decline, then step by step to the door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from chalicelib.domain.details import Contact
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.lifecycle import advance_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Actor, Person
from chalicelib.errors import CourierBusy, CourierTaken, OfferGone
from chalicelib.services.dispatch.holding import CourierReleaser
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.orders.event_details import EventDetails
from chalicelib.services.ports import Clock, PeopleStore

CompleteCommand = Callable[[Order, str, Command, datetime], Command]
"""(order, who, a permitted command, now) -> the command completed. Raises to refuse."""


class CourierOrders:
    """What couriers do with orders."""

    def __init__(
        self,
        people: PeopleStore,
        changes: OrderWriter,
        dispatching: SequentialDispatch,
        holding: CourierReleaser,
        particulars: EventDetails,
        prepares: Mapping[str, CompleteCommand],
        clock: Clock,
    ) -> None:
        """`prepares` completes the commands of a flow, by its name."""
        self._holding = holding
        self._particulars = particulars
        self._prepares = prepares
        self._people = people
        self._changes = changes
        self._dispatching = dispatching
        self._clock = clock

    def accept_order(self, actor: Actor, order_id: int) -> Order:
        """Take the offered order. Raises OfferGone if it lapsed or moved on."""
        return self.take_step(actor, order_id, commands.Accept(read_contact(self._people, actor)))

    def take_step(self, actor: Actor, order_id: int, command: Command) -> Order:
        """Take one step with an order. Asking again for the step just taken changes nothing.

        Raises NotFound, Forbidden, OfferGone, InvalidTransition; CourierBusy for taking a second,
        and what the flow's own conditions raise.
        """

        def change(order: Order) -> Order:
            now = self._clock()
            after, told = advance_order(order, command, actor, now)
            if not told:
                return order
            if prepare := self._prepares.get(order.details.flow):
                prepared = prepare(order, actor.id, command, now)
                after, told = advance_order(order, prepared, actor, now)
            told = self._particulars.add_details(after, told)
            if after.status is Status.SEARCHING:
                return self._dispatching.offer_next(order, after, told)
            on_duty = FLOWS[order.details.flow].requires_duty
            return self._changes.commit_order(order, after, told, available_only=on_duty)

        try:
            return self._holding.take_order(
                actor.id, lambda: self._changes.retry_change(order_id, change)
            )
        except CourierTaken:
            raise CourierBusy("You have another order that is not finished.") from None
        except OfferGone:
            self._dispatching.handle_deadline(order_id)  # a late answer finds what the timer would
            raise


def read_contact(people: PeopleStore, actor: Actor) -> Contact:
    """What others are shown of somebody: their profile, else what their token says."""
    person = people.get_person(actor.id) or Person(actor.id)
    return Contact(
        id=actor.id,
        name=person.name or actor.name,
        phone=person.phone or actor.phone,
        picture=person.profile_picture,
        vehicle=person.vehicle,
        vehicle_type=person.vehicle_type,
        rating=person.rating,
    )
