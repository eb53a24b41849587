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
from chalicelib.domain.orders.flow import Outcome, Step
from chalicelib.domain.orders.model import Order
from chalicelib.errors import OfferGone


def tell(order: Order, type_: str, to: str, now: datetime, **more: Any) -> Event:
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


def tell_customer(order: Order, type_: str, now: datetime, **more: Any) -> Event:
    return tell(order, type_, order.job.customer_id, now, **more)


def offered(order: Order, c: commands.Offer | commands.Assign, now: datetime) -> Outcome:
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
    made = tell(
        after, events.OFFER_MADE, courier_id, now, offer=offer, valid_until=offer.expires_at
    )
    return after, (made, tell_customer(after, events.ORDER_OFFERED, now, offer=offer))


def offer(order: Order, moved: Order, c: commands.Offer, now: datetime) -> Outcome:
    after, told = offered(moved, c, now)
    if c.lapsed_courier_id:
        lapsed = {"lapsed": True}  # not taken away by hand: its courier has heard OFFER_TIMED_OUT
        gone = tell(after, events.OFFER_REASSIGNED, c.lapsed_courier_id, now, data=lapsed)
        told = (gone, *told)
    return after, told


def assign(order: Order, moved: Order, c: commands.Assign, now: datetime) -> Outcome:
    if order.holder == c.courier_id:
        return order, ()
    after, told = offered(moved, c, now)
    if order.holder:
        told = (tell(after, events.OFFER_REASSIGNED, order.holder, now), *told)
    return after, told


def accept(order: Order, moved: Order, c: commands.Accept, now: datetime) -> Outcome:
    if order.offer is None or order.offer.lapsed(now):
        raise OfferGone("This offer has lapsed.")
    after = replace(moved, courier=c.courier, offer=None)
    return after, (tell_customer(after, events.ORDER_ACCEPTED, now, courier=c.courier),)


def decline(order: Order, moved: Order, c: commands.Decline, now: datetime) -> Outcome:
    if order.offer is None or order.offer.lapsed(now):
        raise OfferGone("This offer has lapsed.")
    after = replace(moved, courier_id=None, offer=None)
    return after, (tell_customer(after, events.ORDER_DECLINED, now),)


def expire(order: Order, moved: Order, c: commands.Expire, now: datetime) -> Outcome:
    offer = order.offer
    if offer is None or offer.seq != c.seq or not offer.lapsed(now):
        return order, ()
    after = replace(moved, courier_id=None, offer=None)
    return after, (tell(after, events.OFFER_TIMED_OUT, offer.courier_id, now, offer=offer),)


def wait(order: Order, moved: Order, c: commands.Wait, now: datetime) -> Outcome:
    after = replace(moved, next_search_at=c.next_search_at)
    return after, ()


def give_up(order: Order, moved: Order, c: commands.GiveUp, now: datetime) -> Outcome:
    after = replace(moved, next_search_at=None)
    told = [tell_customer(after, events.ORDER_UNSERVED, now)]
    if c.lapsed_courier_id:
        told.insert(0, tell(after, events.SEARCH_FAILED, c.lapsed_courier_id, now))
    return after, tuple(told)


def retry(order: Order, moved: Order, c: commands.Retry, now: datetime) -> Outcome:
    return replace(moved, excluded=(), courier_id=None, search_until=c.search_until), ()


def cancel(order: Order, moved: Order, c: commands.Cancel, now: datetime) -> Outcome:
    after = replace(moved, offer=None, next_search_at=None)
    data = {"reason": c.reason} if c.reason else {}
    told = [tell_customer(after, events.ORDER_CANCELLED, now, data=data)]
    if order.holder:
        told.append(tell(after, events.ORDER_CANCELLED, order.holder, now, data=data))
    return after, tuple(told)


def reach(order: Order, moved: Order, c: commands.Reach, now: datetime) -> Outcome:
    after = replace(moved, timeline={**moved.timeline, "reached": now})
    return after, (tell_customer(after, events.DROPOFF_REACHED, now, courier=after.courier),)


def simply(type_: str) -> Step:
    """A step that changes nothing but the status, and one thing to tell the customer."""

    def step(order: Order, moved: Order, c: Command, now: datetime) -> Outcome:
        return moved, (tell_customer(moved, type_, now, courier=moved.courier),)

    return step


STEPS: dict[str, Step] = {
    "offer": offer,
    "assign": assign,
    "accept": accept,
    "decline": decline,
    "expire": expire,
    "wait": wait,
    "give_up": give_up,
    "retry": retry,
    "cancel": cancel,
    "arrive": simply(events.COURIER_ARRIVED),
    "pick_up": simply(events.ORDER_PICKED_UP),
    "reach": reach,
    "deliver": simply(events.ORDER_DELIVERED),
}
