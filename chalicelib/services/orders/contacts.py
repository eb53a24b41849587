"""Contacts: what the other side of an order is shown of a person."""

from __future__ import annotations

from chalicelib.domain.details import Contact
from chalicelib.domain.people import Actor, Person
from chalicelib.services.ports import PeopleStore


def read_contact(people: PeopleStore, actor: Actor) -> Contact:
    """Read what others are shown of a person: their profile, else what their token says."""
    person = people.get_person(actor.id) or Person(actor.id)
    return Contact(
        id=actor.id,
        name=person.name or actor.name,
        phone=person.phone or actor.phone,
        picture=person.profile_picture,
        vehicle=person.vehicle,
        vehicle_type=person.vehicle_type,
        rating=person.rating,
    )
