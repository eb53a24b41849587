"""Putting rows on a condition."""

from __future__ import annotations

from pynamodb.exceptions import PutError
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model

from chalicelib.errors import Stale
from chalicelib.store.failures import lost_race, refused


def save_if(row: Model, unchanged: Condition) -> None:
    """Put a row if a condition holds of the one that is there. Raises Stale if it does not."""
    try:
        row.save(condition=unchanged)
    except PutError as error:
        if lost_race(error):
            raise Stale from None
        raise


def save_once(row: Model, absent: Condition) -> None:
    """Put a row unless it is there: whoever came first wrote the same. Raises Stale if that can't
    be told."""
    try:
        row.save(condition=absent)
    except PutError as error:
        if refused(error):
            return
        if lost_race(error):
            raise Stale from None
        raise
