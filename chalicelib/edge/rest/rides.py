"""REST: rides (spec 001), for what its first part does over REST, and for polling."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint

from chalicelib.contracts.base import text
from chalicelib.contracts.money import payment_body, read_amount, read_method, read_upi
from chalicelib.contracts.rides.bodies import STATUS_WORDS, requested, ride_body
from chalicelib.contracts.rides.socket import NAME, listed, read_page, read_rating, read_wish
from chalicelib.domain.people import Role
from chalicelib.edge.app_services import Provider
from chalicelib.edge.rest.base import actor_of, answering, body_of, order_id_of, query_of

MAX_ANNOUNCEMENT = 2000


def routes(provide: Provider) -> Blueprint:
    """The routes, to be registered with the app."""
    bp = Blueprint(__name__)

    @bp.route("/v1/riders/rides", methods=["POST"], name="request_ride")
    @answering
    def request_ride() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.CUSTOMER)
        order = waybill.rides.request(actor, read_wish(body_of(bp.current_request)))
        return 201, {**requested(order), "status": STATUS_WORDS[order.status]}

    @bp.route("/v1/riders/rate/driver", methods=["POST"], name="rate_driver")
    @answering
    def rate_driver() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.CUSTOMER)
        asked = read_rating(body_of(bp.current_request))
        waybill.ratings.rate(actor, asked.order_id, asked.stars, asked.comment)
        return 201, {"status": "success", "message": "Rating submitted"}

    @bp.route("/v1/riders/payment", methods=["POST"], name="pay_ride")
    @answering
    def pay_ride() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.CUSTOMER)
        body = body_of(bp.current_request)
        amount = read_amount(body) if body.get("amount") is not None else None
        order_id = order_id_of(body.get("ride_id"), "ride_id")
        payment, new = waybill.payments.pay(
            actor, order_id, read_method(body), read_upi(body), amount
        )
        return (201 if new else 200), {**payment_body(payment), "ride_id": str(order_id)}

    @bp.route("/v1/rides/{ride_id}", methods=["GET"], name="get_ride")
    @answering
    def get_ride(ride_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request)
        return ride_body(waybill.rides.see(actor, order_id_of(ride_id, "ride_id")))

    @bp.route("/v1/rides/{ride_id}/chats", methods=["GET"], name="get_ride_chats")
    @answering
    def get_ride_chats(ride_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request)
        before = read_page(query_of(bp.current_request, "before"))
        return listed(waybill.chats.read(actor, order_id_of(ride_id, "ride_id"), before))

    @bp.route("/v1/admin/announcements", methods=["POST"], name="announce")
    @answering
    def announce() -> Any:
        waybill = provide()
        actor_of(waybill, bp.current_request, Role.ADMIN)
        msg = text(body_of(bp.current_request).get("msg"), "msg", MAX_ANNOUNCEMENT)
        waybill.announcing.announce(NAME, msg)
        return 201, {"msg": msg}

    return bp
