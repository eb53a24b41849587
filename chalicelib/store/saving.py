"""Writing rows on a condition."""

from __future__ import annotations

from collections.abc import Sequence

from pynamodb.exceptions import PutError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from chalicelib.errors import Stale
from chalicelib.store.failures import is_lost_race


def save_if(row: Model, unchanged: Condition) -> None:
    """Put a row if a condition holds of the one that is there. Raises Stale if it does not.

    A put whose answer got lost is sent again by the SDK and meets what it wrote: `unchanged` must
    hold of that, too, or it would be taken for another's. A `commit` of the row says so.
    """
    try:
        row.save(condition=unchanged)
    except PutError as error:
        if is_lost_race(error):
            raise Stale from None
        raise


def update_if(row: Model, actions: Sequence[Action], unchanged: Condition) -> None:
    """Update a row if a condition holds of the one that is there; `row` is what it is then. Raises
    Stale if it does not. Of an update sent twice the same is true as of a put."""
    try:
        row.update(actions=list(actions), condition=unchanged)
    except UpdateError as error:
        if is_lost_race(error):
            raise Stale from None
        raise


def save_once(row: Model, absent: Condition) -> None:
    """Put a row unless it is there: whoever came first wrote the same. Raises Stale if that can't
    be told."""
    try:
        row.save(condition=absent)
    except PutError as error:
        if not is_lost_race(error):
            raise


def try_update(row: Model, actions: Sequence[Action], condition: Condition) -> bool:
    """Update a row where a condition holds of the one that is there; `row` is what it is then.
    Returns False, and nothing is written, where it does not."""
    try:
        row.update(actions=list(actions), condition=condition)
    except UpdateError as error:
        if is_lost_race(error):
            return False
        raise
    return True
