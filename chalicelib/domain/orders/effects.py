"""What each step changes of an order, and the events of it. Flows pick theirs from here.

An effect gets the order in its new status already (domain/orders/lifecycle.py). Those of a search
and its offers are in offers.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.drafts import (
    draft_copies,
    draft_for_customer,
    encode_reason,
    list_both_sides,
)
from chalicelib.domain.orders.flow import Effect, Transition
from chalicelib.domain.orders.model import ACTIVATED, Order
from chalicelib.domain.orders.offers import (
    accept_offer,
    assign_courier,
    decline_offer,
    expire_offer,
    give_up_search,
    make_offer,
    release_order,
    retry_search,
    wait_for_courier,
)
from chalicelib.domain.people import Role


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
