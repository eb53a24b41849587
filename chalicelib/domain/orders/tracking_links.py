"""Tracking links: who has one sees one order, until some time after its end.

An order carries the hashes of its live links, so that making and ending them are writes of the
order: of two at once one is applied to what the other left. A row beside it leads from a hash to
the order (store/tracking_links.py) and is never changed: what the order does not list is no link.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.messaging.connections import LINK_PREFIX
from chalicelib.domain.orders.history import note_recipients_words
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.tips import get_end_time, had_courier
from chalicelib.domain.orders.tracking_link import TrackingLink
from chalicelib.domain.orders.windows import MAX_END_AHEAD
from chalicelib.errors import Conflict, InvalidTransition

MAX_LINKS = 5
TOKEN_BYTES = 32
MAX_NOTE = 200  # characters, as of a reason
# No order is under way for so long after the last of its windows: whatever does not end by then is
# forgotten, and its links with it.
LONGEST_LIFE = timedelta(days=7)
ROW_KEPT_FOR = MAX_END_AHEAD + LONGEST_LIFE


def hash_token(token: str) -> str:
    """Hash a token as its link's row and its order have it. Any text will do."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def name_bearer(hash_: str) -> str:
    """Name whoever has a link, as a subscriber: no person's token can have such an id."""
    return f"{LINK_PREFIX}{hash_}"


def compute_link_end(order: Order, link: TrackingLink, ends_after: timedelta) -> datetime:
    """Compute when a link ends: `ends_after` the order's last status. An order that is under way
    has no last status yet: then it is the latest time at which the link can end."""
    windows = order.options.windows
    times = (link.made_at, windows.pickup_from, windows.pickup_by, windows.dropoff_by)
    latest = max(at for at in times if at is not None) + LONGEST_LIFE
    return min(latest, get_end_time(order) + ends_after) if order.is_terminal else latest


def add_link(order: Order, hash_: str, now: datetime, ends_after: timedelta) -> Order:
    """Add a link to an order; beyond MAX_LINKS the oldest ends. One that is there stays as it is:
    the answer to its write got lost. Raises Conflict where it would have ended already."""
    if any(link.hash == hash_ for link in order.links):
        return order
    link = TrackingLink(hash_, now)
    if compute_link_end(order, link, ends_after) <= now:
        raise Conflict("This order has ended too long ago to be tracked.")
    return replace(order, links=(*order.links, link)[-MAX_LINKS:])


def find_live_link(
    order: Order, hash_: str, now: datetime, ends_after: timedelta
) -> TrackingLink | None:
    """Find an order's link by its hash; None where there is none, or it has ended."""
    found = next((link for link in order.links if link.hash == hash_), None)
    if found is None or now >= compute_link_end(order, found, ends_after):
        return None
    return found


def add_recipient_note(order: Order, words: str, now: datetime) -> Order:
    """Add what the bearer of a link says of an order after its end: once, as there may be several
    who have the link. The same words again change nothing.

    Raises InvalidTransition before the end, Conflict where nobody had the order or others words
    are there.
    """
    if not order.is_terminal:
        raise InvalidTransition(order.status.value, "note", ())
    if order.recipient_note == words:
        return order
    if not had_courier(order):
        raise Conflict("This order had no courier.")
    if order.recipient_note is not None:
        raise Conflict("A note was left already.")
    return note_recipients_words(replace(order, recipient_note=words), words, now)
