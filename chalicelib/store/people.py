"""People's profiles, with the ratings that couriers got."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import msgspec
from msgspec.structs import replace
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from chalicelib.domain.people import Person
from chalicelib.domain.retries import Retries
from chalicelib.store.conditional import save_if
from chalicelib.store.decoding import decode_json
from chalicelib.store.tables import PersonRow


class PeopleTable:
    """Reads and writes the people table.

    A profile has two writers: its person, and whoever rates them. So each write is of a version,
    and a row of a profile is made and checked by the same two functions wherever it is written.
    """

    def __init__(self, retries: Retries | None = None) -> None:
        self._retries = retries or Retries()

    def get_person(self, person_id: str) -> Person | None:
        """Read a profile, strongly consistent; None if there is none."""
        return self.get_with_version(person_id)[0]

    @staticmethod
    def list_people(person_ids: Sequence[str]) -> list[Person]:
        """Read the profiles that there are, in no order, as they are or lately were."""
        rows = PersonRow.batch_get(list(person_ids)) if person_ids else ()
        return [decode_json(row.doc, Person) for row in rows]

    @staticmethod
    def get_with_version(person_id: str) -> tuple[Person | None, int]:
        """Read a profile and its version, strongly consistent; (None, 0) if there is none."""
        try:
            row = PersonRow.get(person_id, consistent_read=True)
        except DoesNotExist:
            return None, 0
        return decode_json(row.doc, Person), int(row.version)

    @staticmethod
    def make_row(person: Person, version: int) -> PersonRow:
        """Make the row of a version of a profile."""
        doc = msgspec.json.encode(person).decode()
        return PersonRow(person_id=person.id, doc=doc, version=version, commit=uuid4().hex)

    @staticmethod
    def make_version_condition(row: PersonRow, version: int) -> Condition:
        """Make the condition to write a row on: the profile in the table is of `version` (0: there
        is none), or the SDK has written this very row already."""
        is_read: Condition = (
            PersonRow.version == version if version else PersonRow.person_id.does_not_exist()
        )
        is_mine: Condition = PersonRow.commit == row.commit
        either: Condition = is_read | is_mine
        return either

    def save_person(self, wanted: Person) -> Person:
        """Write a profile and return what is stored: ratings stay as they are, as they are not
        their person's to say. Raises Unavailable if others write it all the time."""

        def try_save() -> Person:
            found, version = self.get_with_version(wanted.id)
            known = found or Person(wanted.id)
            person = replace(wanted, rating_sum=known.rating_sum, rating_count=known.rating_count)
            row = self.make_row(person, version + 1)
            save_if(row, self.make_version_condition(row, version))
            return person

        return self._retries.retry_while_stale(try_save)
