"""Restaurants: their owners' to describe."""

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
        """A profile, for its owner or an admin. Raises Forbidden, NotFound."""
        _require_owner_or_admin(actor, restaurant_id)
        found = self._restaurants.get(restaurant_id)
        if found is None:
            raise NotFound("This restaurant has no profile yet.")
        return found

    def save_profile(self, actor: Actor, restaurant: Restaurant) -> Restaurant:
        """Write a profile; its owner or an admin. Raises Forbidden."""
        _require_owner_or_admin(actor, restaurant.id)
        self._restaurants.put(restaurant)
        return restaurant

    def get_pickup_place(self, restaurant_id: str) -> Place:
        """Where its orders are picked up; nowhere in particular while it has no profile."""
        found = self._restaurants.get(restaurant_id)
        return Place(found.address, found.lat, found.lng) if found else Place("")


def _require_owner_or_admin(actor: Actor, restaurant_id: str) -> None:
    """Ownership is what the token says."""
    owner = actor.role is Role.MERCHANT and restaurant_id in actor.restaurant_ids
    if not owner and actor.role is not Role.ADMIN:
        raise Forbidden("This restaurant is not yours.")
