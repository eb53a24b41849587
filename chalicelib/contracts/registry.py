"""The contracts by the name that connections carry (`?contract=…`, see infra/paths.py)."""

from __future__ import annotations

from chalicelib.contracts import courier, drivers, feed, food, rides
from chalicelib.contracts.base import Contract

CONTRACTS: dict[str, Contract] = {
    "courier": courier.COURIER,
    "customer": courier.CUSTOMER,
    "feed": feed.FEED,
    "drivers": drivers.DRIVERS,
    "food": food.FOOD,
    rides.NAME: rides.RIDES,
}
