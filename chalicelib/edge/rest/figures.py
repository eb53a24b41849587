"""REST: figures, for those who run couriers."""

from __future__ import annotations

from chalicelib.contracts.figures import read_hours, render_hour, render_now, render_total
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route


def show_figures(call: Call) -> Reply:
    """Show how it goes now, and how it went by the hour."""
    found = call.services.figures.read(call.now, read_hours(call.read_query("hours")))
    return {
        "now": render_now(found.current, found.sockets, found.wakeup_lag),
        "hours": [render_hour(hour, figures) for hour, figures in found.hours],
        "total": render_total(found.total),
    }


ROUTES = (Route("GET", "/v1/admin/figures", show_figures, Role.ADMIN),)
