"""What each step changes of an order, and the events of it. Flows pick theirs from here.

An effect gets the order in its new status already (domain/orders/lifecycle.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import Offer
from chalicelib.domain.events import Event, draft_event, order_stream
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.flow import Effect, Transition
from chalicelib.domain.orders.model import ACTIVATED, Order, Status
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.waves import OpenWave
from chalicelib.domain.people import Role
from chalicelib.errors import OfferGone

NO_DATA: Mapping[str, Any] = {}


def draft_order_event(order: Order, type_: str, to: str, now: datetime, **fields: Any) -> Event:
    """Make an event of an order for one recipient, with the status that the order has now.
    `fields` are others of Event; `audience` is the role in which the recipient hears it."""
    status = order.status.value
    return draft_event(type_, to, order_stream(order.id), now, status=status, **fields)


def draft_for_customer(order: Order, type_: str, now: datetime, **fields: Any) -> Event:
    """Make an event of an order for its customer."""
    to = order.details.customer_id
    return draft_order_event(order, type_, to, now, audience=Role.CUSTOMER, **fields)


def draft_for_courier(
    order: Order, type_: str, courier_id: str, now: datetime, **fields: Any
) -> Event:
    """Make an event of an order for a courier, or for a room of couriers."""
    return draft_order_event(order, type_, courier_id, now, audience=Role.COURIER, **fields)


def draft_copies(
    order: Order,
    type_: str,
    recipients: Iterable[tuple[str, Role]],
    now: datetime,
    **fields: Any,
) -> tuple[Event, ...]:
    """Make one event of an order for several recipients: a copy for each, in their role."""
    return tuple(
        draft_order_event(order, type_, to, now, audience=role, **fields) for to, role in recipients
    )


def list_both_sides(order: Order) -> list[tuple[str, Role]]:
    """List the customer of an order and the courier who has it, if anybody."""
    customer = (order.details.customer_id, Role.CUSTOMER)
    return [customer] if order.courier_id is None else [customer, (order.courier_id, Role.COURIER)]


def make_offer(order: Order, command: commands.MakeOffer, now: datetime) -> Transition:
    """Offer the order to a courier. A courier whose offer has expired loses it only now, as
    someone else is asked: they have heard OFFER_TIMED_OUT before."""
    order, drafts = _put_before_courier(order, command, now)
    if command.wave is not None:
        order, drafts = _put_before_others(order, command, now, drafts)
    data = {"lapsed": True}  # not taken away by hand
    lost = (
        draft_for_courier(order, events.OFFER_REASSIGNED, expired_id, now, data=data)
        for expired_id in list_expired(command)
    )
    return order, (*lost, *drafts)


def list_expired(command: commands.MakeOffer | commands.GiveUp) -> tuple[str, ...]:
    """List who let the last offers pass."""
    first_id = command.expired_courier_id
    return (first_id, *command.also_expired) if first_id else ()


def _put_before_others(
    order: Order, command: commands.MakeOffer, now: datetime, drafts: tuple[Event, ...]
) -> Transition:
    """Open the offers of a wave beside the first one, which has been made. The customer hears of
    one: somebody is being asked."""
    first = order.offer
    assert first is not None, "the first offer has been made"
    assert command.wave is not None, "there are others only in a wave"
    made, told = drafts
    more: list[Offer] = []
    for seq, (courier_id, distance_m) in enumerate(command.others, start=first.seq + 1):
        more.append(Offer(seq, courier_id, command.expires_at, distance_m))
        order = _with_asked(order, courier_id)
    order = replace(
        order,
        more_offers=tuple(more),
        offers_made=order.offers_made + len(more),
        wave=OpenWave(command.wave, first.seq),
    )
    if not more:
        return order, drafts
    others = (_draft_offer(order, offer, now) for offer in more)
    # Whom else it concerns: the copy of the customer tells it to whoever makes up for a death.
    asked = {"wave": command.wave, "others": [one.courier_id for one in more]}
    return order, (made, *others, replace(told, data={**told.data, **asked}))


def _draft_losses(
    order: Order, courier_ids: Iterable[str], now: datetime, **data: bool
) -> tuple[Event, ...]:
    """Draft for each of some couriers that they have lost an order."""
    return tuple(
        draft_for_courier(order, events.OFFER_REASSIGNED, id_, now, data=data)
        for id_ in courier_ids
    )


def assign_courier(order: Order, command: commands.AssignCourier, now: datetime) -> Transition:
    """Offer the order to the courier whom an admin names, whoever has it now."""
    previous_ids = list_holders(order)
    order = replace(order, more_offers=(), wave=None)
    order, drafts = _put_before_courier(order, command, now, encode_code(command.reason))
    lost_ids = (id_ for id_ in previous_ids if len(previous_ids) == 1 or id_ != order.courier_id)
    return order, (*_draft_losses(order, lost_ids, now), *drafts)


def list_holders(order: Order) -> tuple[str, ...]:
    """List the courier who has an order, or all who are asked."""
    if order.courier_id is None:
        return ()
    return (order.courier_id, *(offer.courier_id for offer in order.more_offers))


def _put_before_courier(
    order: Order,
    command: commands.MakeOffer | commands.AssignCourier,
    now: datetime,
    data: Mapping[str, Any] = NO_DATA,
) -> Transition:
    """Open the order's next offer, to one courier; both sides hear of it, the customer with
    `data`."""
    courier_id = command.courier_id
    offer = Offer(order.offers_made + 1, courier_id, command.expires_at, command.distance_m)
    order = replace(
        _with_asked(order, courier_id),
        courier_id=courier_id,
        courier=None,
        offer=offer,
        offers_made=offer.seq,
        next_search_at=None,
    )
    return order, (
        _draft_offer(order, offer, now),
        draft_for_customer(order, events.ORDER_OFFERED, now, offer=offer, data=dict(data)),
    )


def _draft_offer(order: Order, offer: Offer, now: datetime) -> Event:
    """Draft for a courier that an order is offered to them. It is worth nothing once the offer has
    ended."""
    type_, until = events.OFFER_MADE, offer.expires_at
    return draft_for_courier(order, type_, offer.courier_id, now, offer=offer, valid_until=until)


def _with_asked(order: Order, courier_id: str) -> Order:
    """Return an order for which one more courier has been asked."""
    return replace(
        order,
        offered_to=_with_last(order.offered_to, courier_id),
        excluded=_with_last(order.excluded, courier_id),
    )


def _with_last(courier_ids: tuple[str, ...], last_id: str) -> tuple[str, ...]:
    """Add an id as the last one. Dispatch never asks the last of `excluded` next."""
    return (*(id_ for id_ in courier_ids if id_ != last_id), last_id)


def accept_offer(order: Order, command: commands.Accept, now: datetime) -> Transition:
    """Give the order to the courier to whom it is offered; whoever else was asked hears that they
    have lost it. Raises OfferGone."""
    _check_offer(order, now)
    lost_ids = [offer.courier_id for offer in order.more_offers]
    order = replace(
        order, courier=command.courier, offer=None, plan=None, more_offers=(), wave=None
    )
    accepted = draft_for_customer(order, events.ORDER_ACCEPTED, now, courier=order.courier)
    return order, (accepted, *_draft_losses(order, lost_ids, now, taken=True))


def decline_offer(order: Order, command: commands.Decline, now: datetime) -> Transition:
    """Take the order from the courier who will not have it. Nobody hears of it while others are
    still asked. Raises OfferGone."""
    _check_offer(order, now)
    if order.more_offers:
        return _drop_first(order), ()
    order = replace(order, courier_id=None, offer=None)
    data = encode_reason(command.reason)
    return order, (draft_for_customer(order, events.ORDER_DECLINED, now, data=data),)


def leaves_others(order: Order, command: Command) -> bool:
    """Say whether a step leaves an order where it is, as others are still asked for it."""
    if isinstance(command, commands.Release) and command.only_from is None:
        return False
    return isinstance(command, commands.Decline | commands.Release) and bool(order.more_offers)


def _drop_first(order: Order) -> Order:
    """Return an order without the first of several who are asked."""
    first, *others = order.more_offers
    return replace(order, courier_id=first.courier_id, offer=first, more_offers=tuple(others))


def encode_code(reason: Reason | None) -> dict[str, Any]:
    """Make the data by which an event tells the code of a reason, which is counted, and not its
    words: a dispatcher's are for dispatchers."""
    return {"reason_code": reason.code} if reason else {}


