"""How each step changes an order, and what is told of it. Flows pick theirs from here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import Offer
from chalicelib.domain.events import Event, order_stream
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.flow import Effect, Transition
from chalicelib.domain.orders.model import Order
from chalicelib.errors import OfferGone


def draft_order_event(order: Order, type_: str, to: str, now: datetime, **more: Any) -> Event:
    return Event(
        type=type_,
        to=to,
        stream=order_stream(order.id),
        version=0,
        ordinal=0,
        at=now,
        status=order.status.value,
        **more,
    )


def draft_for_customer(order: Order, type_: str, now: datetime, **more: Any) -> Event:
    return draft_order_event(order, type_, order.details.customer_id, now, **more)


def _with_offer(
    order: Order, c: commands.MakeOffer | commands.AssignCourier, now: datetime
) -> Transition:
    """Put the order before a courier; both sides hear of it."""
    courier_id = c.courier_id
    offer = Offer(order.offers_made + 1, courier_id, c.expires_at, c.distance_m)
    after = replace(
        order,
        courier_id=courier_id,
        courier=None,
        offer=offer,
        offers_made=offer.seq,
        offered_to=(*(c for c in order.offered_to if c != courier_id), courier_id),
        excluded=(*(c for c in order.excluded if c != courier_id), courier_id),
        next_search_at=None,
    )
    made = draft_order_event(
        after, events.OFFER_MADE, courier_id, now, offer=offer, valid_until=offer.expires_at
    )
    return after, (made, draft_for_customer(after, events.ORDER_OFFERED, now, offer=offer))


def make_offer(order: Order, moved: Order, c: commands.MakeOffer, now: datetime) -> Transition:
    after, told = _with_offer(moved, c, now)
    if c.expired_courier_id:
        lapsed = {"lapsed": True}  # not taken away by hand: its courier has heard OFFER_TIMED_OUT
        gone = draft_order_event(
            after, events.OFFER_REASSIGNED, c.expired_courier_id, now, data=lapsed
        )
        told = (gone, *told)
    return after, told


def assign_courier(
    order: Order, moved: Order, c: commands.AssignCourier, now: datetime
) -> Transition:
    if order.occupied_courier_id == c.courier_id:
        return order, ()
    after, told = _with_offer(moved, c, now)
    if order.occupied_courier_id:
        told = (
            draft_order_event(after, events.OFFER_REASSIGNED, order.occupied_courier_id, now),
            *told,
        )
    return after, told


def accept_offer(order: Order, moved: Order, c: commands.Accept, now: datetime) -> Transition:
    if order.offer is None or order.offer.has_expired(now):
        raise OfferGone("This offer has lapsed.")
    after = replace(moved, courier=c.courier, offer=None)
    return after, (draft_for_customer(after, events.ORDER_ACCEPTED, now, courier=c.courier),)


def decline_offer(order: Order, moved: Order, c: commands.Decline, now: datetime) -> Transition:
    if order.offer is None or order.offer.has_expired(now):
        raise OfferGone("This offer has lapsed.")
    after = replace(moved, courier_id=None, offer=None)
    return after, (draft_for_customer(after, events.ORDER_DECLINED, now),)


def expire_offer(order: Order, moved: Order, c: commands.ExpireOffer, now: datetime) -> Transition:
    offer = order.offer
    if offer is None or offer.seq != c.seq or not offer.has_expired(now):
        return order, ()
    after = replace(moved, courier_id=None, offer=None)
    return after, (
        draft_order_event(after, events.OFFER_TIMED_OUT, offer.courier_id, now, offer=offer),
    )


def wait_for_courier(
    order: Order, moved: Order, c: commands.WaitForCourier, now: datetime
) -> Transition:
    after = replace(moved, next_search_at=c.next_search_at)
    return after, ()


def give_up_search(order: Order, moved: Order, c: commands.GiveUp, now: datetime) -> Transition:
    after = replace(moved, next_search_at=None)
    told = [draft_for_customer(after, events.ORDER_UNSERVED, now)]
    if c.expired_courier_id:
        told.insert(0, draft_order_event(after, events.SEARCH_FAILED, c.expired_courier_id, now))
    return after, tuple(told)


def retry_search(order: Order, moved: Order, c: commands.RetrySearch, now: datetime) -> Transition:
    return replace(moved, excluded=(), courier_id=None, search_until=c.search_until), ()


def cancel_order(order: Order, moved: Order, c: commands.Cancel, now: datetime) -> Transition:
    after = replace(moved, offer=None, next_search_at=None)
    data = {"reason": c.reason} if c.reason else {}
    told = [draft_for_customer(after, events.ORDER_CANCELLED, now, data=data)]
    if order.occupied_courier_id:
        told.append(
            draft_order_event(
                after, events.ORDER_CANCELLED, order.occupied_courier_id, now, data=data
            )
        )
    return after, tuple(told)


def reach_dropoff(
    order: Order, moved: Order, c: commands.ReachDropoff, now: datetime
) -> Transition:
    after = replace(moved, timeline={**moved.timeline, "reached": now})
    return after, (draft_for_customer(after, events.DROPOFF_REACHED, now, courier=after.courier),)


def notify_only(type_: str) -> Effect:
    """A step that changes nothing but the status, and one thing to tell the customer."""

    def step(order: Order, moved: Order, c: Command, now: datetime) -> Transition:
        return moved, (draft_for_customer(moved, type_, now, courier=moved.courier),)

    return step


EFFECTS: dict[str, Effect] = {
    "offer": make_offer,
    "assign": assign_courier,
    "accept": accept_offer,
    "decline": decline_offer,
    "expire": expire_offer,
    "wait": wait_for_courier,
    "give_up": give_up_search,
    "retry": retry_search,
    "cancel": cancel_order,
    "arrive": notify_only(events.COURIER_ARRIVED),
    "pick_up": notify_only(events.ORDER_PICKED_UP),
    "reach": reach_dropoff,
    "deliver": notify_only(events.ORDER_DELIVERED),
}
