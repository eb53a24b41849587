"""Orders from the courier's side: accept or decline, then step by step to the door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, wait
from datetime import datetime

from chalicelib.domain.events import Event
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.arrivals import is_return, resume_wait
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.history import note_wrong_pin
from chalicelib.domain.orders.lifecycle import advance_order, apply_step, permit_step
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.proof_checks import count_wrong_pin
from chalicelib.domain.orders.waiting import Failure, choose_no_show_step
from chalicelib.domain.people import SYSTEM, Actor, Role
from chalicelib.errors import CourierBusy, CourierTaken, OfferGone, WrongPin
from chalicelib.services.dispatch.courier_releaser import CourierReleaser
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.orders.contacts import read_contact
from chalicelib.services.orders.event_details import EventDetails
from chalicelib.services.orders.proof import ProofService
from chalicelib.services.orders.waiting import WaitClocks
from chalicelib.services.ports import Clock, PeopleStore

CompleteCommand = Callable[[Order, str, Command, datetime], Command]
"""(order, id of the actor, a permitted command, now) -> the command with what the step takes: a
trip, a time. Raises to refuse the step."""


class CourierOrders:
    """What couriers do with orders, and merchants with theirs. `completers` has, by the flow, what
    completes its commands. An order that was given back more than `releases_max` times is searched
    for no longer. `pool` reads what does not depend on each other at once."""

    def __init__(
        self,
        people: PeopleStore,
        writer: OrderWriter,
        dispatch: SequentialDispatch,
        releaser: CourierReleaser,
        event_details: EventDetails,
        completers: Mapping[str, CompleteCommand],
        proof: ProofService,
        clocks: WaitClocks,
        releases_max: int,
        pool: Executor,
        clock: Clock,
    ) -> None:
        self._releases_max = releases_max
        self._people = people
        self._writer = writer
        self._dispatch = dispatch
        self._releaser = releaser
        self._event_details = event_details
        self._completers = completers
        self._proof = proof
        self._clocks = clocks
        self._pool = pool
        self._clock = clock

    def accept_order(self, actor: Actor, order_id: int) -> Order:
        """Accept an order as its courier. Raises as take_step does."""
        contact = self._pool.submit(read_contact, self._people, actor)  # while the order is read
        return self._take_step(actor, order_id, lambda stored: commands.Accept(contact.result()))

    def take_step(self, actor: Actor, order_id: int, command: Command) -> Order:
        """Take one step with an order. Asking again for the step just taken changes nothing.

        Raises NotFound, Forbidden, OfferGone, InvalidTransition; CourierBusy for taking a second
        order; ProofRequired, WrongPin, ProofLocked at a stop that asks for proof; and what the
        flow's completer raises.
        """
        return self._take_step(actor, order_id, lambda stored: command)

    def take_step_for(self, courier_id: str, order_id: int, command: Command) -> Order:
        """Take a step that a courier may take, as the system: its history says so. Raises as
        take_step does."""

        def change(stored: Order) -> Order:
            courier = Actor(courier_id, Role.COURIER)
            return self._commit_step(courier, stored, command, self._clock(), by=SYSTEM)

        return self._writer.retry_change(order_id, change)

    def report_no_show(self, actor: Actor, order_id: int, failure: Failure) -> Order:
        """Say that nobody is at the stop where the courier waits. At the pickup that ends the
        order, later `failure` says what becomes of the thing.

        Raises TooEarly while somebody may yet come, and as take_step does.
        """
        return self._take_step(actor, order_id, lambda stored: choose_no_show_step(stored, failure))

    def _take_step(
        self, actor: Actor, order_id: int, get_command: Callable[[Order], Command]
    ) -> Order:
        """Take the step of a command that is got once the order has been read, and again whenever
        it had to be read again."""

        def change(stored: Order) -> Order:
            return self._commit_step(actor, stored, get_command(stored), self._clock())

        try:
            return self._releaser.take_order(
                actor.id, lambda: self._writer.retry_change(order_id, change)
            )
        except CourierTaken:
            raise CourierBusy("You have another order that is not finished.") from None
        except OfferGone:
            self._dispatch.act_on_deadline(order_id)  # a late answer does what the timer would
            raise

    def _commit_step(
        self,
        actor: Actor,
        stored: Order,
        command: Command,
        now: datetime,
        by: Actor | None = None,
    ) -> Order:
        """Commit one step with an order as it was read; return the order as it is then. `actor` is
        who may take it; `by` is who does, if that is somebody else."""
        status = permit_step(stored, command, actor, now)
        if status is None and is_return(stored, command):
            command = self._clocks.start_clock(stored, command, now)
            return self._writer.commit_order(
                stored, resume_wait(stored, command, by or actor, now), ()
            )
        if status is None:
            return stored  # the step was taken before
        if complete := self._completers.get(stored.details.flow):
            command = complete(stored, actor.id, command, now)
        command = self._clocks.start_clock(stored, command, now)
        order, events = self._apply_step(actor, stored, status, command, now, by or actor)
        return self._write_step(stored, order, events)

    def _write_step(self, stored: Order, order: Order, events: tuple[Event, ...]) -> Order:
        """Write an order after a step; one that was declined, or given back, as offered to the next
        courier."""
        if order.status is Status.SEARCHING:
            return self._dispatch.offer_next(stored, order, events)
        # The wakeups need the events' recipients only, so that they go while details are read.
        preparation = self._writer.start_preparation(stored, order, events)
        try:
            order, events = self._event_details.add_details(order, events)
        except Exception:
            wait(preparation)  # a function that is frozen meanwhile would go on at its next call
            raise
        requires_duty = FLOWS[order.details.flow].requires_duty
        return self._writer.commit_order(
            stored, order, events, preparation=preparation, available_only=requires_duty
        )

    def _apply_step(
        self,
        actor: Actor,
        stored: Order,
        status: Status,
        command: Command,
        now: datetime,
        by: Actor,
    ) -> Transition:
        """Apply a permitted step with the proof that it brings. Where the order was given back too
        often, the search that would follow is given up with it: in one write, so that nobody sees
        it searched for. Raises WrongPin, which is counted, and what else apply_step raises."""
        command = self._proof.add_evidence(stored, actor.id, command)
        try:
            order, events = apply_step(stored, status, command, by, now)
        except WrongPin:
            # Counted before it is answered, and on the version that was read: of guesses side by
            # side one commits, and each of the others is judged again, by what is left then.
            counted = note_wrong_pin(count_wrong_pin(stored, command, now), actor, now)
            self._writer.commit_order(stored, counted, ())
            raise
        self._proof.keep_files(stored, order, actor.id)
        if not isinstance(command, commands.Release) or order.releases <= self._releases_max:
            return order, events
        unserved, more = advance_order(order, commands.GiveUp(), SYSTEM, now)
        return unserved, events + more
