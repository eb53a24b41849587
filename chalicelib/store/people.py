"""Profiles."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace
from pynamodb.exceptions import DoesNotExist, PutError

from chalicelib.domain.people import Person
from chalicelib.errors import Stale
from chalicelib.store.failures import lost_race
from chalicelib.store.tables import PersonRow

_ATTEMPTS = 8


class People:
    """The people table."""

    def get(self, person_id: str) -> Person | None:
        """Read a profile, strongly consistent; None if there is none."""
        return self.versioned(person_id)[0]

    @staticmethod
    def versioned(person_id: str) -> tuple[Person | None, int]:
        """A profile and which version it is, 0 where there is none."""
        row = _row(person_id)
        return (msgspec.json.decode(row.doc, type=Person), int(row.version)) if row else (None, 0)

    @staticmethod
    def row(person: Person, version: int) -> PersonRow:
        """A profile as it is to be written."""
        doc = msgspec.json.encode(person).decode()
        return PersonRow(person_id=person.id, doc=doc, version=version)

    def put(self, wanted: Person) -> Person:
        """Write a profile; ratings are kept as they are. Returns what is stored."""
        for _ in range(_ATTEMPTS):
            found, version = self.versioned(wanted.id)
            known = found or Person(wanted.id)
            person = replace(wanted, rating_sum=known.rating_sum, rating_count=known.rating_count)
            try:
                self.row(person, version + 1).save(
                    condition=PersonRow.version == version
                    if found
                    else PersonRow.person_id.does_not_exist()
                )
            except PutError as error:
                if not lost_race(error):
                    raise
            else:
                return person
        raise Stale


def _row(person_id: str) -> PersonRow | None:
    try:
        return PersonRow.get(person_id, consistent_read=True)
    except DoesNotExist:
        return None
