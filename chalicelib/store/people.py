"""Profiles."""

from __future__ import annotations

from uuid import uuid4

import msgspec
from msgspec.structs import replace
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from chalicelib.domain.people import Person
from chalicelib.domain.retries import Retries
from chalicelib.store.saving import save_if
from chalicelib.store.tables import PersonRow


class PeopleTable:
    """The people table."""

    def __init__(self, retries: Retries | None = None) -> None:
        self._retries = retries or Retries()

    def get(self, person_id: str) -> Person | None:
        """Read a profile, strongly consistent; None if there is none."""
        return self.get_with_version(person_id)[0]

    @staticmethod
    def get_with_version(person_id: str) -> tuple[Person | None, int]:
        """A profile and which version it is, 0 where there is none."""
        row = _find_row(person_id)
        return (msgspec.json.decode(row.doc, type=Person), int(row.version)) if row else (None, 0)

    @staticmethod
    def make_row(person: Person, version: int) -> PersonRow:
        """A profile as it is to be written."""
        doc = msgspec.json.encode(person).decode()
        return PersonRow(person_id=person.id, doc=doc, version=version, commit=uuid4().hex)

    @staticmethod
    def make_version_condition(row: PersonRow, version: int) -> Condition:
        """That a profile is of a version, 0: not there; or was written by this very row."""
        known: Condition = (
            PersonRow.version == version if version else PersonRow.person_id.does_not_exist()
        )
        either: Condition = known | (PersonRow.commit == row.commit)
        return either

    def put(self, wanted: Person) -> Person:
        """Write a profile; ratings are kept as they are. Returns what is stored."""

        def write() -> Person:
            found, version = self.get_with_version(wanted.id)
            known = found or Person(wanted.id)
            person = replace(wanted, rating_sum=known.rating_sum, rating_count=known.rating_count)
            row = self.make_row(person, version + 1)
            save_if(row, self.make_version_condition(row, version))
            return person

        return self._retries.retry_while_stale(write)


def _find_row(person_id: str) -> PersonRow | None:
    try:
        return PersonRow.get(person_id, consistent_read=True)
    except DoesNotExist:
        return None
