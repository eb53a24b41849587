"""How a courier has answered their last offers: one number in their row. Pure.

The number is 1, and behind it a bit for each answer, the newest last: 1 for an order that they took
and kept, 0 for an offer that they declined or let pass, or an order that they gave back.
"""

from __future__ import annotations

from chalicelib.domain.orders.model import Order

REMEMBERED = 20  # answers
NO_ANSWERS = 1
_MARK = 1 << REMEMBERED
# The step by which an offer ends as it was declined, or its time was up: whose time is up loses it
# only as another is asked, or the search goes on or ends. By any other step it is withdrawn.
_REFUSED_BY = frozenset({"decline", "expire", "offer", "wait", "give_up", "search_anew"})


def add_answer(answers: int, is_taken: bool) -> int:
    """Return a courier's answers with one more; the oldest is forgotten where they are too many."""
    added = answers << 1 | is_taken
    return added if added < 2 * _MARK else _MARK | added % _MARK


def count_answers(answers: int) -> tuple[int, int]:
    """Count the answers that are remembered, and how many of them were no."""
    made = answers.bit_length() - 1
    return made, made + 1 - answers.bit_count()


def find_answer(stored: Order | None, order: Order, courier_id: str) -> bool | None:
    """Find how a courier who loses an order has answered it: `stored` is the order that occupied
    them, `order` the one that lets them go. None where that was not their doing: it was cancelled,
    another courier was quicker, or a dispatcher took it from them."""
    if stored is None or courier_id not in stored.occupied_ids:
        return None
    if order.releases > stored.releases:
        return False
    if stored.offer is None:
        return True
    return False if order.changes and order.changes[-1].step in _REFUSED_BY else None