def encode_reason(reason: Reason | None) -> dict[str, Any]:
    """Make the data by which an event tells a reason: the words of it, which contracts repeat, the
    code, which is counted, and the note. Nothing where there is none."""
    if reason is None:
        return {}
    note = {"note": reason.note} if reason.note else {}
    return {"reason": reason.text, "reason_code": reason.code, **note}


def take_from_courier(
    order: Order,
    search_until: datetime | None,
    status: Status,
    now: datetime,
    by_hand: bool = False,
) -> Order:
    """Return an order that its courier gives back before the pickup as one that is anybody's but
    theirs; `status` is its new one. What is taken from them `by_hand` they did not give back: it
    counts for no limit."""
    lost_ids = list_holders(order)
    assert lost_ids, "only the courier who has an order gives it back"
    released_by, excluded = order.released_by, order.excluded
    for courier_id in lost_ids:
        released_by = _with_last(released_by, courier_id)
        excluded = _with_last(excluded, courier_id)
    return replace(
        order,
        courier_id=None,
        courier=None,
        offer=None,
        more_offers=(),
        wave=None,
        releases=order.releases + (not by_hand),
        released_by=released_by,
        excluded=excluded,
        search_until=search_until,
        timeline={**order.timeline, status.value: now, "released": now},
    )


