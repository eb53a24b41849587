"""REST: one's own profile."""

from __future__ import annotations

from typing import Any

from chalicelib.contracts.base import omit_none, read_optional_text, read_text
from chalicelib.contracts.contacts import read_optional_url, read_phone
from chalicelib.domain.people import Person
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route


def get_profile(call: Call) -> Reply:
    """Show the profile of the person who asks."""
    return _render_profile(call.services.profiles.get_own_profile(call.actor))


def put_profile(call: Call) -> Reply:
    """Save the profile of the person who asks: the whole of it, so what is left out goes."""
    body = call.read_body()
    person = Person(
        id=call.actor.id,
        name=read_text(body.get("name"), "name"),
        phone=read_phone(body.get("phone"), "phone"),
        profile_picture=read_optional_url(body.get("profile_picture"), "profile_picture"),
        vehicle=read_optional_text(body.get("vehicle"), "vehicle"),
        vehicle_type=read_optional_text(body.get("vehicle_type"), "vehicle_type", 40),
    )
    return _render_profile(call.services.profiles.save_own_profile(call.actor, person))


def _render_profile(person: Person) -> dict[str, Any]:
    return omit_none(
        id=person.id,
        name=person.name,
        phone=person.phone,
        profile_picture=person.profile_picture,
        vehicle=person.vehicle,
        vehicle_type=person.vehicle_type,
        rating=person.rating,
    )


ROUTES = (
    Route("GET", "/v1/me", get_profile),
    Route("PUT", "/v1/me", put_profile),
)
