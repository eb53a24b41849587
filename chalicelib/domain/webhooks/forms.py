"""What the owner of an endpoint says of it, and what becomes of an endpoint by that."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from chalicelib.domain.people import Actor, Role
from chalicelib.domain.webhooks.endpoint import (
    BY_OWNER,
    Endpoint,
    EndpointStatus,
    disable_endpoint,
    enable_endpoint,
)
from chalicelib.errors import Forbidden


class EndpointForm(msgspec.Struct, frozen=True):
    """What an owner says of an endpoint: `merchant_id` None is all that is theirs to hear."""

    url: str
    events: tuple[str, ...]
    description: str | None = None
    merchant_id: str | None = None


class EndpointChange(msgspec.Struct, frozen=True):
    """How an owner changes an endpoint: to what, whether `merchant_id` was said again, and which
    status they want, None for the one it has."""

    form: EndpointForm
    names_merchant: bool = False
    status: EndpointStatus | None = None


def find_merchants(actor: Actor, merchant_id: str | None) -> tuple[str, ...] | None:
    """Find the restaurants whose orders an endpoint of an actor hears of, None for everybody's.
    Raises Forbidden for what is not theirs."""
    if actor.role is Role.ADMIN:
        return None if merchant_id is None else (merchant_id,)
    if merchant_id is not None and merchant_id not in actor.restaurant_ids:
        raise Forbidden("merchant_id is not a restaurant of yours.")
    if not actor.restaurant_ids:
        raise Forbidden("Your token names no restaurant.")
    return actor.restaurant_ids if merchant_id is None else (merchant_id,)


def may_manage(actor: Actor, endpoint: Endpoint) -> bool:
    """Tell whether an endpoint is an actor's own. One that hears of everybody's orders is an
    admin's: whoever made it as an admin, and is none any more, has it no longer."""
    is_for_admins = endpoint.merchant_ids is None
    return endpoint.owner_id == actor.id and (actor.role is Role.ADMIN or not is_for_admins)


def check_merchants(endpoint: Endpoint, actor: Actor) -> None:
    """Raise Forbidden where an endpoint hears of restaurants that are its owner's no longer: their
    token has changed since. They may still look at it, disable and delete it."""
    is_allowed = actor.role is Role.ADMIN or set(endpoint.merchant_ids or ()) <= set(
        actor.restaurant_ids
    )
    if not is_allowed:
        raise Forbidden(
            "This endpoint hears of restaurants that are not yours any more: set its merchant_id"
            " anew, or delete it."
        )


def apply_change(endpoint: Endpoint, change: EndpointChange, actor: Actor) -> Endpoint:
    """Return an endpoint as its owner wants it. Raises Forbidden, unless it is disabled by that,
    where it would hear of what is not theirs."""
    form = change.form
    changed = replace(endpoint, url=form.url, events=form.events, description=form.description)
    if change.names_merchant:
        merchant_ids = find_merchants(actor, form.merchant_id)
        changed = replace(changed, merchant_id=form.merchant_id, merchant_ids=merchant_ids)
    if change.status is EndpointStatus.DISABLED:
        return disable_endpoint(changed, BY_OWNER)
    check_merchants(changed, actor)
    return enable_endpoint(changed) if change.status is EndpointStatus.ENABLED else changed
