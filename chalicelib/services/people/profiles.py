"""Profiles: everybody's own."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.domain.people import Actor, Person, Role
from chalicelib.services.ports import CourierStore, PeopleStore


class Profiles:
    """Reads and writes profiles."""

    def __init__(self, people: PeopleStore, couriers: CourierStore) -> None:
        self._people = people
        self._couriers = couriers

    def get_own_profile(self, actor: Actor) -> Person:
        """The actor's profile, filled in from the token where it says nothing."""
        person = self._people.get(actor.id) or Person(actor.id)
        return replace(person, name=person.name or actor.name, phone=person.phone or actor.phone)

    def get_profile(self, person_id: str) -> Person:
        """Somebody's profile; an empty one where there is none."""
        return self._people.get(person_id) or Person(person_id)

    def has_profile(self, person_id: str) -> bool:
        """Whether somebody has a profile."""
        return self._people.get(person_id) is not None

    def save_own_profile(self, actor: Actor, person: Person) -> Person:
        """Write the actor's profile; creates the person. Dispatch learns what a courier drives."""
        written = self._people.put(person)
        if actor.role is Role.COURIER:
            self._couriers.set_vehicle_type(actor.id, person.vehicle_type)
        return written
