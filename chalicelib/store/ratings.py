"""Ratings, one an order, and the running average on each courier's profile."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace
from pynamodb.connection import Connection
from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactWrite

from chalicelib.domain.people import Person, Rating
from chalicelib.errors import AlreadyRated, Stale
from chalicelib.store.failures import cancelled
from chalicelib.store.people import People
from chalicelib.store.tables import PersonRow, RatingRow

_ATTEMPTS = 8


class Ratings:
    """The ratings table."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rate(self, rating: Rating) -> None:
        """Keep a rating and count it, in one transaction. Raises AlreadyRated.

        A write whose answer got lost is no second one: botocore sends the same request token.
        """
        for _ in range(_ATTEMPTS):
            if RatingRow.count(rating.order_id, consistent_read=True):
                raise AlreadyRated("This order has been rated.")
            if self._rated(rating):
                return
        raise Stale

    def _rated(self, rating: Rating) -> bool:
        """Whether it was written; if not, another was faster, and all is to be looked at again."""
        known, version = People.versioned(rating.courier_id)
        person = known or Person(rating.courier_id)
        counted = replace(
            person,
            rating_sum=person.rating_sum + rating.stars,
            rating_count=person.rating_count + 1,
        )
        once = RatingRow.order_id.does_not_exist()
        unchanged = PersonRow.version == version if known else PersonRow.person_id.does_not_exist()
        try:
            with TransactWrite(connection=self._connection) as write:
                write.save(
                    RatingRow(rating.order_id, doc=msgspec.json.encode(rating).decode()),
                    condition=once,
                )
                write.save(People.row(counted, version + 1), condition=unchanged)
        except TransactWriteError as error:
            if cancelled(error) is None:
                raise
            return False
        return True
