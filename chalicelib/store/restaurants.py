"""Restaurants' profiles."""

from __future__ import annotations

import msgspec
from pynamodb.exceptions import DoesNotExist

from chalicelib.domain.people import Restaurant
from chalicelib.store.tables import RestaurantRow


class RestaurantTable:
    """The restaurants table."""

    def get(self, restaurant_id: str) -> Restaurant | None:
        """Read a profile, strongly consistent; None if there is none."""
        try:
            row = RestaurantRow.get(restaurant_id, consistent_read=True)
        except DoesNotExist:
            return None
        return msgspec.json.decode(row.doc, type=Restaurant)

    def put(self, restaurant: Restaurant) -> None:
        """Write a profile whole; the last writer wins, as nothing in it rests on what was there."""
        RestaurantRow(restaurant.id, doc=msgspec.json.encode(restaurant).decode()).save()
