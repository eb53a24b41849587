"""Changes of orders that are scheduled, by whoever placed them: free until they become active."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from chalicelib.domain.details import OrderDetails
from chalicelib.domain.events import ORDER_AMENDED
from chalicelib.domain.money.pricing import compute_final_price
from chalicelib.domain.money.quotes import (
    describe_order,
    find_mismatch,
    get_pickup_from,
    with_quoted_fare,
)
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.amendment import Amendment, MatchVersion, ReadAmendment
from chalicelib.domain.orders.lifecycle import advance_order, permit_step
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.windows import check_windows
from chalicelib.domain.people import Actor
from chalicelib.domain.price_lines import PriceLine
from chalicelib.errors import Conflict, PreconditionFailed, QuoteMismatch
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.orders.customer import RedeemQuote
from chalicelib.services.ports import Clock

Estimate = Callable[[OrderDetails], OrderDetails]
"""Completes an order's details with what they are estimated to cost."""


class OrderAmendments:
    """Changes scheduled orders. `estimates` has, by flow, what is estimated as an order is placed,
    and so anew as it changes; `find_free_attempt` the number of the next attempt to pay for an
    order, None where one has begun."""

    def __init__(
        self,
        writer: OrderWriter,
        dispatch: SequentialDispatch,
        estimates: Mapping[str, Estimate],
        redeem_quote: RedeemQuote,
        find_free_attempt: Callable[[int], int | None],
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._dispatch = dispatch
        self._estimates = estimates
        self._redeem_quote = redeem_quote
        self._find_free_attempt = find_free_attempt
        self._clock = clock

    def amend_order(
        self, actor: Actor, order_id: int, matches: MatchVersion, read: ReadAmendment
    ) -> Order:
        """Change a scheduled order, as its customer or as an admin; one whose pickup is near by
        then becomes active in the same commit.

        Raises, in this order, NotFound; InvalidTransition once it is active; PreconditionFailed if
        it is another version than `matches`; InvalidInput, as for a new order; QuoteMismatch where
        its quote does not hold for it any more, and no other is given; QuoteExpired; Conflict where
        it is paid already and would cost something else.
        """

        def change(stored: Order) -> Order:
            if stored.is_due_to_activate(self._clock()):
                # Its time has come, though nobody has found it yet: too late, by whatever clock
                # the next reader has.
                stored = self._dispatch.activate_order(stored, stored)
            return self._try_amend(actor, stored, matches, read)

        return self._writer.retry_change(order_id, change)

    def _try_amend(
        self, actor: Actor, stored: Order, matches: MatchVersion, read: ReadAmendment
    ) -> Order:
        now = self._clock()
        permit_step(stored, commands.Amend(stored.details, stored.options), actor, now)
        # RFC 9110, 13.2.1: what would be refused anyway is; the precondition comes next, before
        # what is asked. Another write in between raises Stale, and it is asked again.
        if not matches(stored.version):
            raise PreconditionFailed("This order has changed since; read it again.")
        amendment = read(stored)
        windows = amendment.options.windows
        check_windows(windows, now)
        details, price = self._price_anew(stored, amendment)
        unpaid_attempt = self._check_payment(stored, details, price)
        if (details, amendment.options, price) == (stored.details, stored.options, stored.price):
            return stored
        active_at = self._dispatch.schedules.compute_activation(windows, now)
        command = commands.Amend(details, amendment.options, active_at, price)
        order, events = advance_order(stored, command, actor, now)
        order = replace(order, unpaid_attempt=unpaid_attempt)
        events += self._writer.draft_for_endpoints(order, ORDER_AMENDED)
        if active_at is None:
            return self._dispatch.activate_order(stored, order, events)
        return self._writer.commit_order(stored, order, events)

    def _check_payment(
        self, stored: Order, details: OrderDetails, price: tuple[PriceLine, ...]
    ) -> int | None:
        """Refuse another price for an order that is paid by the one it has; return the attempt to
        pay that must not have begun when another price is written. Raises Conflict."""
        after = compute_final_price(replace(stored, details=details, price=price))
        if after == compute_final_price(stored):
            return None
        attempt = self._find_free_attempt(stored.id)
        if attempt is None:
            raise Conflict("This order is paid, or being paid: its price can't change.")
        return attempt

    def _price_anew(
        self, stored: Order, amendment: Amendment
    ) -> tuple[OrderDetails, tuple[PriceLine, ...]]:
        """Return the amended details with what they cost, and the quoted price, if there is one.

        A quoted price stays with what it was quoted for. Who changes that gets another quote for
        the order as it is to be, or gives the price up; it is never dropped without a word.
        """
        details, options = amendment.details, amendment.options
        if amendment.names_quote and amendment.quote_id is not None:
            lines = self._redeem_quote(amendment.quote_id, details, options).lines
            return with_quoted_fare(self._estimate_anew(details), lines), lines
        changed = find_mismatch(
            describe_order(stored.details, get_pickup_from(stored.options)),
            describe_order(details, get_pickup_from(options)),
        )
        if stored.price and not amendment.names_quote:
            if changed:
                raise QuoteMismatch("The quote of this order is for another.", field=changed)
            return details, stored.price
        return (self._estimate_anew(details) if changed or stored.price else details), ()

    def _estimate_anew(self, details: OrderDetails) -> OrderDetails:
        estimate = self._estimates.get(details.flow)
        return estimate(details) if estimate else details
