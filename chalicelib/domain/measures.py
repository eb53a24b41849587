"""Measures: what is counted and timed of the dispatcher's work, as data. docs/metrics.md is the
list of METRICS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from chalicelib.domain.geo import Point
from chalicelib.domain.ops.zones import find_zone

COUNT, MILLISECONDS, SECONDS = "Count", "Milliseconds", "Seconds"  # CloudWatch's words
OTHER_ZONE = "other"
MAX_ZONES = 19  # and OTHER_ZONE: twenty values of the dimension, each of which costs


class Metric(NamedTuple):
    """A figure by its name. `labels` are what a sample of it says beside its value; `dimensions`
    are the sets of them by which CloudWatch keeps it apart, beside the stage alone.

    `waits` says that a sample may be printed some seconds later, with others of its process, and
    is lost with that process. `is_local` says that only the local run shows it, as AWS counts it
    by itself.
    """

    name: str
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()
    dimensions: tuple[tuple[str, ...], ...] = ()
    waits: bool = False
    is_local: bool = False


class Sample(NamedTuple):
    """One value of a metric, in its unit, with a value for each of its labels."""

    metric: Metric
    value: float
    labels: Mapping[str, str] = {}


_PLACE = ("flow", "zone")
_OF_ORDERS: tuple[tuple[str, ...], tuple[tuple[str, ...], ...]] = (_PLACE, (_PLACE,))

ORDERS = Metric("Orders", COUNT, "orders placed", *_OF_ORDERS)
FIRST_OFFER = Metric(
    "FirstOfferTime",
    MILLISECONDS,
    "from when an order was placed (a scheduled one: active; of a pool: ready) until it was first "
    "offered to a courier, or opened to couriers near by or a pool",
    *_OF_ORDERS,
)
ASSIGN = Metric(
    "AssignTime",
    MILLISECONDS,
    "from when an order was placed (scheduled: active; of a pool: ready) until a courier first had "
    "it",
    *_OF_ORDERS,
)
OFFERS = Metric(
    "Offers",
    COUNT,
    "offers made: to a courier, or one to all near by, or in a pool, to whom an order is opened",
    *_OF_ORDERS,
)
ACCEPTED = Metric("OffersAccepted", COUNT, "offers that were accepted", *_OF_ORDERS)
DECLINED = Metric("OffersDeclined", COUNT, "offers that were declined", *_OF_ORDERS)
IGNORED = Metric(
    "OffersIgnored",
    COUNT,
    "offers that expired",
    *_OF_ORDERS,
)
UNSERVED = Metric("Unserved", COUNT, "orders for which nobody was found in time", *_OF_ORDERS)
ENDS = Metric(
    "Ends",
    COUNT,
    "ends of orders, by state and reason (a code, `none` where there is none)",
    (*_PLACE, "state", "reason"),
    (_PLACE, ("flow", "state", "reason")),
)
PICKUP_WAIT = Metric(
    "PickupWait", SECONDS, "from when a courier was at the pickup until they left it", *_OF_ORDERS
)
DOOR_WAIT = Metric(
    "DoorWait",
    SECONDS,
    "from when a courier was at the drop-off until the order was handed over, or not",
    *_OF_ORDERS,
)
WAKEUP_LAG = Metric(
    "WakeupLag", MILLISECONDS, "from when a wakeup was due until it was handled", waits=True
)
RELAY_LAG = Metric(
    "RelayLag",
    MILLISECONDS,
    "from a commit until its events had been taken to all recipients",
    waits=True,
)
WEBHOOK_LAG = Metric(
    "WebhookLag",
    MILLISECONDS,
    "from an event until its webhook was accepted, all attempts included",
    waits=True,
)
POST_FAILURES = Metric(
    "PostFailures", COUNT, "frames that could not be posted to a connection that may be there"
)
FAILED_MESSAGES = Metric(
    "FailedMessages",
    COUNT,
    "messages of a queue whose handling failed and that come again, which are no errors of Lambda",
    ("function",),
    (("function",),),
)
HANDLER_TIME = Metric(
    "HandlerTime",
    MILLISECONDS,
    "how long a handler ran; a stage has it as `Duration` of `AWS/Lambda`",
    ("function",),
    is_local=True,
)
HANDLER_ERRORS = Metric(
    "HandlerErrors",
    COUNT,
    "handlers that raised, and REST answers of 5xx; a stage has them as `Errors` of `AWS/Lambda` "
    "and `5XXError` of `AWS/ApiGateway`",
    ("function",),
    is_local=True,
)

METRICS = (
    ORDERS,
    FIRST_OFFER,
    ASSIGN,
    OFFERS,
    ACCEPTED,
    DECLINED,
    IGNORED,
    UNSERVED,
    ENDS,
    PICKUP_WAIT,
    DOOR_WAIT,
    WAKEUP_LAG,
    RELAY_LAG,
    WEBHOOK_LAG,
    POST_FAILURES,
    FAILED_MESSAGES,
    HANDLER_TIME,
    HANDLER_ERRORS,
)


class Zones:
    """Names zones in figures: H3 cells of one resolution, MAX_ZONES of them at most, and OTHER_ZONE
    for the rest and for what has no place.

    Which have a name is known without a call: those that are `named`, or, where none is, the first
    that this process meets. All processes of a stage of no more zones than that name the same.
    """

    def __init__(self, resolution: int, named: Sequence[str] = ()) -> None:
        self._resolution = resolution
        self._is_open = not named
        self._named = set(named[:MAX_ZONES])

    def name_zone(self, point: Point | None) -> str:
        """Return the name of the zone that a point lies in."""
        zone = find_zone(point, self._resolution)
        if zone is None:
            return OTHER_ZONE
        if self._is_open and len(self._named) < MAX_ZONES:
            self._named.add(zone)
        return zone if zone in self._named else OTHER_ZONE
