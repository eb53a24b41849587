"""Ratings, one an order, and their sum on each courier's profile."""

from __future__ import annotations

from uuid import uuid4

import msgspec
from msgspec.structs import replace
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist

from chalicelib.domain.events import name_order_stream
from chalicelib.domain.people import Person, Rating
from chalicelib.domain.request_keys import RequestKey
from chalicelib.domain.retries import Retries
from chalicelib.errors import AlreadyRated
from chalicelib.store.conditional import transaction
from chalicelib.store.keys import make_key_put
from chalicelib.store.people import PeopleTable
from chalicelib.store.tables import RatingRow


class RatingTable:
    """Writes the ratings table, together with the people table."""

    def __init__(self, connection: Connection, retries: Retries | None = None) -> None:
        self._connection = connection
        self._retries = retries or Retries()

    def insert_rating(self, rating: Rating, key: RequestKey | None = None) -> None:
        """Insert a rating, with the key of its request, and add it to its courier's profile, in one
        transaction. Raises AlreadyRated.

        A write whose answer got lost is no second one: botocore sends the same request token, and
        where an engine knows no tokens, the row has one of ours.
        """
        doc = msgspec.json.encode(rating).decode()
        row = RatingRow(rating.order_id, doc=doc, commit=uuid4().hex)
        self._retries.retry_while_stale(lambda: self._try_insert(rating, row, key))

    def _try_insert(self, rating: Rating, row: RatingRow, key: RequestKey | None) -> None:
        """Insert a rating unless it is there. Raises AlreadyRated, or Stale if another changed the
        courier's profile meanwhile."""
        # Look first: of a transaction that is sent again, the profile's condition fails, too, and
        # the failure says nothing of whose rating it is that is there.
        try:
            if RatingRow.get(rating.order_id, consistent_read=True).commit == row.commit:
                return
            raise AlreadyRated("This order has been rated.")
        except DoesNotExist:
            pass
        known, version = PeopleTable.get_with_version(rating.courier_id)
        person_row = PeopleTable.make_row(
            _add_rating(known or Person(rating.courier_id), rating), version + 1
        )
        is_new = RatingRow.order_id.does_not_exist() | (RatingRow.commit == row.commit)
        with transaction(self._connection) as write:
            write.save(row, condition=is_new)
            if key:
                target = name_order_stream(rating.order_id)
                make_key_put(key, target, rating.at, row.commit).add_to(write)
            write.save(
                person_row, condition=PeopleTable.make_version_condition(person_row, version)
            )


def _add_rating(person: Person, rating: Rating) -> Person:
    return replace(
        person,
        rating_sum=person.rating_sum + rating.stars,
        rating_count=person.rating_count + 1,
    )
