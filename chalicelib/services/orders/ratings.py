"""Ratings: what a customer thought of their courier, once an order."""

from __future__ import annotations

from chalicelib.domain.orders.model import Status
from chalicelib.domain.people import Actor, Rating
from chalicelib.errors import InvalidTransition, NotFound
from chalicelib.services.orders.customer import CustomerOrders
from chalicelib.services.ports import Clock, RatingStore


class RatingService:
    """Keeps ratings and the average of each courier."""

    def __init__(self, ratings: RatingStore, customer_orders: CustomerOrders, clock: Clock) -> None:
        self._ratings = ratings
        self._customer_orders = customer_orders
        self._clock = clock

    def rate_courier(self, actor: Actor, order_id: int, stars: int, comment: str | None) -> Rating:
        """Rate the courier of a finished order.

        Raises NotFound for all but its customer, InvalidTransition before it is done, AlreadyRated.
        """
        order = self._customer_orders.get_order(actor, order_id)
        if order.details.customer_id != actor.id:
            raise NotFound("There is no such order.")
        if order.status is not Status.DONE or order.courier_id is None:
            raise InvalidTransition(order.status.value, "rate", ())
        rating = Rating(order_id, order.courier_id, actor.id, stars, self._clock(), comment)
        self._ratings.insert_rating(rating)
        return rating
