"""REST: one's own profile, and whether the service is up."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint

from chalicelib.contracts.base import optional_text, present, text
from chalicelib.contracts.contacts import optional_url, phone
from chalicelib.domain.people import Person
from chalicelib.edge.app_services import Provider
from chalicelib.edge.rest.base import actor_of, answering, body_of


def routes(provide: Provider) -> Blueprint:
    """The routes, to be registered with the app."""
    bp = Blueprint(__name__)

    @bp.route("/v1/me", methods=["GET"], name="get_me")
    @answering
    def get_me() -> Any:
        waybill = provide()
        return _profile(waybill.profiles.get(actor_of(waybill, bp.current_request)))

    @bp.route("/v1/me", methods=["PUT"], name="put_me")
    @answering
    def put_me() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request)
        body = body_of(bp.current_request)
        person = Person(
            id=actor.id,
            name=text(body.get("name"), "name"),
            phone=phone(body.get("phone"), "phone"),
            profile_picture=optional_url(body.get("profile_picture"), "profile_picture"),
            vehicle=optional_text(body.get("vehicle"), "vehicle"),
            vehicle_type=optional_text(body.get("vehicle_type"), "vehicle_type", 40),
        )
        return _profile(waybill.profiles.put(actor, person))

    @bp.route("/health", methods=["GET"], name="health")
    @answering
    def health() -> Any:
        return {"status": "ok"}

    return bp


def _profile(person: Person) -> dict[str, Any]:
    return present(
        id=person.id,
        name=person.name,
        phone=person.phone,
        profile_picture=person.profile_picture,
        vehicle=person.vehicle,
        vehicle_type=person.vehicle_type,
        rating=person.rating,
    )
