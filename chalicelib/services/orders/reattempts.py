"""Trying again what could not be handed over, by an order of its own (domain/orders/reattempts.py).

Two who ask at once both find the same key of the parent's free, and each writes it with an order of
their own: the key lets one of the two through. The other looks again, and finds the first one's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from chalicelib.domain.events import Event
from chalicelib.domain.ids import IdSource
from chalicelib.domain.money.fares import Tariffs
from chalicelib.domain.money.reattempts import price_child
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.placing import PlacedOrder, Repeat
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.reattempts import (
    MAX_CHILDREN,
    check_reattempt,
    create_child,
    get_first_status,
    has_ended_unmoved,
    make_child_details,
    make_child_key,
    make_child_options,
)
from chalicelib.domain.orders.search_plan import Schedule
from chalicelib.domain.orders.windows import NO_WINDOWS, Windows, check_windows
from chalicelib.domain.people import Actor
from chalicelib.domain.request_keys import RequestKey
from chalicelib.domain.retries import Retries
from chalicelib.errors import AlreadyReattempted, Stale
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.orders.finding import find_order
from chalicelib.services.orders.proof import ProofService
from chalicelib.services.ports import Clock, OrderStore
from chalicelib.services.request_keys import RequestKeys


class Reattempts:
    """Places the children of orders that could not be handed over."""

    def __init__(
        self,
        orders: OrderStore,
        keys: RequestKeys,
        writer: OrderWriter,
        dispatch: SequentialDispatch,
        proof: ProofService,
        tariffs: Mapping[str, Tariffs],
        ids: IdSource,
        clock: Clock,
        retries: Retries | None = None,
    ) -> None:
        """Set the tariffs by flow, and the other parts."""
        self._proof = proof
        self._tariffs = tariffs
        self._orders = orders
        self._keys = keys
        self._writer = writer
        self._dispatch = dispatch
        self._ids = ids
        self._clock = clock
        self._retries = retries or Retries()

    def reattempt_order(
        self,
        actor: Actor,
        order_id: int,
        key: RequestKey | None = None,
        windows: Windows = NO_WINDOWS,
        reason: Reason | None = None,
    ) -> PlacedOrder:
        """Place the order that tries another again, and look for its courier at once, unless its
        `windows` say later; or return the one that the same request has placed before. A
        dispatcher's `reason` is in its history.

        Raises NotFound for whoever has no say in it, InvalidTransition where there is nothing to
        try again, AlreadyReattempted while another child may move the thing, KeyReused;
        InvalidInput for windows that can't be met, and for proof that can't be taken any more.
        """

        def place() -> PlacedOrder:
            if found := find_order(self._orders, self._keys.find_target(key)):
                return PlacedOrder(found, Repeat.KEY)
            parent = self._orders.get_order(order_id)
            check_reattempt(parent, actor)
            child_key = self._find_free_key(parent)
            keys = (child_key, *([key] if key else []))
            return PlacedOrder(self._try_place(actor, parent, windows, keys, reason))

        return self._retries.retry_while_stale(place)

    def _find_free_key(self, parent: Order) -> RequestKey:
        """Find the key of the next child. Raises AlreadyReattempted while there is another one that
        has moved the thing, or may yet."""
        child: Order | None = None
        for nth in range(1, MAX_CHILDREN + 1):
            key = make_child_key(parent.id, nth)
            used = self._keys.find_used(key)
            if used is None:
                return key
            child = find_order(self._orders, used.target)
            if child is None or not has_ended_unmoved(child):
                break
        shown = {"id": str(child.id)} if child else {}
        raise AlreadyReattempted("This order is tried again by another one.", **shown)

    def _try_place(
        self,
        actor: Actor,
        parent: Order,
        windows: Windows,
        keys: tuple[RequestKey, ...],
        reason: Reason | None,
    ) -> Order:
        """Place a child under a new id. Raises Stale if the id is taken, or its courier's row, or
        one of its keys; InvalidInput as reattempt_order."""
        now = self._clock()
        check_windows(windows, now)
        options = make_child_options(parent, windows)
        details, price = price_child(parent, make_child_details(parent, now), self._tariffs)
        order, events = create_child(
            self._ids(),
            parent,
            actor,
            details,
            now,
            self._schedule_child(parent, windows, now),
            options,
            keys,
            price,
            self._proof.start_proof(options),
            reason,
        )
        return self._commit_child(order, events)

    def _commit_child(self, order: Order, events: tuple[Event, ...]) -> Order:
        """Commit a child, offered to somebody if that is its next step. Raises Stale."""
        try:
            if order.status is not Status.SEARCHING:
                return self._writer.commit_order(None, order, events)
            return self._dispatch.offer_next(None, order, events)
        except Stale:
            # It may be this very order that is there: the write's answer got lost. Whoever looks
            # again would take it for somebody else's.
            found = find_order(self._orders, order.outbox.stream)
            is_same = found is not None and found.parent_id == order.parent_id
            if found and is_same and found.timeline["placed"] == order.timeline["placed"]:
                return found
            raise

    def _schedule_child(self, parent: Order, windows: Windows, now: datetime) -> Schedule:
        """Say what a child waits for that is placed now. A meal is in the pool for a time."""
        if get_first_status(parent) is Status.READY:
            return Schedule(search_until=self._dispatch.compute_offer_end(parent, now))
        return self._dispatch.schedules.schedule_order(parent.details.flow, windows, now)
