"""Who may take a step: one table from each permission to its predicate and its refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple

from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import SYSTEM, Actor, Role
from chalicelib.errors import Forbidden, NotFound, OfferGone, WaybillError


class Permission(Enum):
    """Those who may take a step of a flow."""

    SYSTEM = "system"  # Waybill itself: its searches, timers and rules
    ADMIN = "admin"
    OWNER = "owner"  # the customer who placed the order
    OWNER_OR_ADMIN = "owner_or_admin"
    OWNER_MERCHANT_OR_ADMIN = "owner_merchant_or_admin"
    HAND = "hand"  # a dispatcher: an admin, or the merchant of the order, or who placed it as one
    MERCHANT = "merchant"  # whoever owns the restaurant of the order
    COURIER = "courier"  # any courier
    ASSIGNEE = "assignee"  # the courier who has the order, or is offered it, alone or with others
    # The same for flows where an order does not exist for couriers who have no part in it
    # (spec 001, room isolation):
    NEARBY_COURIER = "nearby_courier"  # a courier to whom the order was opened
    HOLDER = "holder"  # the courier who has the order


Holds = Callable[[Order, Actor], bool]
Refuse = Callable[[Order, Actor], WaybillError]


class Rule(NamedTuple):
    """One row of the table: whether a permission holds, and which error to raise if not."""

    holds: Holds
    refuse: Refuse


def check_permission(permission: Permission, order: Order, actor: Actor) -> None:
    """Let an actor pass who has a permission for an order, whatever the order's status is.

    Raises NotFound for those to whom the order need not exist, OfferGone for a courier who was
    asked and is too late, Forbidden for anybody else.
    """
    rule = RULES[permission]
    if not rule.holds(order, actor):
        raise rule.refuse(order, actor)


def can_see(order: Order, actor: Actor) -> bool:
    """Say whether an actor has a part in an order. To everybody else it need not exist."""
    return (
        actor.id in (order.details.customer_id, order.courier_id)
        or _is_one_of_several(order, actor)
        or _is_merchant(order, actor)
        or _is_admin(order, actor)
        or _is_system(order, actor)
    )


def _is_system(order: Order, actor: Actor) -> bool:
    return actor is SYSTEM  # no token can be it


def _is_admin(order: Order, actor: Actor) -> bool:
    return actor.role is Role.ADMIN


def _is_owner(order: Order, actor: Actor) -> bool:
    return actor.role is Role.CUSTOMER and actor.id == order.details.customer_id


def _is_owner_or_admin(order: Order, actor: Actor) -> bool:
    return _is_owner(order, actor) or _is_admin(order, actor)


def _has_a_say(order: Order, actor: Actor) -> bool:
    return _is_owner_or_admin(order, actor) or _may_lend_a_hand(order, actor)


def _is_merchant(order: Order, actor: Actor) -> bool:
    is_theirs = order.details.merchant_id in actor.restaurant_ids
    return actor.role is Role.MERCHANT and is_theirs and not order.is_dormant


def _may_lend_a_hand(order: Order, actor: Actor) -> bool:
    has_placed = actor.role is Role.MERCHANT and actor.id == order.details.customer_id
    return has_placed or _is_merchant(order, actor) or _is_admin(order, actor)


def _is_courier(order: Order, actor: Actor) -> bool:
    return actor.role is Role.COURIER


def _is_assignee(order: Order, actor: Actor) -> bool:
    return actor.id == order.courier_id or _is_one_of_several(order, actor)


def _is_one_of_several(order: Order, actor: Actor) -> bool:
    return any(offer.courier_id == actor.id for offer in order.more_offers)


def _is_holder(order: Order, actor: Actor) -> bool:
    return _is_courier(order, actor) and _is_assignee(order, actor)


def _may_take_nearby(order: Order, actor: Actor) -> bool:
    """Say whether a courier may have a broadcast order: theirs already, or still nobody's. (That
    they may have it already is what makes accepting twice harmless.)"""
    if not _takes_part(order, actor) or _is_called_off(order):
        return False
    is_free = order.courier_id is None and actor.id not in order.excluded
    return is_free or _is_assignee(order, actor)


def _takes_part(order: Order, actor: Actor) -> bool:
    invited = actor.id in order.offered_to or _is_assignee(order, actor)
    return invited and _is_courier(order, actor)


def _is_called_off(order: Order) -> bool:
    return order.status in (Status.CANCELLED, Status.UNSERVED)


def _hide_order(order: Order, actor: Actor) -> WaybillError:
    return NotFound("There is no such order.")


def _refuse_stranger(order: Order, actor: Actor) -> WaybillError:
    if actor.id in order.offered_to:
        return OfferGone("This order has moved on to somebody else.")
    return Forbidden("This order was never offered to you.")


def _refuse_nearby(order: Order, actor: Actor) -> WaybillError:
    if _takes_part(order, actor) and _is_called_off(order):
        return OfferGone("This order was called off.")
    return _refuse_late(order, actor)


def _refuse_late(order: Order, actor: Actor) -> WaybillError:
    if not _takes_part(order, actor):
        return _hide_order(order, actor)
    return OfferGone("Another courier has this order.")


RULES: Mapping[Permission, Rule] = {
    Permission.SYSTEM: Rule(
        _is_system, lambda order, actor: Forbidden("Only the system does that.")
    ),
    Permission.COURIER: Rule(_is_courier, lambda order, actor: Forbidden("Only couriers do that.")),
    Permission.ASSIGNEE: Rule(_is_assignee, _refuse_stranger),
    Permission.NEARBY_COURIER: Rule(_may_take_nearby, _refuse_nearby),
    Permission.HOLDER: Rule(_is_holder, _refuse_late),
    Permission.OWNER: Rule(_is_owner, _hide_order),
    Permission.OWNER_OR_ADMIN: Rule(_is_owner_or_admin, _hide_order),
    Permission.OWNER_MERCHANT_OR_ADMIN: Rule(_has_a_say, _hide_order),
    Permission.ADMIN: Rule(_is_admin, _hide_order),
    Permission.HAND: Rule(_may_lend_a_hand, _hide_order),
    Permission.MERCHANT: Rule(_is_merchant, _hide_order),
}