def release_order(order: Order, command: commands.Release, now: datetime) -> Transition:
    """Take the order from the courier who gives it back: another is searched for. By hand they hear
    that they have lost it."""
    if leaves_others(order, command) and command.only_from:
        lost_id = command.only_from
        order = _drop_first(order.put_first(lost_id))
        order = replace(order, released_by=_with_last(order.released_by, lost_id))
        return order, _draft_losses(order, [lost_id], now)
    lost = draft_loss(order, command, now)
    order = take_from_courier(order, command.search_until, order.status, now, command.by_hand)
    data = encode_code(command.reason) if command.by_hand else encode_reason(command.reason)
    return order, (*lost, draft_for_customer(order, events.ORDER_RELEASED, now, data=data))


def draft_loss(
    order: Order, command: commands.Release | commands.HandBack, now: datetime
) -> tuple[Event, ...]:
    """Draft that an order is taken from its courier by hand; nothing where they give it back."""
    return _draft_losses(order, list_holders(order), now) if command.by_hand else ()


def notify_of_failure(
    order: Order,
    command: commands.NoShow | commands.TakeBack | commands.LeaveBehind | commands.Discard,
    now: datetime,
) -> Transition:
    """Tell the customer that the order could not be picked up or handed over, why, and what becomes
    of it."""
    data = encode_reason(command.reason)
    return order, (
        draft_for_customer(order, events.DELIVERY_FAILED, now, courier=order.courier, data=data),
    )


def _check_offer(order: Order, now: datetime) -> None:
    # The deadline counts by the clock, not by the timer: that one may come late.
    if order.offer is None or order.offer.has_expired(now):
        raise OfferGone("This offer has lapsed.")


def expire_offer(order: Order, command: commands.ExpireOffer, now: datetime) -> Transition:
    """End the open offers, whose couriers have let them pass; they hear of it."""
    offers = order.open_offers
    assert offers, "an offer that is over is a repeat: see domain/orders/repeats.py"
    order = replace(order, courier_id=None, offer=None, more_offers=())
    return order, tuple(
        draft_for_courier(order, events.OFFER_TIMED_OUT, offer.courier_id, now, offer=offer)
        for offer in offers
    )


def wait_for_courier(order: Order, command: commands.WaitForCourier, now: datetime) -> Transition:
    """Set when to look for couriers again, from the first wave on. Nobody hears of it."""
    return replace(order, next_search_at=command.next_search_at, wave=None), ()


def give_up_search(order: Order, command: commands.GiveUp, now: datetime) -> Transition:
    """End the search; whose expired offers were the last hear of it, too."""
    order = replace(order, next_search_at=None, plan=None, wave=None)
    failed = (
        draft_for_courier(order, events.SEARCH_FAILED, expired_id, now)
        for expired_id in list_expired(command)
    )
    return order, (*failed, draft_for_customer(order, events.ORDER_UNSERVED, now))


