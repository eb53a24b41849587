"""Tracking links: made and ended by those who have a say in an order, and opened by anybody.

What is wrong with a token is told to nobody: one that never was, one of an order that is deleted,
one that has ended and one that was taken back take the same two reads, and are the same NotFound.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from secrets import token_urlsafe

from msgspec.structs import replace

from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.permissions import Permission, check_permission
from chalicelib.domain.orders.tracked import TrackedOrder, has_courier, track_order
from chalicelib.domain.orders.tracking_link import TrackingLink
from chalicelib.domain.orders.tracking_links import (
    TOKEN_BYTES,
    add_link,
    add_recipient_note,
    compute_link_end,
    find_live_link,
    hash_token,
    name_bearer,
)
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import NotFound, RateLimited
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.orders.proof import ProofService
from chalicelib.services.ports import Clock, CourierStore, LinkStore, OrderStore
from chalicelib.services.tracking.link_notices import LinkNotices

_NO_ORDER = 0  # no order has this id: it is read where a token leads to none


class TrackingLinks:
    """Makes, opens and ends links. `ends_after` an order's end its links end; `near_m` is how near
    the drop-off a courier is shown before the pickup."""

    def __init__(
        self,
        links: LinkStore,
        orders: OrderStore,
        couriers: CourierStore,
        writer: OrderWriter,
        proof: ProofService,
        notices: LinkNotices,
        ends_after: timedelta,
        near_m: float,
        clock: Clock,
    ) -> None:
        self._links = links
        self._orders = orders
        self._couriers = couriers
        self._writer = writer
        self._proof = proof
        self._notices = notices
        self._ends_after = ends_after
        self._near_m = near_m
        self._clock = clock

    def make_link(self, actor: Actor, order_id: int) -> tuple[str, datetime]:
        """Make a link of an order; return its token, and when it ends at the latest.

        The link's row is written first: who dies before the order names it leaves a row that leads
        to no link. Raises NotFound for who has no say in the order, Conflict where its links have
        ended.
        """
        token = token_urlsafe(TOKEN_BYTES)
        hash_, now = hash_token(token), self._clock()
        stored = self._orders.get_order(order_id)
        _check(actor, stored)
        add_link(stored, hash_, now, self._ends_after)  # raises before anything is written
        self._links.insert_link(hash_, order_id, now)
        order = self._add_to_order(actor, order_id, hash_)
        link = next((one for one in order.links if one.hash == hash_), None)
        # Others may have made five since: the token is good for nothing then, and will say so.
        made = link or TrackingLink(hash_, now)
        return token, compute_link_end(order, made, self._ends_after)

    def _add_to_order(self, actor: Actor, order_id: int, hash_: str) -> Order:
        """Have an order list a link, and close the sockets of the one that gives way."""
        ended: tuple[TrackingLink, ...] = ()

        def change(stored: Order) -> Order:
            nonlocal ended
            _check(actor, stored)
            order = add_link(stored, hash_, self._clock(), self._ends_after)
            if order is stored:
                return stored
            ended = tuple(link for link in stored.links if link not in order.links)
            return self._writer.commit_order(stored, order, ())

        order = self._writer.retry_change(order_id, change)
        self._notices.close_sockets(ended)
        return order

    def end_links(self, actor: Actor, order_id: int) -> None:
        """End all links of an order, and close their sockets. Harmless twice. Raises NotFound for
        who has no say in the order."""
        ended: tuple[TrackingLink, ...] = ()

        def change(stored: Order) -> Order:
            nonlocal ended
            _check(actor, stored)
            if not stored.links:
                return stored
            ended = stored.links
            return self._writer.commit_order(stored, replace(stored, links=()), ())

        self._writer.retry_change(order_id, change)
        self._notices.close_sockets(ended)

    def open_page(self, token: str) -> TrackedOrder:
        """Show a link's order. Raises NotFound."""
        order, _ = self._find_order(token)
        return self._show(order)

    def open_socket(self, token: str) -> Actor:
        """Return who speaks on the socket of a link: its bearer, until the link ends if that is
        known. Raises NotFound; RateLimited where the link has too many already."""
        order, link = self._find_order(token)
        if self._notices.is_full(link):
            raise RateLimited("This link has too many connections.")
        ends_at = compute_link_end(order, link, self._ends_after)
        return Actor(name_bearer(link.hash), Role.RECIPIENT, token_ends_at=ends_at)

    def leave_note(self, token: str, words: str) -> TrackedOrder:
        """Keep what the bearer of a link says after the end, once an order. Raises NotFound,
        InvalidTransition, Conflict."""
        order, _ = self._find_order(token)

        def change(stored: Order) -> Order:
            noted = add_recipient_note(stored, words, self._clock())
            return stored if noted is stored else self._writer.commit_order(stored, noted, ())

        return self._show(self._writer.retry_change(order.id, change))

    def _show(self, order: Order) -> TrackedOrder:
        courier = None
        if has_courier(order) and order.courier_id:
            courier = self._couriers.get_courier(order.courier_id)
        pin = self._proof.show_recipients_pin(order)
        return track_order(order, courier, pin, self._near_m, self._clock())

    def _find_order(self, token: str) -> tuple[Order, TrackingLink]:
        """Find the order that a token's link shows, and the link. Raises NotFound.

        An order is read in any case, and the token compared by its hash, which says nothing of how
        near a guess was: what is refused takes as long whatever is wrong with it.
        """
        now, hash_ = self._clock(), hash_token(token)
        order_id = self._links.find_order_id(hash_, now)
        missing = NotFound("There is nothing at this address, or not any more.")
        try:
            order = self._orders.get_order(_NO_ORDER if order_id is None else order_id)
        except NotFound:
            raise missing from None
        link = find_live_link(order, hash_, now, self._ends_after)
        if link is None:
            raise missing
        return order, link


def _check(actor: Actor, order: Order) -> None:
    check_permission(Permission.OWNER_MERCHANT_OR_ADMIN, order, actor)
