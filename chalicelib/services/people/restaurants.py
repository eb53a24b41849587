"""Restaurants: their owners describe them, and orders are picked up there."""

from __future__ import annotations

from chalicelib.domain.details import Place
from chalicelib.domain.people import Actor, Restaurant, Role
from chalicelib.errors import Forbidden, NotFound
from chalicelib.services.ports import RestaurantStore


class Restaurants:
    """Reads and writes restaurants' profiles."""

    def __init__(self, restaurants: RestaurantStore) -> None:
        self._restaurants = restaurants

    def get_profile(self, actor: Actor, restaurant_id: str) -> Restaurant:
        """Get a restaurant's profile, for its owner or an admin. Raises Forbidden, NotFound."""
        _require_owner_or_admin(actor, restaurant_id)
        found = self._restaurants.get_restaurant(restaurant_id)
        if found is None:
            raise NotFound("This restaurant has no profile yet.")
        return found

    def save_profile(self, actor: Actor, restaurant: Restaurant) -> Restaurant:
        """Write a restaurant's profile, for its owner or an admin. Raises Forbidden."""
        _require_owner_or_admin(actor, restaurant.id)
        self._restaurants.save_restaurant(restaurant)
        return restaurant

    def get_pickup_place(self, restaurant_id: str) -> Place:
        """Get the place where a restaurant's orders are picked up. Without a profile it is an empty
        place: orders must not wait for a profile."""
        found = self._restaurants.get_restaurant(restaurant_id)
        return Place(found.address, found.lat, found.lng) if found else Place("")


def _require_owner_or_admin(actor: Actor, restaurant_id: str) -> None:
    """Raise Forbidden for all but the restaurant's owner and admins. The token alone says who owns
    which restaurants."""
    is_owner = actor.role is Role.MERCHANT and restaurant_id in actor.restaurant_ids
    if not is_owner and actor.role is not Role.ADMIN:
        raise Forbidden("This restaurant is not yours.")
