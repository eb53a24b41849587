"""REST: rides (spec 001), for what its first part does over REST, and for polling."""

from __future__ import annotations

from chalicelib.contracts.base import read_text
from chalicelib.contracts.money import read_amount, read_method, read_upi_id, render_payment
from chalicelib.contracts.placing import render_order_options
from chalicelib.contracts.rides.answers import render_conversation
from chalicelib.contracts.rides.bodies import STATUS_WORDS, render_estimate, render_ride
from chalicelib.contracts.rides.readers import read_before, read_rating, read_ride_request
from chalicelib.contracts.rides.socket import NAME
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call, read_order_id
from chalicelib.edge.rest.placing import read_extras, reply_placed, show_pins
from chalicelib.edge.rest.responses import Reply, reply_created
from chalicelib.edge.rest.routes import Route
from chalicelib.edge.rest.versions import reply_with_version

MAX_ANNOUNCEMENT = 2000


def request_ride(call: Call) -> Reply:
    """Request a ride for the rider who asks."""
    trip = read_ride_request(call.read_body())
    placed = call.services.rides.request_ride(call.actor, trip, read_extras(call))
    order = placed.order
    body = {**render_estimate(order), "status": STATUS_WORDS[order.status]}
    return reply_placed(call, placed, {**body, **render_order_options(order)})


def rate_driver(call: Call) -> Reply:
    """Rate the driver of a ride that is over, once."""
    rating = read_rating(call.read_body())
    is_replay = call.services.ratings.rate_courier(
        call.actor, rating.order_id, rating.stars, rating.comment, call.read_key()
    )
    return reply_created({"status": "success", "message": "Rating submitted"}, is_replay)


def pay_ride(call: Call) -> Reply:
    """Pay for a ride: 201 for a new payment, 200 for the one that there was."""
    body = call.read_body()
    amount_minor = read_amount(body) if body.get("amount") is not None else None
    order_id = read_order_id(body.get("ride_id"), "ride_id")
    made = call.services.payments.pay_order(
        call.actor, order_id, read_method(body), read_upi_id(body), amount_minor, call.read_key()
    )
    shown = {**render_payment(made.payment), "ride_id": str(order_id)}
    return reply_created(shown, made.is_replay) if made.is_new else shown


def get_ride(call: Call, ride_id: str) -> Reply:
    """Show a ride to somebody who may see it."""
    id_ = read_order_id(ride_id, "ride_id")
    view = call.services.rides.get_ride(call.actor, id_)
    body = {**render_ride(view), **render_order_options(view.order)}
    return reply_with_version(view.order, show_pins(call, view.order, body))


def list_ride_chats(call: Call, ride_id: str) -> Reply:
    """List a page of the messages between rider and driver."""
    before = read_before(call.read_query("before"))
    id_ = read_order_id(ride_id, "ride_id")
    messages = call.services.chats.list_messages(call.actor, id_, before)
    return render_conversation(messages)


def announce(call: Call) -> Reply:
    """Send an announcement to everybody on a socket of this contract."""
    msg = read_text(call.read_body().get("msg"), "msg", MAX_ANNOUNCEMENT)
    is_replay = call.services.announcements.post_announcement(NAME, msg, call.read_key())
    return reply_created({"msg": msg}, is_replay)


ROUTES = (
    Route("POST", "/v1/riders/rides", request_ride, Role.CUSTOMER),
    Route("POST", "/v1/riders/rate/driver", rate_driver, Role.CUSTOMER),
    Route("POST", "/v1/riders/payment", pay_ride, Role.CUSTOMER),
    Route("GET", "/v1/rides/{ride_id}", get_ride),
    Route("GET", "/v1/rides/{ride_id}/chats", list_ride_chats),
    Route("POST", "/v1/admin/announcements", announce, Role.ADMIN),
)
