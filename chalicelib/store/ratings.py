"""Ratings, one an order, and the running average on each courier's profile."""

from __future__ import annotations

from uuid import uuid4

import msgspec
from msgspec.structs import replace
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, TransactWriteError
from pynamodb.transactions import TransactWrite

from chalicelib.domain.people import Person, Rating
from chalicelib.domain.retries import Retries
from chalicelib.errors import AlreadyRated, Stale
from chalicelib.store.failures import read_cancellation
from chalicelib.store.people import PeopleTable
from chalicelib.store.tables import RatingRow


class RatingTable:
    """The ratings table."""

    def __init__(self, connection: Connection, retries: Retries | None = None) -> None:
        self._connection = connection
        self._retries = retries or Retries()

    def rate(self, rating: Rating) -> None:
        """Keep a rating and count it, in one transaction. Raises AlreadyRated.

        A write whose answer got lost is no second one: botocore sends the same request token, and
        where an engine knows no tokens, the row has one of ours.
        """
        doc = msgspec.json.encode(rating).decode()
        row = RatingRow(rating.order_id, doc=doc, commit=uuid4().hex)
        self._retries.retry_while_stale(lambda: self._try_insert(rating, row))

    def _try_insert(self, rating: Rating, row: RatingRow) -> None:
        """Try once. Raises AlreadyRated, or Stale if another changed the courier's profile."""
        try:
            if RatingRow.get(rating.order_id, consistent_read=True).commit == row.commit:
                return
            raise AlreadyRated("This order has been rated.")
        except DoesNotExist:
            pass
        known, version = PeopleTable.get_with_version(rating.courier_id)
        person = known or Person(rating.courier_id)
        counted = replace(
            person,
            rating_sum=person.rating_sum + rating.stars,
            rating_count=person.rating_count + 1,
        )
        person_row = PeopleTable.make_row(counted, version + 1)
        once = RatingRow.order_id.does_not_exist() | (RatingRow.commit == row.commit)
        try:
            with TransactWrite(connection=self._connection) as write:
                write.save(row, condition=once)
                write.save(
                    person_row, condition=PeopleTable.make_version_condition(person_row, version)
                )
        except TransactWriteError as error:
            if read_cancellation(error) is None:
                raise
            raise Stale from None
