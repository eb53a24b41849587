"""An order's history as REST shows it, the same for orders of all contracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.contracts.base import omit_none
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.money import to_major_units
from chalicelib.domain.orders.changes import Asked
from chalicelib.domain.orders.history_entries import HistoryEntry, OfferEntry


def render_history(entries: Sequence[HistoryEntry], left_out: int) -> dict[str, Any]:
    """Render {history: […], left_out?}, the oldest first."""
    return {
        "history": [_render_entry(entry) for entry in entries],
        **omit_none(left_out=left_out or None),
    }


def _render_entry(entry: HistoryEntry) -> dict[str, Any]:
    """Render {at, actor, from, to, step, reason?, note?, offer?, position?, price?}. `actor` and
    `from` are null where there is none, or it is not known."""
    return {
        "at": format_iso(entry.at),
        "actor": omit_none(role=entry.role.value, id=entry.actor_id) if entry.role else None,
        "from": entry.was,
        "to": entry.to,
        "step": entry.step,
        **omit_none(
            reason=entry.reason,
            note=entry.note,
            offer=_render_offer(entry.offer, entry) if entry.offer else None,
            position=_render_position(entry),
            price=None if entry.price_minor is None else to_major_units(entry.price_minor),
        ),
    }


def _render_offer(offer: OfferEntry, entry: HistoryEntry) -> dict[str, Any]:
    """Render {courier_id?, distance_m?, answer?}. Where several are asked at once the change that
    asks them has `couriers`, [{courier_id, distance_m?, answer?}], and `courier_id` is who accepts;
    `answer` is each one's own where all of them were claimed for the offer."""
    if len(offer.asked) == 1:
        return {**_render_asked(offer.asked[0]), **omit_none(answer=offer.answer)}
    taker = offer.find_asked(offer.taker_id) if offer.taker_id else None
    couriers: list[dict[str, Any]] = []
    if entry.is_broadcast:
        couriers = [_render_asked(one) for one in offer.asked]
    elif entry.step == "offer":
        couriers = [
            {**_render_asked(one), **omit_none(answer=offer.find_answer(one.courier_id))}
            for one in offer.asked
        ]
    return {
        **(_render_asked(taker) if taker else {}),
        **omit_none(couriers=couriers or None, answer=offer.answer),
    }


def _render_asked(asked: Asked) -> dict[str, Any]:
    return omit_none(courier_id=asked.courier_id, distance_m=asked.distance_m)


def _render_position(entry: HistoryEntry) -> dict[str, float] | None:
    return dict(zip(("lat", "lng"), entry.position, strict=True)) if entry.position else None
