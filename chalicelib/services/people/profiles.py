"""Profiles of people: each may read and write their own."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.domain.people import Actor, Person, Role
from chalicelib.services.ports import CourierStore, PeopleStore


class Profiles:
    """Reads and writes people's profiles."""

    def __init__(self, people: PeopleStore, couriers: CourierStore) -> None:
        self._people = people
        self._couriers = couriers

    def get_own_profile(self, actor: Actor) -> Person:
        """Get the actor's profile; their token fills in what it does not say."""
        person = self.get_profile(actor.id)
        return replace(person, name=person.name or actor.name, phone=person.phone or actor.phone)

    def get_profile(self, person_id: str) -> Person:
        """Get a person's profile; an empty one where there is none."""
        return self._people.get_person(person_id) or Person(person_id)

    def has_profile(self, person_id: str) -> bool:
        """Tell whether a person has a profile."""
        return self._people.get_person(person_id) is not None

    def save_own_profile(self, actor: Actor, person: Person) -> Person:
        """Write the actor's profile and return what is stored; ratings stay as they are.

        A courier's vehicle type is copied to where dispatch reads it, as a search for couriers
        can't afford to read their profiles. If that fails, the courier has to save once more.
        """
        saved = self._people.save_person(person)
        if actor.role is Role.COURIER:
            self._couriers.set_vehicle_type(actor.id, person.vehicle_type)
        return saved
