"""People: profiles and restaurants."""

from __future__ import annotations

import msgspec

from chalicelib.services.people.pauses import CourierPauses
from chalicelib.services.people.profiles import Profiles
from chalicelib.services.people.restaurants import Restaurants
from chalicelib.wiring.parts import Parts


class PeopleServices(msgspec.Struct, frozen=True):
    """What the edge needs of people."""

    profiles: Profiles
    restaurants: Restaurants
    pauses: CourierPauses


def build_people(parts: Parts) -> PeopleServices:
    """Build the services of people."""
    return PeopleServices(
        Profiles(parts.people, parts.couriers),
        Restaurants(parts.restaurants),
        CourierPauses(parts.couriers, parts.courier_histories, parts.ids, parts.clock),
    )