def retry_search(order: Order, command: commands.RetrySearch, now: datetime) -> Transition:
    """Begin a new search, in which everybody may be asked again."""
    return open_anew(order, command.search_until), ()


def open_anew(order: Order, until: datetime | None) -> Order:
    """Return an order as anybody's, whoever was asked before, or gave it back."""
    return replace(order, excluded=(), released_by=(), courier_id=None, search_until=until)


def cancel_order(order: Order, command: commands.Cancel, now: datetime) -> Transition:
    """Call the order off; its customer hears of it, and the courier who has it, if anybody, or all
    who are asked."""
    others = [(offer.courier_id, Role.COURIER) for offer in order.more_offers]
    order = replace(order, offer=None, next_search_at=None, more_offers=(), wave=None)
    data = encode_reason(command.reason)
    recipients = [*list_both_sides(order), *others]
    return order, draft_copies(order, events.ORDER_CANCELLED, recipients, now, data=data)


def activate_order(order: Order, command: commands.Activate, now: datetime) -> Transition:
    """Let the order begin. Nobody is told: who is offered the order next makes the first event."""
    order = replace(
        order,
        next_search_at=None,
        search_until=command.search_until,
        plan=command.plan,
        timeline={**order.timeline, ACTIVATED: now},
    )
    return order, ()


def amend_order(order: Order, command: commands.Amend, now: datetime) -> Transition:
    """Change what the order is about. Nobody is told: nobody knows of the order yet."""
    order = replace(
        order,
        details=command.details,
        options=command.options,
        next_search_at=command.active_at,
        price=command.price,
    )
    return order, ()


def search_anew(order: Order, command: commands.SearchAnew, now: datetime) -> Transition:
    """Begin the next search of the plan, in which everybody may be asked again."""
    return replace(continue_plan(order, command), excluded=(), wave=None), ()


def continue_plan(order: Order, command: commands.SearchAnew) -> Order:
    """Note that the next search of the plan has begun."""
    return replace(order, plan=command.plan, search_until=command.search_until, next_search_at=None)


def silence_while_dormant(cancel: Effect) -> Effect:
    """Make the effect that calls an order off of which nobody has heard yet without telling
    anybody; but its customer, where an admin did it: they would wait for it."""

    def apply(order: Order, command: Any, now: datetime) -> Transition:
        order, drafts = cancel(order, command, now)
        if not order.is_dormant:
            return order, drafts
        by_other = isinstance(command, commands.Cancel) and command.by != Role.CUSTOMER.value
        return order, tuple(
            draft for draft in drafts if by_other and draft.audience is Role.CUSTOMER
        )

    return apply


def reach_dropoff(order: Order, command: commands.ReachDropoff, now: datetime) -> Transition:
    """Note that the courier is at the drop-off. The status stays: the order is not handed over."""
    order = replace(order, timeline={**order.timeline, "reached": now})
    return order, (draft_for_customer(order, events.DROPOFF_REACHED, now, courier=order.courier),)


def notify_only(type_: str) -> Effect:
    """Make the effect of a step that changes nothing but the status, and that the customer hears
    of by one event of this type."""

    def notify_customer(order: Order, command: Command, now: datetime) -> Transition:
        return order, (draft_for_customer(order, type_, now, courier=order.courier),)

    return notify_customer


EFFECTS: dict[str, Effect] = {
    "offer": make_offer,
    "assign": assign_courier,
    "accept": accept_offer,
    "decline": decline_offer,
    "expire": expire_offer,
    "wait": wait_for_courier,
    "give_up": give_up_search,
    "activate": activate_order,
    "amend": amend_order,
    "search_anew": search_anew,
    "retry": retry_search,
    "cancel": silence_while_dormant(cancel_order),
    "arrive": notify_only(events.COURIER_ARRIVED),
    "pick_up": notify_only(events.ORDER_PICKED_UP),
    "reach": reach_dropoff,
    "deliver": notify_only(events.ORDER_DELIVERED),
    "release": release_order,
    "no_show": notify_of_failure,
    "take_back": notify_of_failure,
    "leave": notify_of_failure,
    "discard": notify_of_failure,
    "finish_return": notify_only(events.DELIVERY_RETURNED),
}
