"""Quotes: what an order would cost, and when a courier would be there. Quoting writes nothing.

Couriers are looked for by the index that dispatch uses, but past its roster, which takes out of the
index who can't be asked: that is a write. And few of them are read, as it is enough to know that
there is somebody, and about how far away: whom the order is offered to is decided when it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from chalicelib.domain.details import OrderDetails
from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.messaging.connections import name_pool_room
from chalicelib.domain.money import quotes
from chalicelib.domain.money.fares import (
    Tariff,
    Tariffs,
    find_tariff,
    itemize_trip,
    normalize_vehicle_type,
)
from chalicelib.domain.money.quotes import IssuedQuote, Quote, QuoteRequest
from chalicelib.domain.orders.dispatch_policy import (
    DispatchPolicy,
    FreeCourierQuery,
    is_eligible,
    rank_couriers,
)
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.people import Actor, Courier
from chalicelib.domain.price_lines import ITEMS, PriceLine
from chalicelib.domain.signed_tokens import TokenSigner
from chalicelib.domain.travel import (
    ROAD_FACTOR,
    TO_READY_MIN,
    estimate_minutes_or,
    to_whole_minutes,
)
from chalicelib.errors import InvalidInput, NotFound, Unavailable
from chalicelib.services.ports import Clock, ConnectionStore, CourierStore, RestaurantStore

FOOD_FLOW = "food"
_MAX_READ = 100  # couriers read for one quote, but for those of the last ring


class QuoteService:
    """Makes quotes, and tells what an order costs that is placed with one."""

    def __init__(
        self,
        couriers: CourierStore,
        connections: ConnectionStore,
        restaurants: RestaurantStore,
        tariffs: Mapping[str, Tariffs],
        policies: Mapping[str, DispatchPolicy],
        signer: TokenSigner | None,
        ttl: timedelta,
        lead: timedelta,
        clock: Clock,
    ) -> None:
        """Set the tariffs and the policies, by flow. Without a `signer` there are no quotes. A
        quote is good for `ttl`; couriers are looked for from `lead` before the pickup."""
        self._couriers = couriers
        self._connections = connections
        self._restaurants = restaurants
        self._tariffs = tariffs
        self._policies = policies
        self._signer = signer
        self._ttl = ttl
        self._lead = lead
        self._clock = clock

    def make_quote(self, caller: Actor, request: QuoteRequest) -> IssuedQuote:
        """Make a quote for the customer who asks. Both places must have coordinates.

        Raises InvalidInput for a vehicle type without a tariff, NotFound for a restaurant whose
        place is not known, Unavailable where the settings have no secret to sign with.
        """
        if self._signer is None:
            raise Unavailable("No quotes can be made here: the settings have no secret to sign by.")
        tariff = find_tariff(self._tariffs[request.flow], request.vehicle_type)
        pickup, dropoff = self._get_pickup_point(request), request.dropoff.point
        if dropoff is None:
            raise InvalidInput("dropoff needs coordinates.", field="dropoff")
        now, crow_m = self._clock(), measure_distance_m(pickup, dropoff)
        quote = Quote(
            quotes.describe_request(caller.id, request, pickup),
            _price_request(request, pickup, dropoff, tariff),
            quotes.compute_expiry_s(now, self._ttl),
        )
        id_, distance_m = quotes.sign_quote(quote, self._signer), crow_m * ROAD_FACTOR
        pickup_min = self._estimate_pickup_min(caller, request, pickup, now)
        if pickup_min is None:
            return IssuedQuote(id_, quote, distance_m, reason=quotes.NO_COURIERS_NEAR)
        dropoff_min = pickup_min + estimate_minutes_or(crow_m, 0)
        return IssuedQuote(id_, quote, distance_m, pickup_min, dropoff_min)

    def redeem_quote(self, quote_id: str, details: OrderDetails, options: OrderOptions) -> Quote:
        """Read the quote that an order is placed with; it may be redeemed more than once.

        Raises InvalidInput for what was not made here, QuoteExpired, QuoteMismatch.
        """
        if self._signer is None:
            raise InvalidInput("quote_id is not the id of a quote.", field="quote_id")
        quote = quotes.read_quote(quote_id, self._signer)
        asked = quotes.describe_order(details, quotes.get_pickup_from(options))
        quotes.check_quote(quote, asked, self._clock())
        return quote

    def _get_pickup_point(self, request: QuoteRequest) -> Point:
        """Return where it is picked up. Raises NotFound, InvalidInput."""
        if request.restaurant_id is None:
            if request.pickup is None or request.pickup.point is None:
                raise InvalidInput("pickup needs coordinates.", field="pickup")
            return request.pickup.point
        found = self._restaurants.get_restaurant(request.restaurant_id)
        if found is None or found.lat is None or found.lng is None:
            raise NotFound("The place of this restaurant is not known.")
        return found.lat, found.lng

    def _estimate_pickup_min(
        self, caller: Actor, request: QuoteRequest, pickup: Point, now: datetime
    ) -> int | None:
        """Estimate the whole minutes until a courier is at the pickup; None where nobody can be
        asked. Who will be there by a later time nobody can tell: it is taken for granted."""
        earliest_min = TO_READY_MIN if request.flow == FOOD_FLOW else 0
        if request.pickup_from is not None:
            wait_s = (request.pickup_from - now).total_seconds()
            earliest_min = max(earliest_min, to_whole_minutes(wait_s))
            if wait_s > self._lead.total_seconds():
                return earliest_min
        courier = self._find_courier(caller, request, pickup, now)
        if courier is not None:
            assert courier.point is not None, "an eligible courier is somewhere"
            way_m = measure_distance_m(courier.point, pickup)
            return max(earliest_min, estimate_minutes_or(way_m, 0))
        # To a pool all hear of an order, wherever they are.
        if request.flow == FOOD_FLOW and self._connections.has_subscriber(
            name_pool_room(FOOD_FLOW), now
        ):
            return earliest_min
        return None

    def _find_courier(
        self, caller: Actor, request: QuoteRequest, pickup: Point, now: datetime
    ) -> Courier | None:
        """Find a courier near by who could be asked now, the first of the nearest ring."""
        policy = self._policies[request.flow]
        can_ask = _make_filter(caller, request, pickup, policy, now)
        query = FreeCourierQuery(can_ask, max_read=_MAX_READ)
        read = 0
        for ring, _ in self._couriers.iterate_free_near(pickup, policy.radius_m, query):
            if found := rank_couriers(filter(can_ask, ring), pickup):
                return found[0]
            # Lost couriers stay in the index until dispatch takes them out: where there are many of
            # them a quote must not read them all, each time that somebody asks for one.
            read += len(ring)
            if read >= _MAX_READ:
                break
        return None


def _make_filter(
    caller: Actor, request: QuoteRequest, pickup: Point, policy: DispatchPolicy, now: datetime
) -> Callable[[Courier], bool]:
    """Make the filter of couriers who could be asked. What is broadcast is for those alone who hear
    of it and drive the type (services/dispatch/broadcast.py)."""
    wanted = normalize_vehicle_type(request.vehicle_type)

    def can_ask(courier: Courier) -> bool:
        if policy.is_broadcast:
            drives = normalize_vehicle_type(courier.vehicle_type) == wanted
            if not (courier.connected and drives and courier.id != caller.id):
                return False
        return is_eligible(courier, pickup, policy, now)

    return can_ask


def _price_request(
    request: QuoteRequest, pickup: Point, dropoff: Point, tariff: Tariff
) -> tuple[PriceLine, ...]:
    """List what makes up the price: the items, if there are any, and the way."""
    lines = itemize_trip(pickup, dropoff, tariff)
    if not request.items:
        return lines
    items_minor = sum(item.quantity * item.price_minor for item in request.items)
    return (PriceLine(ITEMS, items_minor), *lines)
