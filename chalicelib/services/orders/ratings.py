"""Ratings: what a customer thought of their courier, once an order."""

from __future__ import annotations

from chalicelib.domain.orders.model import Status
from chalicelib.domain.people import Actor, Rating
from chalicelib.domain.request_keys import RequestKey
from chalicelib.errors import AlreadyRated, InvalidTransition, NotFound
from chalicelib.services.orders.customer import CustomerOrders
from chalicelib.services.ports import Clock, RatingStore
from chalicelib.services.request_keys import RequestKeys


class RatingService:
    """Keeps ratings and the average of each courier."""

    def __init__(
        self,
        ratings: RatingStore,
        customer_orders: CustomerOrders,
        keys: RequestKeys,
        clock: Clock,
    ) -> None:
        self._ratings = ratings
        self._customer_orders = customer_orders
        self._keys = keys
        self._clock = clock

    def rate_courier(
        self,
        actor: Actor,
        order_id: int,
        stars: int,
        comment: str | None,
        key: RequestKey | None = None,
    ) -> bool:
        """Rate the courier of a finished order; return whether the same request had done so before.

        Raises NotFound for all but its customer, InvalidTransition before it is done, AlreadyRated,
        KeyReused.
        """
        if self._keys.find_target(key):
            return True
        order = self._customer_orders.get_order(actor, order_id)
        if order.details.customer_id != actor.id:
            raise NotFound("There is no such order.")
        if order.status is not Status.DONE or order.courier_id is None:
            raise InvalidTransition(order.status.value, "rate", ())
        rating = Rating(order_id, order.courier_id, actor.id, stars, self._clock(), comment)
        try:
            self._ratings.insert_rating(rating, key)
        except AlreadyRated:
            if self._keys.find_target(key):
                return True  # at the same moment
            raise
        return False
