"""Flow `hail`: spec 004. It moves as a delivery does; what differs is its policy: five minutes an
offer, and a search that waits for drivers to become free instead of giving up at once."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.domain.orders.flows import delivery

FLOW = replace(delivery.FLOW, name="hail")
