"""The flows by name. A new kind of order is one module here and one entry."""

from __future__ import annotations

from chalicelib.domain.orders.flow import Flow
from chalicelib.domain.orders.flows import delivery, food, hail, ride

FLOWS: dict[str, Flow] = {
    flow.name: flow for flow in (delivery.FLOW, hail.FLOW, food.FLOW, ride.FLOW)
}
