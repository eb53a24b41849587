"""Orders from the customer's and the admin's side: place, read, cancel, retry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from chalicelib.domain.details import Offer, OrderDetails
from chalicelib.domain.events import Event
from chalicelib.domain.ids import IdSource
from chalicelib.domain.money.quotes import Quote, with_quoted_fare
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.dispatch_policy import measure_to_pickup_m
from chalicelib.domain.orders.lifecycle import advance_order, create_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.orders.permissions import can_see
from chalicelib.domain.orders.placing import NO_EXTRAS, PlacedOrder, PlacingExtras, Repeat
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.windows import check_windows
from chalicelib.domain.people import Actor, Role
from chalicelib.domain.price_lines import PriceLine
from chalicelib.domain.retries import Retries
from chalicelib.errors import (
    ExternalIdTaken,
    KeyTaken,
    NotFound,
    Stale,
)
from chalicelib.services.dispatch.courier_releaser import CourierReleaser
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.orders.finding import find_order
from chalicelib.services.orders.held import HeldOrders
from chalicelib.services.orders.proof import ProofService
from chalicelib.services.ports import (
    Clock,
    CourierStore,
    MailboxStore,
    OrderStore,
    PeopleStore,
)
from chalicelib.services.request_keys import RequestKeys

_INDEX_LAG = timedelta(minutes=1)  # more than any index is behind

RedeemQuote = Callable[[str, OrderDetails, OrderOptions], Quote]
"""Reads the quote of an id for an order. Raises InvalidInput, QuoteExpired, QuoteMismatch."""


class CustomerOrders:
    """What customers and admins do with orders."""

    def __init__(
        self,
        orders: OrderStore,
        keys: RequestKeys,
        couriers: CourierStore,
        people: PeopleStore,
        mailboxes: MailboxStore,
        writer: OrderWriter,
        dispatch: SequentialDispatch,
        releaser: CourierReleaser,
        held: HeldOrders,
        redeem_quote: RedeemQuote,
        proof: ProofService,
        ids: IdSource,
        clock: Clock,
        retries: Retries | None = None,
    ) -> None:
        self._retries = retries or Retries()
        self._orders = orders
        self._keys = keys
        self._couriers = couriers
        self._people = people
        self._mailboxes = mailboxes
        self._writer = writer
        self._dispatch = dispatch
        self._releaser = releaser
        self._held = held
        self._redeem_quote = redeem_quote
        self._proof = proof
        self._ids = ids
        self._clock = clock

    def place_order(self, details: OrderDetails, extras: PlacingExtras = NO_EXTRAS) -> PlacedOrder:
        """Place an order and, unless its merchant comes first or its time is to come, look for its
        courier at once.

        Return the order that the same request has placed before, if it has: whether its quote is
        still good makes no difference then, nor what its windows are. Raises KeyReused,
        ExternalIdTaken where another request has; InvalidInput for windows that can't be met, and
        for proof that can't be taken here; InvalidInput, QuoteExpired, QuoteMismatch where the
        quote does not hold for it.
        """

        def place() -> PlacedOrder:
            found = self._find_placed(details.customer_id, extras)
            return found or PlacedOrder(self._try_place(details, extras))

        return self._retries.retry_while_stale(place)

    def _find_placed(self, customer_id: str, extras: PlacingExtras) -> PlacedOrder | None:
        """Find the order that was placed by the same request. Raises as place_order."""
        if found := find_order(self._orders, self._keys.find_target(extras.key)):
            return PlacedOrder(found, Repeat.KEY)
        external_key = extras.external_key
        used = self._keys.find_used(external_key)
        if external_key is None or used is None:
            return None
        order = find_order(self._orders, used.target)
        # A restaurant's numbers are all its customers': somebody else's order is not this request,
        # however equal the two are.
        is_own = order is not None and order.details.customer_id == customer_id
        if order and is_own and used.key.request_hash == external_key.request_hash:
            return PlacedOrder(order, Repeat.EXTERNAL_ID)
        customer = Actor(customer_id, Role.CUSTOMER)
        shown = {"id": str(order.id)} if order and can_see(order, customer) else {}
        raise ExternalIdTaken("Another order has this external_id.", **shown)

    def _try_place(self, details: OrderDetails, extras: PlacingExtras) -> Order:
        """Place an order under a new id. Raises InvalidInput for windows that can't be met, Stale
        if the id is taken, or its courier's row, or one of its keys; and what a quote raises."""
        now = self._clock()
        # Only here, past the request's keys: what was placed stays placed when its windows have
        # passed and its quote has ended.
        windows = extras.options.windows
        check_windows(windows, now)
        details, price = self._apply_quote(details, extras)
        schedule = self._dispatch.schedules.schedule_order(details.flow, windows, now)
        proof = self._proof.start_proof(extras.options)
        order, events = create_order(
            self._ids(),
            details,
            now,
            schedule,
            extras.options,
            extras.list_keys(),
            price,
            proof,
        )
        return self._commit_placed(order, events)

    def _commit_placed(self, order: Order, events: tuple[Event, ...]) -> Order:
        """Commit a new order, offered to somebody if that is its next step."""
        try:
            if order.status is not Status.SEARCHING:
                return self._writer.commit_order(None, order, events)
            return self._dispatch.offer_next(None, order, events)
        except KeyTaken:
            raise
        except Stale:
            # It may be this very order that has taken the id: the write's answer got lost, and
            # somebody has changed the order since. Under another id it would be placed twice.
            found = find_order(self._orders, order.outbox.stream)
            if found and (found.details, found.timeline["placed"]) == (
                order.details,
                order.timeline["placed"],
            ):
                return found
            raise

    def _apply_quote(
        self, details: OrderDetails, extras: PlacingExtras
    ) -> tuple[OrderDetails, tuple[PriceLine, ...]]:
        """Return an order's details and its price by its quote; no price where it has none."""
        if extras.quote_id is None:
            return details, ()
        lines = self._redeem_quote(extras.quote_id, details, extras.options).lines
        return with_quoted_fare(details, lines), lines

    def get_order(self, actor: Actor, order_id: int) -> Order:
        """Read an order, its offer expired if that is due. Raises NotFound for everybody who has no
        part in it."""
        order = self._dispatch.expire_if_due(self._orders.get_order(order_id))
        if not can_see(order, actor):
            raise NotFound("There is no such order.")
        return order.put_first(actor.id)

    def get_flow(self, order_id: int) -> str:
        """Read which flow an order is of, for whoever asks. Raises NotFound."""
        return self._orders.get_order(order_id).details.flow

    def find_active_for_customer(self, customer_id: str) -> Order | None:
        """Find a customer's newest order that is neither finished nor scheduled, its offer expired
        if that is due."""
        order = self._orders.find_newest_active(customer_id) or self._find_in_mailbox(customer_id)
        if order is None:
            return None
        order = self._dispatch.expire_if_due(order)
        return None if order.is_terminal else order

    def _find_in_mailbox(self, customer_id: str) -> Order | None:
        """Find the newest order that a customer heard of lately. The index of orders is behind by a
        moment; the customer's mailbox is not."""
        since = self._clock() - _INDEX_LAG
        ids = self._mailboxes.get_mailbox(customer_id).list_recent_orders(since)
        for order_id in sorted(ids, reverse=True):
            order = self._orders.get_order(order_id)
            if order.status is not Status.SCHEDULED:
                return order if order.details.customer_id == customer_id else None
        return None

    def poll_active_order(self, courier_id: str) -> Order | None:
        """Read the order that occupies a courier, by an offer or by work; of several the one to be
        done next. Notes and repairs what HeldOrders does."""
        return self._held.poll_next(courier_id)

    def poll_offers(self, courier_id: str) -> list[Order]:
        """Read the orders that are offered to a courier, their distances as of the last fix. Notes
        what poll_active_order notes."""
        orders = self._held.poll_plan(courier_id).orders
        offered = [order for order in orders if order.status is Status.OFFERED]
        courier = self._couriers.get_courier(courier_id) if offered else None
        found = []
        for order in offered:
            pickup = order.details.pickup.point
            distance_m = measure_to_pickup_m(courier, pickup) if courier else None
            offer = replace(order.offer, distance_m=distance_m) if order.offer else None
            found.append(replace(order, offer=offer))
        return found

    def is_offer_current(self, order_id: int, offer: Offer) -> bool:
        """Say whether an offer is still the one that an order waits on."""
        found = self._orders.get_order(order_id).open_offers
        return any(one.seq == offer.seq for one in found)

    def cancel_order(self, actor: Actor, order_id: int, reason: Reason | None) -> Order:
        """Cancel an order before its pickup, as its customer or as an admin. Raises NotFound,
        InvalidTransition."""
        command = commands.Cancel(reason, by=actor.role.value if actor.role else "")

        def change(stored: Order) -> Order:
            order, events = advance_order(stored, command, actor, self._clock())
            if order is stored:
                return stored  # it was cancelled before
            return self._writer.commit_order(stored, order, events)

        return self._writer.retry_change(order_id, change)

    def retry_search(self, actor: Actor, order_id: int) -> Order:
        """Look for a courier again, among all couriers anew, as the order's customer. Raises
        NotFound, InvalidTransition."""

        def change(stored: Order) -> Order:
            now = self._clock()
            until = self._dispatch.schedules.compute_search_end(stored.details.flow, now)
            order, events = advance_order(stored, commands.RetrySearch(until), actor, now)
            return self._dispatch.offer_next(stored, order, events)

        return self._writer.retry_change(order_id, change)
