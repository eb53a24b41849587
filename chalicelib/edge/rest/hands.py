"""REST: what dispatchers do by hand, admins with every order and courier, merchants with their own
orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from chalicelib.contracts.base import read_optional_text, read_text
from chalicelib.contracts.hands import (
    read_hand_reason,
    read_then,
    render_courier_change,
    render_courier_row,
    render_messages,
)
from chalicelib.contracts.listing import MAX_PERSON_ID, read_limit
from chalicelib.contracts.registry import render_order
from chalicelib.domain.courier_changes import ChangePosition
from chalicelib.domain.orders.chat import MessagePosition
from chalicelib.domain.orders.placing import PlacedOrder
from chalicelib.domain.people import Courier, Role
from chalicelib.edge.rest.calls import Call, read_order_id
from chalicelib.edge.rest.placing import reply_placed
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route

P = TypeVar("P", bound=msgspec.Struct)


def assign_order(call: Call, order_id: str) -> Reply:
    """Give an order to the courier whom a dispatcher names, on duty or not, whoever has it now."""
    body, id_ = call.read_body(), read_order_id(order_id)
    courier_id = read_text(body.get("courier_id"), "courier_id", MAX_PERSON_ID)
    reason = read_hand_reason(body)
    return render_order(call.services.hands.assign_courier(call.actor, id_, courier_id, reason))


def release_order(call: Call, order_id: str) -> Reply:
    """Take an order from its courier before the pickup: another is searched for."""
    body, id_ = call.read_body(), read_order_id(order_id)
    courier_id = read_optional_text(body.get("courier_id"), "courier_id", MAX_PERSON_ID)
    reason = read_hand_reason(body)
    return render_order(call.services.hands.release_order(call.actor, id_, reason, courier_id))


def cancel_order(call: Call, order_id: str) -> Reply:
    """Cancel an order, by hand, wherever an admin may."""
    reason, id_ = read_hand_reason(call.read_body()), read_order_id(order_id)
    return render_order(call.services.hands.cancel_order(call.actor, id_, reason))


def fail_order(call: Call, order_id: str) -> Reply:
    """Say that an order can't be picked up, or handed over, and what becomes of it."""
    body, id_ = call.read_body(), read_order_id(order_id)
    reason, then = read_hand_reason(body), read_then(body)
    return render_order(call.services.hands.fail_order(call.actor, id_, reason, then))


def retry_order(call: Call, order_id: str) -> Reply:
    """Search anew for an unserved order, or try again by an order of its own what was not handed
    over."""
    reason, id_ = read_hand_reason(call.read_body()), read_order_id(order_id)
    done = call.services.hands.retry_order(call.actor, id_, reason, call.read_key())
    if isinstance(done, PlacedOrder):
        return reply_placed(call, done, render_order(done.order))
    return render_order(done)


def pause_courier(call: Call, courier_id: str) -> Reply:
    """Pause a courier: they stay on duty, and are asked for no order."""
    reason = read_hand_reason(call.read_body())
    code, note = (reason.code, reason.short_note) if reason else (None, None)
    return _show_courier(
        call, call.services.pauses.pause_courier(call.actor, courier_id, code, note)
    )


def resume_courier(call: Call, courier_id: str) -> Reply:
    """Let a paused courier be asked again."""
    reason = read_hand_reason(call.read_body())
    code, note = (reason.code, reason.short_note) if reason else (None, None)
    return _show_courier(
        call, call.services.pauses.resume_courier(call.actor, courier_id, code, note)
    )


def _show_courier(call: Call, courier: Courier) -> Reply:
    name = call.services.profiles.get_profile(courier.id).name
    return render_courier_row(courier, name, call.now)


def list_courier_history(call: Call, courier_id: str) -> Reply:
    """List a page of what dispatchers did with a courier, the newest first."""
    query = call.read_query("limit", "cursor")
    scope = _make_scope(call, "courier", courier_id)
    position = _read_position(call, query.get("cursor"), scope, ChangePosition)
    page = call.services.pauses.list_changes(courier_id, read_limit(query), position)
    changes = [render_courier_change(change) for change in page.changes]
    return {"history": changes, **_make_next(call, page.position, scope)}


def list_messages(call: Call, order_id: str) -> Reply:
    """List a page of the messages between the two sides of an order, the newest first."""
    query, id_ = call.read_query("limit", "cursor"), read_order_id(order_id)
    scope = _make_scope(call, "messages", str(id_))
    position = _read_position(call, query.get("cursor"), scope, MessagePosition)
    page = call.services.chats.list_page(call.actor, id_, read_limit(query), position)
    return {
        "messages": render_messages(page.messages),
        **_make_next(call, page.position, scope),
    }


def _make_scope(call: Call, kind: str, of: str) -> bytes:
    """Say of whom and of what a cursor is."""
    role = call.actor.role.value if call.actor.role else ""
    return msgspec.json.encode((kind, role, call.actor.id, of))


def _read_position(call: Call, cursor: str | None, scope: bytes, kind: type[P]) -> P | None:
    return call.services.cursors.read_cursor(cursor, scope, kind) if cursor else None


def _make_next(call: Call, position: msgspec.Struct | None, scope: bytes) -> dict[str, str]:
    if position is None:
        return {}
    return {"next_cursor": call.services.cursors.make_cursor(position, scope)}


def _by_hand(name: str, view: Callable[..., Reply]) -> Route:
    return Route("POST", f"/v1/admin/orders/{{order_id}}/{name}", view, Role.ADMIN, Role.MERCHANT)


ROUTES = (
    _by_hand("assign", assign_order),
    _by_hand("release", release_order),
    _by_hand("cancel", cancel_order),
    _by_hand("fail", fail_order),
    _by_hand("retry", retry_order),
    Route("GET", "/v1/admin/orders/{order_id}/messages", list_messages, Role.ADMIN, Role.MERCHANT),
    Route("POST", "/v1/admin/couriers/{courier_id}/pause", pause_courier, Role.ADMIN),
    Route("POST", "/v1/admin/couriers/{courier_id}/resume", resume_courier, Role.ADMIN),
    Route("GET", "/v1/admin/couriers/{courier_id}/history", list_courier_history, Role.ADMIN),
)
