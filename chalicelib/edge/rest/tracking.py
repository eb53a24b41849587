"""REST: tracking links, and the page that each of them is."""

from __future__ import annotations

from urllib.parse import parse_qs, quote

from chalice.app import Response

from chalicelib.contracts.base import read_text
from chalicelib.contracts.moments import format_iso
from chalicelib.domain.orders.tracking_links import MAX_NOTE
from chalicelib.domain.people import Role
from chalicelib.edge.rest.accepting import wants_json
from chalicelib.edge.rest.calls import Call, PublicCall, read_order_id
from chalicelib.edge.rest.public_url import find_link_base
from chalicelib.edge.rest.responses import Reply, make_json_response
from chalicelib.edge.rest.routes import JSON_TYPES, LinkRoute, Route
from chalicelib.edge.rest.tracking_page import (
    make_missing_page,
    make_page,
    render_as_json,
)
from chalicelib.errors import Conflict, InvalidInput, NotFound

FORM_TYPE = "application/x-www-form-urlencoded"
MAX_FORM = 16 * 1024  # characters: more than a note, however it is encoded


def make_link(call: Call, order_id: str) -> Reply:
    """Make a tracking link of an order."""
    token, expires_at = call.services.tracking_links.make_link(call.actor, read_order_id(order_id))
    base = find_link_base(call.request, call.services.public_url)
    return 201, {"url": f"{base}/t/{token}", "expires_at": format_iso(expires_at)}


def end_links(call: Call, order_id: str) -> Reply:
    """End all tracking links of an order."""
    call.services.tracking_links.end_links(call.actor, read_order_id(order_id))
    return Response("", {"Cache-Control": "no-store"}, 204)


def show_page(call: PublicCall, token: str) -> Reply:
    """Show a link's order: a page, or the same as JSON."""
    languages = call.read_header("accept-language")
    try:
        order = call.services.tracking_links.open_page(token)
    except NotFound:
        return make_missing_page(languages)
    if wants_json(call.read_header("accept")):
        return make_json_response(200, render_as_json(order, languages))
    path = call.request.to_original_event()["requestContext"]["path"]
    # Some who send links on put a slash behind them, and the form's address begins at the last one.
    note_path = "note" if path.endswith("/") else f"{quote(token)}/note"
    return make_page(order, note_path, languages)


def leave_note(call: PublicCall, token: str) -> Reply:
    """Keep what the bearer of a link says: of the page's form, or as JSON."""
    languages, links = call.read_header("accept-language"), call.services.tracking_links
    is_form = (call.read_header("content-type") or "").lower().startswith(FORM_TYPE)
    try:
        shown = links.open_page(token)  # before the body: who has no link learns nothing of it
        order = links.leave_note(token, _read_note(call, is_form))
    except NotFound:
        return make_missing_page(languages)
    except (Conflict, InvalidInput) as refusal:
        if not is_form:
            raise
        return make_page(shown, "note", languages, refusal)
    if not is_form:
        return make_json_response(200, render_as_json(order, languages))
    return Response("", {"Location": f"../{quote(token)}"}, 303)


def _read_note(call: PublicCall, is_form: bool) -> str:
    """Read `note`. Raises InvalidInput, PayloadTooLarge."""
    if not is_form:
        return read_text(call.read_body().get("note"), "note", MAX_NOTE)
    raw = call.request.raw_body
    try:
        text = raw if isinstance(raw, str) else raw.decode()
        given = parse_qs(text[:MAX_FORM], max_num_fields=10, errors="strict").get("note", [""])
    except ValueError:  # of a form of a thousand fields, or of other bytes than UTF-8
        raise InvalidInput("note is required.", field="note") from None
    return read_text(given[-1].replace("\r\n", "\n"), "note", MAX_NOTE)


_SAY = (Role.CUSTOMER, Role.MERCHANT, Role.ADMIN)
ROUTES = (
    Route("POST", "/v1/orders/{order_id}/tracking", make_link, *_SAY),
    Route("DELETE", "/v1/orders/{order_id}/tracking", end_links, *_SAY),
    LinkRoute("GET", "/t/{token}", show_page),
    LinkRoute("POST", "/t/{token}/note", leave_note, (*JSON_TYPES, FORM_TYPE)),
)
