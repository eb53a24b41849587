"""REST: quotes, for orders of every flow."""

from __future__ import annotations

from chalicelib.contracts.quotes import read_quote_request, render_quote
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route


def make_quote(call: Call) -> Reply:
    """Make a quote for the customer who asks. It is 200 and not 201: nothing is written."""
    request = read_quote_request(call.read_body(), call.now)
    return render_quote(call.services.quotes.make_quote(call.actor, request))


ROUTES = (Route("POST", "/v1/quotes", make_quote, Role.CUSTOMER),)
