"""What a search and its offers change of an order, and the events of it (effects.py).

An order is offered to one courier, or to all of a wave at once: then the first of them stands in
`offer`, as alone, and the others in `more_offers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import Offer
from chalicelib.domain.events import Event
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.drafts import (
    draft_for_courier,
    draft_for_customer,
    encode_code,
    encode_reason,
)
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.waves import OpenWave
from chalicelib.errors import OfferGone

_NO_DATA: Mapping[str, Any] = {}


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
    made, offered = drafts
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
    return order, (made, *others, replace(offered, data={**offered.data, **asked}))


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
    data: Mapping[str, Any] = _NO_DATA,
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


def _draft_losses(
    order: Order, courier_ids: Iterable[str], now: datetime, **data: bool
) -> tuple[Event, ...]:
    """Draft for each of some couriers that they have lost an order."""
    return tuple(
        draft_for_courier(order, events.OFFER_REASSIGNED, id_, now, data=data)
        for id_ in courier_ids
    )


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
