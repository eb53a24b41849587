"""What is said over each contract's socket, by the names of its messages and frames.

What clients send and what events become is in the contracts' tables too (MESSAGES, WRITERS):
check_tables compares the names, so that nothing is said that is not written here.
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.documents.frames.courier import COURIER, CUSTOMER
from infra.documents.frames.drivers import DRIVERS
from infra.documents.frames.feed import FEED
from infra.documents.frames.food import FOOD, SOCKETIO
from infra.documents.frames.ops import OPS
from infra.documents.frames.rides import RIDES
from infra.documents.frames.said import Said
from infra.documents.frames.track import TRACK

SAID: Mapping[str, Said] = {
    "courier": COURIER,
    "customer": CUSTOMER,
    "rides": RIDES,
    "food": FOOD,
    "socketio": SOCKETIO,
    "feed": FEED,
    "drivers": DRIVERS,
    "track": TRACK,
    "ops": OPS,
}
"""The contracts by the name that connections carry, as in contracts/registry.py."""
