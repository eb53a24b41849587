"""REST: lists of orders, a page at a time, in JSON or CSV."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
from chalice.app import Response

from chalicelib.contracts.listing import (
    format_csv,
    make_csv_row,
    read_any_filter,
    read_limit,
    read_own_filter,
    render_listed_order,
)
from chalicelib.domain.orders.listing import ListPosition, OrderFilter, OrderPage
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route

log = logging.getLogger(__name__)

T = TypeVar("T")

CSV = "text/csv"
_JSON_TYPES = ("application/json", "application/*", "*/*")
_CSV_HEADERS = {
    "Content-Type": f"{CSV}; charset=utf-8; header=present",
    "Content-Disposition": 'attachment; filename="orders.csv"',
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def list_orders(call: Call) -> Reply:
    """List a page of the caller's orders: placed, accepted, or of their restaurants."""
    query = call.read_query("status", "from", "to", "external_id", "limit", "cursor")
    wanted, limit = read_own_filter(query), read_limit(query)
    scope = _make_scope(call, "own", wanted)
    position = _read_position(call, query, scope)
    page = call.services.order_lists.list_own(call.actor, wanted, limit, position)
    return _reply_page(call, query, page, scope)


def list_all_orders(call: Call) -> Reply:
    """List a page of everybody's orders, for an admin."""
    query = call.read_query(
        *("status", "day", "from", "to", "customer_id", "courier_id", "merchant_id"),
        *("limit", "cursor"),
    )
    wanted, limit = read_any_filter(query), read_limit(query)
    scope = _make_scope(call, "all", wanted)
    position = _read_position(call, query, scope)
    page = call.services.order_lists.list_all(wanted, limit, position)
    return _reply_page(call, query, page, scope)


def _make_scope(call: Call, kind: str, wanted: OrderFilter) -> bytes:
    """Say of whom and of what a cursor is. The limit may change from page to page."""
    role = call.actor.role.value if call.actor.role else ""
    return msgspec.json.encode((kind, role, call.actor.id, wanted))


def _read_position(call: Call, query: Mapping[str, str], scope: bytes) -> ListPosition | None:
    if "cursor" not in query:
        return None
    return call.services.cursors.read_cursor(query["cursor"], scope, ListPosition)


def _reply_page(call: Call, query: Mapping[str, str], page: OrderPage, scope: bytes) -> Reply:
    position = page.position
    cursor = call.services.cursors.make_cursor(position, scope) if position else None
    if not prefers_csv(call.request.headers.get("accept", "")):
        more = {"next_cursor": cursor} if cursor else {}
        return {"orders": _render_each(render_listed_order, page.orders), **more}
    headers: dict[str, str | list[str]] = dict(_CSV_HEADERS)
    if cursor:
        # A reference without a host and a path: a proxy may have changed both.
        headers["Link"] = f'<?{urlencode({**query, "cursor": cursor})}>; rel="next"'
    return Response(format_csv(_render_each(make_csv_row, page.orders)), headers=headers)


def _render_each(render: Callable[[Order], T], orders: Sequence[Order]) -> list[T]:
    """Render orders. One that can't be rendered is left out: it must not hide all others."""
    rendered = []
    for order in orders:
        try:
            rendered.append(render(order))
        except Exception:
            log.exception("parked: order %d can't be shown", order.id, extra={"order_id": order.id})
    return rendered


def prefers_csv(accept: str) -> bool:
    """Tell whether an Accept header names CSV, and JSON no more than it. CSV is never guessed."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights[name] = _read_weight(parameters)
    wanted = weights.get(CSV, 0.0)
    named = next((weights[name] for name in _JSON_TYPES if name in weights), 0.0)
    return wanted > 0 and wanted >= named


def _read_weight(parameters: Sequence[str]) -> float:
    """Read a media range's `q`: 1 where there is none, 0 where it is no number."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


_OWN_ROLES = (Role.CUSTOMER, Role.COURIER, Role.MERCHANT)
ROUTES = (
    Route("GET", "/v1/orders", list_orders, *_OWN_ROLES),
    Route("GET", "/v1/admin/orders", list_all_orders, Role.ADMIN),
)
