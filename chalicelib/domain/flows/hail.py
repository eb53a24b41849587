"""Flow `hail`: spec 004. It moves as a delivery does; what differs is its policy: five minutes an
offer, and a search that waits for drivers to become free instead of giving up at once."""

from __future__ import annotations

from chalicelib.domain.flow import Flow
from chalicelib.domain.flows import delivery
from chalicelib.domain.steps import STEPS

FLOW = Flow("hail", delivery.TABLE, delivery.MAY, delivery.REPEATABLE, STEPS)
