"""What of an order's history each of those may see who have, or had, a part in it.

Admins see all of it. Customers and merchants see every change, but not who was asked and did not
take the order, nor where a courier was who was not on the way yet. Couriers see what happened while
the order was theirs, or offered to them, besides its placing and its end, and nothing of others.
Ids of admins, and of those who own a restaurant, are seen by themselves and by admins; and so is
why they gave an order to somebody by hand, or took it from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from msgspec.structs import replace

from chalicelib.domain.orders.changes import PLACE
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.history_entries import (
    ACCEPTED,
    DECLINED,
    WITHDRAWN,
    HistoryEntry,
    OfferEntry,
)
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.permissions import can_see
from chalicelib.domain.people import Actor, Role

# Steps of a courier who then has no part in the order: who they were is theirs to know.
_REFUSALS = frozenset({"decline", "expire"})
# Steps whose reason, where a dispatcher takes them by hand, is for dispatchers alone. How an order
# ends is told with its reason, by whomever it is ended.
_INTERNAL = frozenset({PLACE, "assign", "release", "hand_back", "retry"})


class Side(Enum):
    """From where somebody looks at an order."""

    ADMIN = "admin"
    CUSTOMER = "customer"
    MERCHANT = "merchant"
    COURIER = "courier"


def find_side(order: Order, entries: Sequence[HistoryEntry], actor: Actor) -> Side | None:
    """Find the side from which an actor may look at an order; None where they have no part in it.
    Somebody may be its customer and its courier: then the token's role decides."""
    if actor.role is Role.ADMIN:
        return Side.ADMIN
    is_owner = actor.role is Role.MERCHANT and order.details.merchant_id in actor.restaurant_ids
    if is_owner and can_see(order, actor):
        return Side.MERCHANT
    was_asked = _had_a_part(order, entries, actor.id)
    if was_asked and actor.role is Role.COURIER:
        return Side.COURIER
    if actor.id == order.details.customer_id:
        return Side.CUSTOMER
    return Side.COURIER if was_asked else None


def _had_a_part(order: Order, entries: Sequence[HistoryEntry], courier_id: str) -> bool:
    named = {order.courier_id, *order.offered_to, *order.excluded}
    named |= {entry.courier_id for entry in entries}
    return courier_id in named or any(_is_asked(entry, courier_id) for entry in entries)


def _is_asked(entry: HistoryEntry, courier_id: str) -> bool:
    return entry.offer is not None and entry.offer.find_asked(courier_id) is not None


def select_entries(
    order: Order, entries: Sequence[HistoryEntry], side: Side, actor: Actor
) -> list[HistoryEntry]:
    """Select what an actor may see from their side, the oldest first."""
    if side is Side.ADMIN:
        return list(entries)
    if side is Side.COURIER:
        return [_show_to_courier(entry, actor.id) for entry in entries if _is_seen(entry, actor.id)]
    shows_fixes = FLOWS[order.details.flow].shows_fixes
    return [_show_to_customer(order, entry, actor.id, shows_fixes) for entry in entries]


def _show_to_customer(
    order: Order, entry: HistoryEntry, viewer_id: str, shows_fixes: bool
) -> HistoryEntry:
    """Hide who was asked and did not take the order, and where couriers were before it was on the
    way, unless its flow shows that anyway."""
    is_refusal = entry.step in _REFUSALS
    is_internal = _is_internal(entry, viewer_id)
    is_courier = entry.role is Role.COURIER and not is_refusal
    is_known = is_courier or entry.actor_id in (viewer_id, order.details.customer_id)
    return replace(
        entry,
        actor_id=entry.actor_id if is_known else None,
        reason=None if is_refusal or is_internal else entry.reason,
        note=None if is_refusal or is_internal else entry.note,
        offer=_keep_taker(entry.offer),
        position=entry.position if shows_fixes or entry.is_on_the_way else None,
    )


def _is_internal(entry: HistoryEntry, viewer_id: str) -> bool:
    """Say whether why a change was made is between dispatchers: who looks is none of them."""
    return (
        entry.step in _INTERNAL
        and entry.role in (Role.ADMIN, Role.MERCHANT)
        and entry.actor_id != viewer_id
    )


def _keep_taker(offer: OfferEntry | None) -> OfferEntry | None:
    if offer is None:
        return None
    taker = offer.find_asked(offer.taker_id) if offer.taker_id else None
    return replace(offer, asked=(taker,) if taker else ())


def _is_seen(entry: HistoryEntry, courier_id: str) -> bool:
    return entry.step == PLACE or entry.is_end or _is_theirs(entry, courier_id)


def _is_theirs(entry: HistoryEntry, courier_id: str) -> bool:
    """Say whether a change was made while the order was a courier's, or offered to them."""
    named = (entry.courier_id, entry.lost_by, entry.actor_id)
    return courier_id in named or _is_asked(entry, courier_id)


def _show_to_courier(entry: HistoryEntry, courier_id: str) -> HistoryEntry:
    """Hide what is of others: their ids and offers, and what was when the order was theirs."""
    is_theirs = _is_theirs(entry, courier_id)
    may_know = is_theirs or entry.step == PLACE
    may_read = may_know and not _is_internal(entry, courier_id)
    is_known = entry.actor_id == courier_id or entry.role is Role.CUSTOMER
    holds = courier_id in (entry.courier_id, entry.actor_id)
    return replace(
        entry,
        actor_id=entry.actor_id if is_known else None,
        reason=entry.reason if may_read else None,
        note=entry.note if may_read else None,
        offer=_keep_own(entry.offer, courier_id),
        position=entry.position if holds else None,
        price_minor=entry.price_minor if may_know else None,
    )


def _keep_own(offer: OfferEntry | None, courier_id: str) -> OfferEntry | None:
    own = offer.find_asked(courier_id) if offer else None
    if offer is None or own is None:
        return None
    if courier_id in offer.declined:
        return OfferEntry((own,), DECLINED)
    lost = offer.answer == ACCEPTED and offer.taker_id != courier_id
    taker_id = None if lost else offer.taker_id
    return OfferEntry((own,), WITHDRAWN if lost else offer.answer, taker_id)
